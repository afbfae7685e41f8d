import assert from 'node:assert/strict';
import { runKillCampaign } from '../support/kill-campaign.js';

describe('kill -9', () => {
  for (const [where, how] of [
    ['', {}],
    [', with large payloads in place,', { inPlace: true }],
    [', with segments that are encrypted when they are sealed,', { inPlace: true, encrypted: true }],
    [', with a WAL that is encrypted,', { atRest: true }],
  ] as const) {
    it(`of recorder and sync at random moments${where} loses no acknowledged message and stores none twice`, async function () {
      this.timeout(180_000);
      const result = await runKillCampaign({ kills: 10, seed: 7, ...how });
      assert.deepEqual(result.missing, []);
      assert.deepEqual(result.duplicates, []);
      assert.deepEqual(result.altered, []);
      assert.ok(result.recorderKills > 0 && result.syncKills > 0);
      assert.ok(result.acknowledged > 0);
    });
  }

  const attacks = [
    ['stores that are swapped, copied and set back', 'folder', 3],
    ['an S3 store that lies and loses objects', 's3', 4],
  ] as const;
  for (const [what, attack, seed] of attacks) {
    it(`beside eviction, scrub and ${what} loses no acknowledged message`, async function () {
      this.timeout(600_000);
      // An attack kills both processes too: each of the six follows on a kill at a random moment.
      const result = await runKillCampaign({ kills: 6, killsPerAttack: 1, seed, attack });
      assert.deepEqual(result.missing.slice(0, 10), []);
      assert.ok(Object.keys(result.attacks).length > 3, JSON.stringify(result.attacks));
      assert.ok(result.acknowledged > 0);
      assert.ok(result.evicted > 0);
    });
  }
});
