import assert from 'node:assert/strict';
import { runDeletionSyncCampaign } from '../../support/deletion-sync-campaign.js';
import { runDeletionCampaign } from '../../support/deletion-campaign.js';

describe('holdfast delete under kill -9', function () {
  this.timeout(600_000);

  it('removes exactly what was asked for from folder, store and lake, and loses nothing else', async () => {
    const { kills, interrupted, findings } = await runDeletionCampaign({ kills: 6, seed: 16 });
    assert.deepEqual(findings.slice(0, 10), []);
    assert.ok(interrupted >= 2, `${interrupted} of ${kills} kills came while it deleted`);
  });

  it('leaves nothing of it anywhere while sync changes and encrypts segments and is killed too', async () => {
    const result = await runDeletionSyncCampaign({ kills: 8, seed: 3, store: 's3' });
    assert.deepEqual(result.findings.slice(0, 10), []);
    assert.ok(result.syncKills >= 1 && result.interrupted >= 2, JSON.stringify(result));
  });
});
