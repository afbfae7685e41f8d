import assert from 'node:assert/strict';
import { runGroundCampaign } from '../support/ground-campaign.js';
import { requirePostgres } from '../support/postgres.js';

describe('the ground under kills', function () {
  this.timeout(120_000);

  it('keeps every sample once and within its threshold through kill -9 of robots, ground and database', async () => {
    const { findings, kills, compared, segments } = await runGroundCampaign({ robots: 2, kills: 4, seed: 3 });
    assert.deepEqual(findings, []);
    assert.ok(compared > 200, `${compared} samples`);
    assert.ok(segments > 2);
    assert.equal(kills.robot + kills.ground + kills.database, 4);
  });

  it('does so with two processes on PostgreSQL and NATS, through kill -9 of these too', async function () {
    requirePostgres(this);
    const options = { robots: 1, kills: 4, seed: 222, isShared: true };
    const { findings, kills, compared, segments } = await runGroundCampaign(options);
    assert.deepEqual(findings, []);
    assert.ok(compared > 200, `${compared} samples`);
    assert.ok(segments > 2);
    for (const [victim, count] of Object.entries(kills)) assert.ok(count > 0, `no kill of ${victim}`);
  });
});
