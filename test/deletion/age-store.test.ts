import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError, isHoldfastError } from '../../src/core/errors.js';
import { decodeManifest, isSegmentKey, manifestKey } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import {
  ageStore,
  type AgeingReport,
  type AgeingRun,
  type AgeingStep,
} from '../../src/deletion/age-store.js';
import { parseAgeingRule, ruleFor, type AgeingRule } from '../../src/deletion/ageing-rule.js';
import { storeHolds } from '../../src/deletion/hold-book.js';
import type { LegalHold } from '../../src/deletion/legal-hold.js';
import { sealedFolder, SECOND, START, uploadAll } from '../recordings/sealed-fixture.js';
import { MemoryStore } from '../support/memory-store.js';
import { TestClock } from '../support/test-clock.js';

const DAY = 86_400n * SECOND;
const { signal } = new AbortController();
const COLD = 's3://cold/fleet';

function rules(...texts: readonly string[]): readonly AgeingRule[] {
  return texts.map((text) => present(parseAgeingRule(text)));
}

describe('rules of ageing', () => {
  it('are read as they are written, and refused otherwise', () => {
    assert.deepEqual(parseAgeingRule(' move after=90d class=low,normal robot=r*,s to=s3://cold '), {
      ...{ text: 'move after=90d class=low,normal robot=r*,s to=s3://cold', action: 'move' },
      ...{ afterMs: 90 * 86_400_000, classes: ['low', 'normal'], robots: ['r*', 's'], to: 's3://cold' },
    });
    const wrong = [
      'delete',
      'delete after=0',
      'delete after=x',
      'move after=1d',
      'delete after=1d to=s3://cold',
    ];
    wrong.push(
      'delete after=1d class=urgent',
      'move after=1d to=/mnt',
      'forget after=1d',
      'delete after=1d after=2d',
    );
    for (const text of wrong) assert.equal(parseAgeingRule(text), undefined, text);
  });

  it('decide in order, by class, robot and age', () => {
    const [old, now] = [START, START + 40n * DAY];
    const given = rules('keep robot=r1', 'delete after=30d class=low', 'move after=35d to=s3://cold');
    const actionOf = (robot: string, priority: 'low' | 'normal', lastLogTime: bigint): string | undefined =>
      ruleFor({ robot, priority, lastLogTime }, given, now)?.action;
    assert.equal(actionOf('r1', 'low', old), 'keep');
    assert.equal(actionOf('r2', 'low', old), 'delete');
    assert.equal(actionOf('r2', 'normal', old), 'move');
    assert.equal(actionOf('r2', 'low', now - 29n * DAY), undefined);
    const ofVehicle = rules('keep robot=1ZZZ5A3T0RF000001', 'delete after=30d');
    const kept = (vin: string) =>
      ruleFor({ robot: 'r2', vin, priority: 'low', lastLogTime: old }, ofVehicle, now);
    assert.equal(kept('1ZZZ5A3T0RF000001')?.action, 'keep');
    assert.equal(kept('1ZZZ5A3T0RF000002')?.action, 'delete');
  });
});

describe('ageing of a store', () => {
  let root: string;
  let store: MemoryStore;
  let cold: MemoryStore;
  let clock: TestClock;
  let steps: AgeingStep[];

  before(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-age-'));
    await sealedFolder(join(root, 'data'), 3);
  });
  after(() => fs.rm(root, { recursive: true, force: true }));
  beforeEach(async () => {
    store = new MemoryStore({ uri: 'memory:hot' });
    cold = new MemoryStore({ uri: 'memory:cold' });
    store.content.id = '1'.repeat(32);
    await uploadAll(await sealedFolder(join(root, 'data'), 3), store);
    clock = new TestClock();
    clock.wall = START + 40n * DAY;
    steps = [];
  });

  function age(texts: readonly string[], more: Partial<AgeingRun> = {}): Promise<AgeingReport> {
    return ageStore({
      ...{ store, rules: rules(...texts), targets: new Map([[COLD, cold]]), isReal: true, by: 'ada@desk' },
      ...{
        limits: { segments: 1_000, bytes: 1e12 },
        clock,
        random: (count) => Buffer.alloc(count, 7),
        signal,
      },
      onStep: (step) => steps.push(step),
      ...more,
    });
  }

  const segmentsOf = ({ content }: MemoryStore): string[] =>
    [...content.objects.keys()].filter((key) => isSegmentKey(key)).sort();
  const manifestOf = ({ content }: MemoryStore, key: string): ReturnType<typeof decodeManifest> =>
    decodeManifest(present(content.objects.get(manifestKey(key))).toString(), key);
  const MOVE = [`move after=30d to=${COLD}`];

  it('changes nothing in a dry run', async () => {
    const before = [...store.content.objects];
    const report = await age(['delete after=30d robot=r1', ...MOVE], { isReal: false });
    assert.deepEqual([report.deleted, report.moved, report.kept, report.failed], [3, 3, 0, 0]);
    assert.deepEqual([...store.content.objects], before);
    assert.equal(cold.content.objects.size, 0);
    assert.equal(cold.content.id, undefined);
  });

  it('deletes what is old, with a tombstone', async () => {
    const all = segmentsOf(store);
    const report = await age(['delete after=30d robot=r1']);
    assert.equal(report.deleted, 3);
    assert.deepEqual(
      segmentsOf(store),
      all.filter((key) => key.startsWith('robot=r2/')),
    );
    const { deleted, evicted } = manifestOf(store, present(all[0]));
    assert.match(present(deleted).reason, /rule "delete after=30d robot=r1"/);
    assert.ok(evicted);
    assert.deepEqual(await age(['delete after=30d robot=r1']), { ...report, deleted: 0, bytes: 0 });
  });

  it('moves bytes and manifest, and leaves a tombstone that says where', async () => {
    const before = new Map(store.content.objects);
    const all = segmentsOf(store);
    assert.equal((await age(MOVE)).moved, 6);
    assert.deepEqual(segmentsOf(store), []);
    assert.deepEqual(segmentsOf(cold), all);
    for (const key of all) {
      for (const one of [key, manifestKey(key)])
        assert.deepEqual(cold.content.objects.get(one), before.get(one));
    }
    assert.match(present(manifestOf(store, present(all[0])).deleted).reason, /moved to memory:cold/);
  });

  it('leaves alone what a hold of either store keeps', async () => {
    const from = START + 20n * SECOND;
    const hold: LegalHold = {
      ...{
        format: 'holdfast-hold',
        version: 1,
        id: '00000000000000aa',
        robot: 'r1',
        reason: 'case',
        by: 'b',
        at: '1',
      },
      ...{ from: String(from), to: String(from + SECOND) },
    };
    cold.content.id = '2'.repeat(32);
    for (const place of [store, cold]) {
      await storeHolds(place, signal).write(hold);
      const report = await age(['delete after=30d robot=r1'], { isReal: false });
      assert.deepEqual([report.deleted, report.kept], [2, 1]);
      place.content.objects.delete(`_holdfast/holds/${hold.id}.json`);
    }
  });

  it('does at most what one run may, and continues', async () => {
    const limits = { segments: 2, bytes: 1e12 };
    const first = await age(MOVE, { limits });
    assert.deepEqual([first.moved, first.more], [2, true]);
    const second = await age(MOVE, { limits: { segments: 100, bytes: 1 } });
    assert.deepEqual([second.moved, second.more], [1, true]);
    const last = await age(MOVE);
    assert.deepEqual([last.moved, last.more], [3, false]);
  });

  it('does not replace another segment in the other store', async () => {
    const [key = ''] = segmentsOf(store);
    cold.content.objects.set(key, Buffer.from('another'));
    const report = await age(MOVE);
    assert.deepEqual([report.moved, report.failed], [5, 1]);
    assert.deepEqual(segmentsOf(store), [key]);
    assert.equal(present(cold.content.objects.get(key)).toString(), 'another');
  });

  it('refuses to move into the same store', async () => {
    cold.content.id = store.content.id;
    await assert.rejects(age(MOVE), (error) => isHoldfastError(error, 'STORE_COPIED'));
  });

  it('loses nothing and ends the same when it is interrupted before and after any call', async () => {
    const all = segmentsOf(store);
    const start = [...store.content.objects];
    await age(MOVE);
    const wanted = [store, cold].map(({ content }) =>
      [...content.objects].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    const readable = (key: string): boolean =>
      [store, cold].some((one) => {
        const has = one.content.objects.has(key) && one.content.objects.has(manifestKey(key));
        return has && manifestOf(one, key).evicted === undefined;
      });
    let interrupted = 0;
    for (let at = 0, isOver = false; !isOver; at++) {
      for (const phase of ['before', 'after'] as const) {
        for (const { content } of [store, cold]) content.objects.clear();
        for (const [key, data] of start) store.content.objects.set(key, data);
        cold.content.id = undefined;
        let calls = 0;
        const fault: MemoryStore['faults'] = (_, now) => {
          if (now === phase && calls++ === at) throw new HoldfastError('STORE_OFFLINE', 'cut');
        };
        [store.faults, cold.faults] = [fault, fault];
        const failed = await age(MOVE).then(
          () => false,
          () => true,
        );
        [store.faults, cold.faults] = [undefined, undefined];
        for (const key of all) assert.ok(readable(key), `${key} after call ${at} (${phase})`);
        await age(MOVE);
        assert.deepEqual(
          [store, cold].map(({ content }) => [...content.objects].sort(([a], [b]) => (a < b ? -1 : 1))),
          wanted,
          `call ${at} (${phase})`,
        );
        if (failed) interrupted++;
        isOver = !failed;
      }
    }
    assert.ok(interrupted > 50, String(interrupted));
  });
});
