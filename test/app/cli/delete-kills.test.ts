import assert from 'node:assert/strict';
import { runDeletionCampaign } from '../../support/deletion-campaign.js';

describe('holdfast delete under kill -9', function () {
  this.timeout(240_000);

  it('removes exactly what was asked for from folder, store and lake, and loses nothing else', async () => {
    const { kills, interrupted, findings } = await runDeletionCampaign({ kills: 6, seed: 16 });
    assert.deepEqual(findings.slice(0, 10), []);
    assert.ok(interrupted >= 2, `${interrupted} of ${kills} kills came while it deleted`);
  });
});
