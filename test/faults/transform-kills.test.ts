import assert from 'node:assert/strict';
import { runTransformCampaign } from '../support/transform-campaign.js';

describe('kill -9 of sync while it changes and sends segments', () => {
  it('loses nothing, sends nothing twice, and leaves no half file and no byte of a redacted field', async function () {
    this.timeout(360_000);
    const result = await runTransformCampaign({ kills: 8, seed: 5 });
    assert.deepEqual(result.missing, []);
    assert.deepEqual(result.duplicates, []);
    assert.deepEqual(result.altered, []);
    assert.deepEqual(result.secrets, []);
    assert.deepEqual(result.halves, []);
    assert.ok(result.segments > 10, `${result.segments} segments`);
    assert.ok(result.early > 0, 'some segments were sent between kills');
    assert.ok(result.early < result.segments, 'kills hit sync at work');
  });
});
