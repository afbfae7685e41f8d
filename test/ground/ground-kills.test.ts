import assert from 'node:assert/strict';
import { runGroundCampaign } from '../support/ground-campaign.js';

describe('the ground under kills', function () {
  this.timeout(120_000);

  it('keeps every sample once and within its threshold through kill -9 of robots, ground and database', async () => {
    const { findings, kills, compared, segments } = await runGroundCampaign({ robots: 2, kills: 4, seed: 3 });
    assert.deepEqual(findings, []);
    assert.ok(compared > 200, `${compared} samples`);
    assert.ok(segments > 2);
    assert.equal(kills.robot + kills.ground + kills.database, 4);
  });
});
