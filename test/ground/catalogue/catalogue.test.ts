import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import {
  encodeManifest,
  manifestKey,
  type Manifest,
  type ManifestChannel,
} from '../../../src/core/manifest.js';
import { newSegmentId } from '../../../src/core/segment-id.js';
import { catalogueRoutes } from '../../../src/ground/catalogue/catalogue-routes.js';
import { Catalogue } from '../../../src/ground/catalogue/catalogue.js';
import { LocalRecordings, type ReportedRecording } from '../../../src/ground/catalogue/local-recordings.js';
import { present } from '../../../src/core/present.js';
import {
  recordingDetail,
  robotByVin,
  searchRecordings,
  type RecordingFilter,
} from '../../../src/ground/catalogue/search-recordings.js';
import type { MarkedEvent } from '../../../src/core/marked-event.js';
import { FleetTable } from '../../../src/ground/fleet-table.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import { MemoryStore } from '../../support/memory-store.js';
import { SimulatedClock } from '../../support/simulated-clock.js';
import { onEveryPostgres } from '../database/database-world.js';

const S = 1_000_000_000n;
const VIN = '1ZZZ5A3T0RF000001';
const START = 1_700_000_000n * S;

interface Made {
  readonly robot?: string;
  readonly topics?: Readonly<Record<string, string>>;
  readonly changes?: Partial<Manifest>;
}

/** The nth recording: one minute from minute n on. */
function manifestOf(
  n: number,
  { robot = 'r1', topics = { '/a': 'pkg/msg/A' }, changes = {} }: Made,
): Manifest {
  const id = newSegmentId(n + 1, randomBytes);
  const [first, last] = [
    String(START + BigInt(60 * n) * S + 1n),
    String(START + BigInt(60 * n + 59) * S + 1n),
  ];
  const channels = Object.entries(topics).map(([topic, type]): ManifestChannel => ({
    ...{ topic, type, encoding: 'cdr', schemaEncoding: 'ros2msg', latched: false },
    ...{ count: 591, bytes: 5_910, carried: 0, firstLogTime: first, lastLogTime: last },
  }));
  return {
    ...{ format: 'holdfast-manifest', version: 1, segment: { id, number: n + 1 }, robot },
    file: {
      name: `${id}.${robot}.mcap`,
      bytes: 1_000 * (n + 1),
      sha256: 'a'.repeat(64),
      crc32: 1,
      compression: 'zstd',
    },
    key: `robot=${robot}/date=2023-11-14/hour=22/${id}.mcap`,
    ...{ messages: 591, payloadBytes: 5_910, firstLogTime: first, lastLogTime: last, channels, gaps: [] },
    identity: { dataFolderId: '', machineId: 'm', bootId: '', sessionId: 's', hostname: 'h' },
    ...{ clockSteps: [], uncleanEnd: false, sealedAt: last },
    software: { name: 'holdfast', version: '9.9.9', node: 'v20' },
    ...changes,
  };
}

const change = { isFirst: false, isComplete: false };
const reported = (one: Manifest, state: string): ReportedRecording => ({
  ...{ segment: `${one.segment.id}.r1`, state, bytes: one.file.bytes, messages: one.messages, gaps: 2 },
  ...{ firstLogTime: present(one.firstLogTime), lastLogTime: present(one.lastLogTime) },
});

const CAR = '1ZZZ5A3T0RF000002';

onEveryPostgres('The catalogue', (server) => {
  let database: Database;
  let store: MemoryStore;
  let catalogue: Catalogue;

  beforeEach(async () => {
    database = await server().connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    store = new MemoryStore({ uri: 'memory:one' });
    catalogue = new Catalogue(database, [store], { clock: systemClock, logger: silentLogger });
  });
  afterEach(async () => {
    await catalogue[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  function put(n: number, made: Made = {}, hasObject = true): Manifest {
    const manifest = manifestOf(n, made);
    store.content.objects.set(manifestKey(manifest.key), Buffer.from(encodeManifest(manifest)));
    if (hasObject) store.content.objects.set(manifest.key, Buffer.alloc(manifest.file.bytes));
    return manifest;
  }
  async function find(filter: RecordingFilter): Promise<number[]> {
    const { recordings } = await searchRecordings(database, filter, { limit: 300 });
    return recordings.map(({ bytes }) => bytes / 1_000 - 1).sort((a, b) => a - b);
  }
  const event = (label: string): Partial<Manifest> => ({
    events: [{ id: 'e'.repeat(32), label, at: String(START), from: String(START), to: String(START + S) }],
  });

  it('knows the robots of a VIN and the VIN of a robot from manifests alone, also when it was rebuilt', async () => {
    put(0, { robot: 'r1', changes: { vin: CAR } });
    put(1, { robot: 'r2', changes: { vin: CAR } });
    put(2, { robot: 'r2', changes: { vin: VIN } });
    put(3, { robot: 'r2' });
    for (const make of [() => catalogue.refresh(), () => catalogue.rebuild()]) {
      await make();
      const found = async (robot: string): Promise<string[]> => {
        const { recordings } = await searchRecordings(database, { robot }, { limit: 10 });
        return recordings.map((one) => `${one.robot} ${one.vin}`.trim()).sort();
      };
      // r2 went from the one vehicle into the other, and one of its recordings does not say in which it was made: it
      // may be of the other.
      assert.deepEqual(await found(CAR), [`r1 ${CAR}`, `r2 ${CAR}`].sort());
      // Of either, the pattern has the VIN.
      assert.deepEqual(
        await found(`${CAR.slice(0, -1)}*`),
        [`r1 ${CAR}`, 'r2', `r2 ${VIN}`, `r2 ${CAR}`].sort(),
      );
      assert.deepEqual(await found('r2'), ['r2', `r2 ${VIN}`, `r2 ${CAR}`].sort());
      assert.deepEqual([await robotByVin(database, CAR), await robotByVin(database, '')], ['r2', undefined]);
      const [named] = await database.query<{ robots: string[] }>('SELECT robots_named($1) AS robots', [CAR]);
      assert.deepEqual([...present(named).robots].sort(), [CAR, 'r1', 'r2']);
    }
  });

  it('finds recordings by robot, time, topic, type, event, tag, gap, size and state', async () => {
    put(0, { robot: 'r2', topics: { '/b': 'pkg/msg/B', '/a': 'pkg/msg/A' } });
    put(1, { changes: { tags: { mission: 'm_3', site: 'north' } } });
    put(2, { changes: { ...event('hard stop 50%'), tags: { mission: 'mx3' } } });
    const gap = { id: 'g', reason: 'disk_full', robot: 'r1', topic: '/a', count: 7, detail: '' } as const;
    put(3, { changes: { gaps: [gap] } });
    put(4, { changes: { evicted: { at: String(START), reason: 'quota' } } }, false);
    put(5, {}, false);
    const known = {
      version: '',
      heardAtNs: START,
      status: null,
      alerts: [],
      position: null,
      ...{ reportedAtNs: null, clockBehindS: null },
    };
    await new FleetTable(database).save([{ ...known, robot: 'r2', vin: VIN }]);
    await catalogue.refresh();
    const at = (n: number): bigint => START + BigInt(60 * n) * S;
    const cases: readonly [RecordingFilter, readonly number[]][] = [
      [{}, [0, 1, 2, 3, 4, 5]],
      [{ robot: 'r2' }, [0]],
      [{ robot: 'r*' }, [0, 1, 2, 3, 4, 5]],
      [{ robot: VIN }, [0]],
      [{ robot: `${VIN.slice(0, 8)}*` }, [0]],
      [{ robot: '' }, []],
      [{ from: at(1), to: at(2) - S }, [1]],
      [{ from: at(2) + 1n, to: at(3) + 1n }, [2, 3]],
      [{ topic: '/b' }, [0]],
      [{ topic: '/*', type: 'pkg/msg/A', robot: 'r2' }, [0]],
      [{ topic: '/nothing' }, []],
      [{ event: '*50%' }, [2]],
      [{ tags: { mission: 'm_3' } }, [1]],
      [{ tags: { mission: 'm_*', site: 'north' } }, [1]],
      [{ tags: { mission: 'm*3' } }, [1, 2]],
      [{ gap: '*' }, [3]],
      [{ gap: 'disk_full' }, [3]],
      [{ gap: 'paused' }, []],
      [{ minBytes: 2_000, maxBytes: 3_000 }, [1, 2]],
      [{ state: 'evicted' }, [4]],
      [{ state: 'missing' }, [5]],
    ];
    for (const [filter, found] of cases)
      assert.deepEqual(
        await find(filter),
        found,
        JSON.stringify(filter, (_, v: unknown) => (typeof v === 'bigint' ? String(v) : v)),
      );
  });

  it('shows everything of a recording, with exact times and rates', async () => {
    const manifest = put(0, { changes: { ...event('x'), tags: { site: 'north' } } });
    await catalogue.refresh();
    const { recordings } = await searchRecordings(database, {}, { limit: 1 });
    const detail = await recordingDetail(database, recordings[0]?.recording ?? 0);
    assert.deepEqual(
      [detail?.firstLogTime, detail?.lastLogTime, detail?.software, detail?.tags, detail?.store],
      [manifest.firstLogTime, manifest.lastLogTime, 'holdfast 9.9.9', { site: 'north' }, 'memory:one'],
    );
    assert.deepEqual(
      detail?.channels.map(({ topic, messages, rateHz }) => [topic, messages, rateHz]),
      [['/a', 591, 10]],
    );
    assert.deepEqual(
      detail.events.map(({ label }) => label),
      ['x'],
    );
    assert.equal(await recordingDetail(database, 999_999), undefined);
  });

  it('reads only what has changed, forgets what is gone, and comes to the same when it is rebuilt', async () => {
    const kept = put(0);
    const gone = put(1);
    assert.deepEqual(
      (await catalogue.refresh()).map(({ written, removed }) => [written, removed]),
      [[2, 0]],
    );
    store.content.objects.delete(gone.key);
    store.content.objects.delete(manifestKey(gone.key));
    const later = put(2);
    assert.deepEqual(
      (await catalogue.refresh()).map(({ written, removed }) => [written, removed]),
      [[1, 1]],
    );
    assert.deepEqual(await find({}), [0, 2]);
    assert.deepEqual(
      (await catalogue.refresh()).map(({ written, removed }) => [written, removed]),
      [[0, 0]],
    );
    store.content.objects.delete(later.key);
    await catalogue.refresh();
    assert.deepEqual(await find({ state: 'missing' }), [2]);
    store.content.objects.set(later.key, Buffer.alloc(3_000));
    await catalogue.rebuild();
    assert.deepEqual(
      [await find({}), await find({ state: 'stored' })],
      [
        [0, 2],
        [0, 2],
      ],
    );
    assert.ok(kept.key.length > 0);
  });

  it('learns of a recording by a hint, and leaves out a manifest that is damaged', async () => {
    await catalogue.refresh();
    const { key } = put(0);
    catalogue.hint(key);
    await eventually(async () => (await find({})).length === 1, 'the hint helped');
    store.content.objects.set('robot=r1/date=2023-11-14/hour=22/x.json', Buffer.from('{}'));
    const [listing] = await catalogue.refresh();
    assert.deepEqual([listing?.problems, (await find({})).length], [1, 1]);
    assert.match((await catalogue.stores())[0]?.problem ?? '', /x\.json/);
  });

  for (const [what, before, after] of [
    ['a shorter', 'a long name', 'b'],
    ['a longer', 'a', 'x'.repeat(500)],
  ] as const) {
    it(`reads a manifest again that ${what} one replaces during the listing, and the rest of the store`, async () => {
      const replaced = put(0, { changes: { tags: { site: before } } });
      put(1);
      const key = manifestKey(replaced.key);
      store.faults = ({ method, key: of }, phase) => {
        if (method !== 'read' || of !== key || phase !== 'before') return;
        const now = encodeManifest({ ...replaced, tags: { site: after } });
        store.content.objects.set(key, Buffer.from(now));
      };
      const [listing] = await catalogue.refresh();
      assert.deepEqual([listing?.error, listing?.problem], [undefined, undefined]);
      assert.deepEqual([await find({ tags: { site: after } }), await find({})], [[0], [0, 1]]);
    });
  }

  it('lists the others if a store refuses one manifest', async () => {
    const refused = manifestKey(put(0).key);
    put(1);
    store.faults = ({ method, key }) => {
      if (method === 'read' && key === refused) throw new HoldfastError('STORE_ACCESS_DENIED', 'not for you');
    };
    const [listing] = await catalogue.refresh();
    assert.deepEqual([listing?.error, listing?.problems, await find({})], [undefined, 1, [1]]);
  });

  it('looks again soon for what was uploaded while the store was out of reach', async () => {
    const clock = new SimulatedClock();
    await using patient = new Catalogue(database, [store], { clock, logger: silentLogger });
    const [first, second] = [put(0), put(1)];
    let isDown = true;
    store.faults = ({ method }) => {
      if (isDown && method === 'head') throw new HoldfastError('STORE_OFFLINE', 'out of reach');
    };
    patient.hint(first.key);
    patient.hint(second.key);
    await eventually(() => clock.pending === 1 && store.calls.length === 2, 'two looks');
    await clock.advance(5_000);
    await eventually(() => clock.pending === 1 && store.calls.length === 3, 'a third look, in vain');
    isDown = false;
    await clock.advance(5_000);
    await eventually(async () => (await find({})).length === 2, 'both recordings');
    assert.equal(clock.pending, 0);
  });

  it('lists a store again soon after it could not be listed', async () => {
    const clock = new SimulatedClock();
    await using patient = new Catalogue(database, [store], { clock, logger: silentLogger });
    put(0);
    let isDown = true;
    store.faults = ({ method }) => {
      if (isDown && method === 'read') throw new HoldfastError('STORE_OFFLINE', 'out of reach');
    };
    patient.start();
    await eventually(() => clock.pending === 1, 'the first listing');
    isDown = false;
    await clock.advance(5_000);
    await eventually(async () => (await find({})).length === 1, 'the recording');
  });

  it('pages through all recordings once each, also those without a time', async () => {
    for (let n = 0; n < 5; n++) put(n);
    const { firstLogTime: _first, lastLogTime: _last, ...empty } = manifestOf(5, {});
    store.content.objects.set(manifestKey(empty.key), Buffer.from(encodeManifest(empty)));
    await catalogue.refresh();
    const seen: number[] = [];
    let after: string | undefined;
    do {
      const page = await searchRecordings(
        database,
        {},
        { limit: 2, ...(after === undefined ? {} : { after }) },
      );
      seen.push(...page.recordings.map(({ bytes }) => bytes / 1_000 - 1));
      after = page.next;
    } while (after !== undefined);
    assert.deepEqual(seen, [4, 3, 2, 1, 0, 5]);
  });

  it('tells PostgreSQL at once how common each channel of many new recordings is', async () => {
    for (let n = 0; n < 1_000; n++) put(n, { topics: { '/every': 'pkg/msg/A' } });
    await catalogue.refresh();
    const rows = await database.query<{ common: string }>(
      `SELECT most_common_elems::text AS common FROM pg_stats WHERE tablename = 'recordings' AND attname = 'channels'`,
    );
    const channels = await database.query<{ common: string }>(
      'SELECT ARRAY[channel]::text AS common FROM catalogue_channels',
    );
    assert.deepEqual(rows, channels);
  });

  it('takes hostile texts of manifests and of queries as texts', async () => {
    const evil = `x'; DROP TABLE recordings; -- \0 \u{1F600}`;
    put(0, { topics: { [evil]: evil }, changes: { tags: { a: evil } } });
    await catalogue.refresh();
    assert.deepEqual(await find({ topic: evil.replace('\0', '\uFFFD') }), [0]);
    for (const filter of [{ robot: evil.replace('\0', '') }, { event: "%' OR 1=1 --" }, { gap: '_' }]) {
      assert.deepEqual(await find(filter), []);
    }
    const route = catalogueRoutes(catalogue).find(({ path }) => path === '/api/recordings');
    const ask = async (query: Record<string, unknown>): Promise<unknown> =>
      await route?.handle({
        query: { limit: 10, ...query },
        body: {},
        params: {},
        who: { name: '', role: 'viewer' },
        address: '',
      });
    await assert.rejects(ask({ from: 'noon' }), /from is "noon", allowed/);
    await assert.rejects(ask({ tag: 'A b' }), /tag is "A b", allowed/);
    const { recordings } = (await ask({ after: 'nonsense' })) as { recordings: unknown[] };
    assert.equal(recordings.length, 1);
  });

  it('forgets what lay on a robot only, if a complete report no longer has it, or a store has it', async () => {
    const all = Array.from({ length: 203 }, (_, n) => manifestOf(n, {}));
    const listed = (from: number, to: number): ReportedRecording[] =>
      all.slice(from, to).map((one) => reported(one, 'sealed'));
    const errors: unknown[] = [];
    const complete = { isFirst: true, isComplete: true };
    const local = new LocalRecordings(database, (error) => errors.push(error));
    const numbers = async (): Promise<number[]> => {
      // Reports are taken in their order.
      await local[Symbol.asyncDispose]();
      return find({ state: 'local' });
    };
    local.note('r1', listed(0, 2), change);
    local.note('r1', listed(2, 4), complete);
    local.note('r2', [], complete);
    assert.deepEqual(await numbers(), [2, 3]);
    // The first report after a start: the robot has not looked yet.
    local.note('r1', [], complete);
    assert.deepEqual(await numbers(), [2, 3]);
    // As many as a report may have: there may be older ones.
    local.note('r1', listed(0, 3), change);
    local.note('r1', [...listed(2, 3), ...listed(4, 203)], complete);
    assert.deepEqual((await numbers()).slice(0, 4), [0, 1, 2, 4]);
    store.content.objects.set(present(all[1]).key, Buffer.alloc(2_000));
    store.content.objects.set(manifestKey(present(all[1]).key), Buffer.from(encodeManifest(present(all[1]))));
    await catalogue.refresh();
    assert.deepEqual((await find({ state: 'local' })).slice(0, 3), [0, 2, 4]);
    assert.deepEqual(await find({ state: 'stored' }), [1]);
    assert.deepEqual(errors, []);
  });

  it('finds what is on a robot only by the events that the robot reports, marked before or after', async () => {
    const errors: unknown[] = [];
    const [one, two, other] = [manifestOf(0, {}), manifestOf(1, {}), manifestOf(1, { robot: 'r2' })];
    const mark = (id: string, label: string, n: number): MarkedEvent => {
      const at = START + BigInt(60 * n) * S;
      return { id, label, at: String(at), from: String(at), to: String(at + S) };
    };
    const local = new LocalRecordings(database, (error) => errors.push(error));
    local.note('r1', [reported(one, 'sealed')], { ...change, events: [mark('e1', 'stop', 0)] });
    local.note('r1', [], { ...change, events: [mark('e2', 'later', 1), mark('e1', 'stop', 0)] });
    local.note('r2', [reported(other, 'sealed')], change);
    local.note('r1', [reported(two, 'sealed')], change);
    await local[Symbol.asyncDispose]();
    assert.deepEqual(errors, []);
    assert.deepEqual(await find({ event: 'stop' }), [0]);
    assert.deepEqual(await find({ event: 'later' }), [1]);
    assert.deepEqual(await find({ event: '*' }), [0, 1]);
  });

  it('finds what is on a robot only by topic, type and tag, also when the catalogue is rebuilt', async () => {
    const errors: unknown[] = [];
    const local = new LocalRecordings(database, (error) => errors.push(error));
    const holds = {
      topics: [{ topic: '/lidar', type: 'pkg/msg/Points', encoding: 'cdr' }],
      tags: { mission: 'm7' },
    };
    const [one, two] = [reported(manifestOf(0, {}), 'sealed'), reported(manifestOf(1, {}), 'sealed')];
    put(2, { topics: { '/gone': 'pkg/msg/A' } });
    await catalogue.refresh();
    // A robot says it later than the segment, and may report the segment again without it.
    local.note('r1', [one, two], change);
    local.note('r1', [{ ...one, holds }], change);
    local.note('r1', [{ ...one, bytes: one.bytes + 1 }], change);
    await local[Symbol.asyncDispose]();
    const whole = async (filter: RecordingFilter): Promise<number[]> => (await find(filter)).map(Math.floor);
    for (const again of [false, true]) {
      if (again) await catalogue.rebuild();
      assert.deepEqual(await whole({ topic: '/lidar' }), [0]);
      assert.deepEqual(await whole({ type: 'pkg/msg/Points', tags: { mission: 'm*' } }), [0]);
      assert.deepEqual(await find({ tags: { mission: 'm7' }, state: 'stored' }), []);
      assert.deepEqual(await find({ topic: '/gone' }), [2]);
    }
    const { recordings } = await searchRecordings(database, { topic: '/lidar' }, { limit: 2 });
    const detail = present(await recordingDetail(database, present(recordings[0]).recording));
    assert.deepEqual(detail.channels, [{ ...holds.topics[0], messages: null, bytes: null, rateHz: null }]);
    assert.deepEqual(errors, []);
  });

  it('has what lies on a robot only, until the robot reports that it is uploaded', async () => {
    const [first, second] = [manifestOf(1, {}), manifestOf(2, {})];
    const errors: unknown[] = [];
    const local = new LocalRecordings(database, (error) => errors.push(error));
    local.note('r1', [reported(first, 'sealed'), reported(second, 'sealed')], change);
    local.note('r1', [reported(second, 'evicted')], change);
    await local[Symbol.asyncDispose]();
    const search = async (filter: RecordingFilter): Promise<string[]> =>
      (await searchRecordings(database, filter, { limit: 10 })).recordings.map(
        ({ state, key, firstLogTime }) => `${state} ${key} ${firstLogTime ?? ''}`,
      );
    const expected = [`local ${first.key} ${present(first.firstLogTime)}`];
    assert.deepEqual(await search({ robot: 'r1', state: 'local' }), expected);
    await catalogue.rebuild();
    assert.deepEqual(await search({ from: START }), expected, 'only the robot can tell it again');
    assert.deepEqual(
      (await catalogue.stores()).map(({ uri }) => uri),
      ['memory:one'],
    );
    // Another process of the ground, which has noted nothing yet.
    const later = new LocalRecordings(database, (error) => errors.push(error));
    later.note('r1', [reported(first, 'uploaded')], change);
    await later[Symbol.asyncDispose]();
    assert.deepEqual(await search({}), []);
    assert.deepEqual(errors, []);
  });
});
