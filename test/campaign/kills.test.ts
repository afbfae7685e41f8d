import assert from 'node:assert/strict';
import { runKillCampaign } from '../support/kill-campaign.js';

describe('the long kill campaign', () => {
  it('keeps every acknowledged message exactly once through 240 kill -9 of recorder and sync', async function () {
    this.timeout(60 * 60_000);
    const result = await runKillCampaign({
      kills: 240,
      seed: Number(process.env['HOLDFAST_SEED'] ?? 1),
      onKill: (done, role) => {
        if (done % 20 === 0) console.log(`      ${done} kills, last: ${role}`);
      },
    });
    console.log(`      ${result.recorderKills} recorder kills, ${result.syncKills} sync kills,`);
    console.log(
      `      ${result.acknowledged} messages acknowledged, ${result.stored} stored in ${result.objects} objects`,
    );
    assert.deepEqual(result.missing.slice(0, 10), []);
    assert.deepEqual(result.duplicates.slice(0, 10), []);
    assert.deepEqual(result.altered.slice(0, 10), []);
    assert.ok(result.acknowledged > 10_000);
  });
});
