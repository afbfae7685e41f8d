import assert from 'node:assert/strict';
import { runDeletionCampaign } from '../support/deletion-campaign.js';
import { runDeletionSyncCampaign } from '../support/deletion-sync-campaign.js';
import { runGroundCampaign } from '../support/ground-campaign.js';
import { runKillCampaign } from '../support/kill-campaign.js';
import { requirePostgres } from '../support/postgres.js';
import { runTransformCampaign } from '../support/transform-campaign.js';

/** Kills of one data folder and store; more of them with other seeds, so that neither grows without end. */
const KILLS_PER_FOLDER = 50;
/** Kills of one data folder whose segments are changed. */
const TRANSFORM_KILLS = 40;
/** Kills of one robot whose segments are changed, encrypted, sent and deleted. */
const DELETION_SYNC_KILLS = 25;
/** Kills of one ground: then every sample is compared. */
const GROUND_KILLS = 20;

describe('the long campaign against stores', () => {
  for (const [attack, what] of [
    ['folder', 'stores that are swapped, copied and set back'],
    ['s3', 'an S3 store that lies and loses objects'],
  ] as const) {
    it(`keeps every acknowledged message through 500 kills of recorder, sync, eviction and scrub beside ${what}`, async function () {
      this.timeout(240 * 60_000);
      const first = Number(process.env['HOLDFAST_SEED'] ?? 1);
      for (let part = 0; part < 500 / KILLS_PER_FOLDER; part++) {
        const result = await runKillCampaign({ kills: KILLS_PER_FOLDER, seed: first + part, attack });
        console.log(
          `      seed ${first + part}: ${JSON.stringify(result.attacks)}, ${result.evicted} segments evicted,`,
        );
        console.log(`      ${result.acknowledged} messages acknowledged, ${result.stored} found`);
        assert.deepEqual(result.missing.slice(0, 10), []);
        assert.ok(result.evicted > 0);
        assert.ok(result.acknowledged > 1_000);
      }
    });
  }
});

describe('the long kill campaign', () => {
  for (const [kills, how, where] of [
    [240, {}, ''],
    [200, { inPlace: true }, ', with large payloads in place'],
    [200, { inPlace: true, encrypted: true }, ', with segments that are encrypted when they are sealed'],
    [200, { atRest: true }, ', with a WAL that is encrypted'],
  ] as const) {
    it(`keeps every acknowledged message exactly once through ${kills} kill -9 of recorder and sync${where}`, async function () {
      this.timeout(60 * 60_000);
      const result = await runKillCampaign({
        kills,
        ...how,
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
  }
});

describe('the long campaign against sync that changes segments', () => {
  for (const encrypted of [false, true]) {
    const how = encrypted ? 'changed and encrypted' : 'changed';
    it(`keeps every message exactly once, ${how}, through 200 kill -9`, async function () {
      this.timeout(120 * 60_000);
      const first = Number(process.env['HOLDFAST_SEED'] ?? 1);
      for (let part = 0; part < 200 / TRANSFORM_KILLS; part++) {
        const options = { kills: TRANSFORM_KILLS, segments: 120, seed: first + part, encrypted };
        const result = await runTransformCampaign(options);
        const { missing, duplicates, altered, secrets, halves, segments, early } = result;
        console.log(`      seed ${first + part}: ${early} of ${segments} segments between kills`);
        assert.deepEqual([missing, duplicates, altered, secrets, halves], [[], [], [], [], []]);
      }
    });
  }
});

describe('the long campaign against deletion', () => {
  it('removes exactly what was asked for from folder, store and lake through 100 kill -9', async function () {
    this.timeout(120 * 60_000);
    const { interrupted, findings } = await runDeletionCampaign({
      kills: 100,
      seed: Number(process.env['HOLDFAST_SEED'] ?? 1),
      onKill: (done) => {
        if (done % 20 === 0) console.log(`      ${done} kills`);
      },
    });
    console.log(`      ${interrupted} kills while it deleted`);
    assert.deepEqual(findings.slice(0, 10), []);
    assert.ok(interrupted > 30);
  });
});

describe('the long campaign against deletion beside sync', () => {
  for (const store of ['folder', 's3'] as const) {
    it(`removes exactly what was asked for, of changed and encrypted segments in a store (${store}) too, through 100 kill -9`, async function () {
      this.timeout(120 * 60_000);
      const first = Number(process.env['HOLDFAST_SEED'] ?? 1);
      for (let part = 0; part < 100 / DELETION_SYNC_KILLS; part++) {
        const options = { kills: DELETION_SYNC_KILLS, seed: first + part, store };
        const { findings, ...counts } = await runDeletionSyncCampaign(options);
        console.log(`      seed ${first + part}: ${JSON.stringify(counts)}`);
        assert.deepEqual(findings.slice(0, 10), []);
        assert.ok(counts.syncKills >= 1 && counts.interrupted >= DELETION_SYNC_KILLS / 5);
      }
    });
  }
});

describe('the long campaign against a ground', () => {
  const kinds = [
    ['of robots, ground and database', {}],
    ['of robots, two processes of a ground, PostgreSQL and NATS', { isShared: true }],
  ] as const;
  for (const [what, more] of kinds) {
    it(`keeps every sample once and within its threshold through 120 kill -9 ${what}`, async function () {
      this.timeout(120 * 60_000);
      if ('isShared' in more) requirePostgres(this);
      const first = Number(process.env['HOLDFAST_SEED'] ?? 1);
      for (let part = 0; part < 120 / GROUND_KILLS; part++) {
        const options = { robots: 4, kills: GROUND_KILLS, seed: first + part, ...more };
        const { findings, kills, compared, segments, catalogued } = await runGroundCampaign(options);
        console.log(`      seed ${first + part}: ${JSON.stringify(kills)}, ${compared} values compared,`);
        console.log(`      ${catalogued} of ${segments} segments in the catalogue`);
        assert.deepEqual(findings.slice(0, 10), []);
        assert.ok(compared > 1_000);
      }
    });
  }
});
