import assert from 'node:assert/strict';
import { runKillCampaign } from '../support/kill-campaign.js';

describe('kill -9', () => {
  it('of recorder and sync at random moments loses no acknowledged message and stores none twice', async function () {
    this.timeout(180_000);
    const result = await runKillCampaign({ kills: 10, seed: 7 });
    assert.deepEqual(result.missing, []);
    assert.deepEqual(result.duplicates, []);
    assert.deepEqual(result.altered, []);
    assert.ok(result.recorderKills > 0 && result.syncKills > 0);
    assert.ok(result.acknowledged > 0);
  });
});
