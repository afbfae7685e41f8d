import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { compactLake } from '../../../src/jobs/lake/compact-lake.js';
import { TopicsDeriver } from '../../../src/jobs/lake/topics-deriver.js';
import { HoldfastError } from '../../../src/core/errors.js';
import { decodeLakeSegment, lakeSegmentKey } from '../../../src/core/lake-manifest.js';
import { decodeManifest, manifestKey } from '../../../src/core/manifest.js';
import { openMcap } from '../../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../../src/core/mcap/readable.js';
import type { Store } from '../../../src/core/store.js';
import { openStore } from '../../../src/stores/open-store.js';
import { drainGroup, evictsAsVerified, openGroup, sinkOf } from '../../sync/group-world.js';
import { DyingProcess, noLock } from '../../sync/crash-disk.js';
import { arrowTable } from '../../support/arrow.js';
import { evictAll, presentOf } from '../../sync/last-copy-world.js';
import { realClock, SyncWorld } from '../../sync/sync-world.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { MemoryStore, MemoryStoreContent } from '../../support/memory-store.js';
import { storePorts } from '../../support/store-ports.js';
import {
  digestsOf,
  EIGHT,
  event,
  filesBelow,
  HOUR,
  lakeSink,
  NATS,
  sealLake,
  sharedPool,
} from './lake-world.js';
import { eventually } from '../../../src/testing/waiting.js';
import { firstOf } from '../../support/first-of.js';

describe('the continuous lake', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  let folder: string;
  let store: Store;

  beforeEach(async () => {
    world = await SyncWorld.create();
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-lake-'));
    store = await openStore(`dir:${folder}`, {}, storePorts);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
    await fs.rm(folder, { recursive: true, force: true });
  });

  it('measures how long its files take, and counts what cannot be made', async () => {
    await sealLake(world, [event(0)]);
    const sink = lakeSink(store);
    const deriver = present(sink.spec.deriver);
    let refusals = 1;
    const once: typeof deriver = Object.assign(Object.create(deriver) as typeof deriver, {
      markerKey: deriver.markerKey.bind(deriver),
      judge: deriver.judge.bind(deriver),
      tombstone: deriver.tombstone.bind(deriver),
      derive: (...args: Parameters<(typeof deriver)['derive']>) => {
        if (refusals-- > 0) return Promise.reject(new HoldfastError('DISK_FULL', 'the test says full'));
        return deriver.derive(...args);
      },
    });
    const group = await openGroup(world, [{ ...sink, spec: { ...sink.spec, deriver: once } }]);
    try {
      await group.drain(AbortSignal.timeout(20_000));
      const { writes } = group.status();
      assert.deepEqual([writes?.failures, writes?.durations.count], [1, 1]);
      assert.ok(present(writes).durations.sumMs > 0);
    } finally {
      await group.close();
    }
  });

  it('writes events by their own simulation and hour, and topics as the exporter does', async () => {
    const late = event(2, { timestampNs: EIGHT + HOUR, simulationId: 'sim/b' });
    const sealed = await sealLake(
      world,
      [event(0), event(1), late],
      [
        { logTime: EIGHT, text: 'carried', carried: true },
        { logTime: EIGHT + 1n, text: 'one' },
        { logTime: EIGHT + HOUR, text: 'two' },
      ],
    );
    const sink = lakeSink(store);
    await drainGroup(world, [sink]);
    const { name } = sealed;
    assert.deepEqual(await filesBelow(folder, '.parquet'), [
      `logs/sim%2Fb/2026-11-28/09/${name}.parquet`,
      `logs/sim-a/2026-11-28/08/${name}.parquet`,
      `robot=r1/topic=%2Fr1%2Ftext/date=2026-11-28/hour=08/${name}.parquet`,
      `robot=r1/topic=%2Fr1%2Ftext/date=2026-11-28/hour=09/${name}.parquet`,
    ]);
    for (const path of await filesBelow(folder, '.parquet')) {
      assert.ok(arrowTable(await fs.readFile(join(folder, path))).numRows > 0, path);
    }
    const connection = await duckdb();
    const rows = await rowsOf(
      connection,
      `SELECT timestamp_ns, event_type_key, worker_id, simulation_id, payload_format_hint,
              decode(event_payload) AS payload, stream, stream_created, stream_sequence, robot
       FROM read_parquet('${folder}/logs/**/*.parquet', hive_partitioning=false) ORDER BY timestamp_ns`,
    );
    assert.deepEqual(
      rows.map((row) => [row['timestamp_ns'], row['simulation_id'], row['payload'], row['stream_sequence']]),
      [
        [EIGHT, 'sim-a', '{"n":0}', 1n],
        [EIGHT + 1_000_000n, 'sim-a', '{"n":1}', 2n],
        [EIGHT + HOUR, 'sim/b', '{"n":2}', 3n],
      ],
    );
    assert.equal(rows[0]!['stream'], NATS.nats_stream);
    assert.equal(rows[0]!['stream_created'], NATS.nats_stream_created);
    const texts = await rowsOf(
      connection,
      `SELECT data, hour FROM read_parquet('${folder}/robot=*/**/*.parquet', hive_partitioning=true) ORDER BY log_time`,
    );
    assert.deepEqual(
      texts.map(({ data }) => data),
      ['one', 'two'],
    );
    const marker = lakeSegmentKey(sink.spec.form, sealed.manifest.key);
    const text = await fs.readFile(join(folder, marker), 'utf8');
    const { rows: count, files } = decodeLakeSegment(text, marker);
    assert.equal(count, 5);
    assert.equal(files.length, 4);
    assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it('gives the same bytes for the same segment, on every machine and in every order', async () => {
    for (let part = 0; part < 3; part++) {
      const events = Array.from({ length: 500 }, (_, index) => event(1000 * part + index, {}));
      await sealLake(world, events, [{ logTime: EIGHT, text: `part ${part}` }]);
    }
    await drainGroup(world, [lakeSink(store)], { options: { order: 'newest-first' } });
    const first = await digestsOf(folder);
    const markers = await filesBelow(join(folder, '_holdfast'), '.json');
    const texts = await Promise.all(
      markers.map((name) => fs.readFile(join(folder, '_holdfast', name), 'utf8')),
    );
    const other = await fs.mkdtemp(join(tmpdir(), 'holdfast-lake-'));
    try {
      await using second = await openStore(`dir:${other}`, {}, storePorts);
      await drainGroup(world, [lakeSink(second)]);
      assert.deepEqual(await digestsOf(other), first);
      const again = await Promise.all(
        markers.map((name) => fs.readFile(join(other, '_holdfast', name), 'utf8')),
      );
      assert.deepEqual(again, texts);
    } finally {
      await fs.rm(other, { recursive: true });
    }
  });

  it('keeps what cannot be decoded, and files for names of any kind, in bounded number', async () => {
    const names = ['', '..', '.hidden', '../../escape', 'x'.repeat(500), 'new\nline', 'ü', '{segment}'];
    const strange = names.map((simulationId, index) => event(index, { simulationId }));
    const times = [-1n, 0n, 2n ** 63n - 1n, -(2n ** 63n)].map((timestampNs, index) =>
      event(20 + index, { timestampNs }),
    );
    const broken = event(40, { bytes: Buffer.from([0x0a, 0x05, 1]) });
    const many = Array.from({ length: 1200 }, (_, index) =>
      event(100 + index, { simulationId: `many-${index}` }),
    );
    const { name, manifest } = await sealLake(world, [...strange, ...times, broken, ...many]);
    const deriver = present(lakeSink(store).spec.deriver);
    const path = join(world.folder.sealed, `${name}.mcap`);
    const made = await deriver.derive(path, manifest, folder, AbortSignal.timeout(60_000));
    const files = await filesBelow(folder, '.parquet');
    assert.equal(made.files.length, files.length, 'nothing lies elsewhere');
    assert.ok(files.length <= 1025, `${files.length} files`);
    assert.ok(files.length > 1000);
    const connection = await duckdb();
    const [row] = await rowsOf(
      connection,
      `SELECT count(*) AS n, count(DISTINCT simulation_id) AS names, count(payload) AS raw
       FROM read_parquet('${folder}/logs/**/*.parquet', hive_partitioning=false, union_by_name=true)`,
    );
    assert.deepEqual(row, {
      n: BigInt(strange.length + times.length + 1 + many.length),
      names: 1208n + 1n,
      raw: 1n,
    });
  });

  it('does not write existing files again when its progress is lost', async () => {
    await sealLake(world, [event(0)]);
    const content = new MemoryStoreContent();
    await drainGroup(world, [lakeSink(new MemoryStore({ content }))]);
    const before = content.receivedBytes;
    await fs.rm(world.folder.receipts, { recursive: true });
    await fs.rm(world.folder.sync, { recursive: true });
    const again = new MemoryStore({ content });
    await drainGroup(world, [lakeSink(again)]);
    assert.equal(content.receivedBytes, before);
    assert.equal(again.calls.filter(({ method }) => method === 'put').length, 0);
  });

  it('makes missing table files again, in spite of the marker, before a segment may be evicted', async () => {
    const sealed = await sealLake(world, [event(0)]);
    const content = new MemoryStoreContent();
    const sink = lakeSink(new MemoryStore({ content }));
    await drainGroup(world, [sink]);
    const before = new Map(content.objects);
    for (const key of before.keys()) if (key.endsWith('.parquet')) content.objects.delete(key);
    assert.ok(content.objects.size > 0, 'the marker is left');
    await fs.rm(world.folder.sync, { recursive: true });
    await drainGroup(world, [sink]);
    assert.deepEqual([...content.objects.keys()].sort(), [...before.keys()].sort());
    assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it('evicts no segment because of a marker whose files are missing', async () => {
    const sealed = await sealLake(world, [event(0)]);
    const content = new MemoryStoreContent();
    const store = new MemoryStore({ content });
    await drainGroup(world, [lakeSink(store)]);
    const key = present([...content.objects.keys()].find((one) => one.endsWith('.parquet')));
    content.objects.delete(key);
    const gone = await evictAll(world, { store, sink: lakeSink(store).spec });
    for (const one of gone) assert.ok(content.objects.has(key), `${one.name} went without its table`);
    assert.ok(gone.includes(sealed) || (await presentOf(world)).includes(sealed));
  });

  it('is asked for by the scrub after its segment was evicted: a lost table or marker is an alarm', async () => {
    for (let at = 0; at < 3; at++) await sealLake(world, [event(at)]);
    const content = new MemoryStoreContent();
    const store = new MemoryStore({ content });
    const sink = lakeSink(store).spec;
    await drainGroup(world, [{ spec: sink, store }]);
    assert.equal((await evictAll(world, { store, sink })).length, 3);
    const table = present([...content.objects.keys()].find((one) => one.endsWith('.parquet')));
    content.objects.delete(table);
    const [, , last] = firstOf(3, world.sealed);
    content.objects.delete(lakeSegmentKey(sink.form, last.manifest.key));
    await using engine = await world.open(store, { sink, options: { scrubPerHour: 3_600_000 } });
    const end = new AbortController();
    const run = engine.run(end.signal);
    const deadline = realClock.now() + 20_000_000_000n;
    while (engine.status().segments.lost !== 2 && realClock.now() < deadline) await realClock.sleep(5);
    end.abort();
    await run;
    const { alarms, segments } = engine.status();
    assert.equal(segments.lost, 2);
    for (const { message } of alarms) assert.match(message, /no copy of it is known/);
  });

  it('counts a merged file as the files that it was merged from', async () => {
    for (let at = 0; at < 3; at++) await sealLake(world, [event(at)]);
    const content = new MemoryStoreContent();
    const store = new MemoryStore({ content });
    const sink = lakeSink(store);
    await drainGroup(world, [sink]);
    const { made } = await compactLake(
      sink.spec.form,
      { smallBytes: 1e9, targetBytes: 1e9, keepMs: 0 },
      {
        store,
        fs,
        clock: realClock,
        random: randomBytes,
        signal: AbortSignal.timeout(20_000),
        onProblem: () => assert.fail('a problem'),
      },
    );
    assert.ok(made > 0);
    const puts = store.calls.length;
    assert.equal((await evictAll(world, { store, sink: sink.spec })).length, 3);
    const since = store.calls.slice(puts).filter(({ method }) => method === 'put');
    assert.deepEqual(since, [], 'nothing is made again');
  });

  it('writes a tombstone into the lake for an evicted segment, but not if the segment is there', async () => {
    const [early, gone] = [await sealLake(world, [event(0)]), await sealLake(world, [event(1)])];
    const sink = lakeSink(store);
    await world.evict(gone);
    await drainGroup(world, [sink]);
    await world.evict(early);
    await drainGroup(world, [sink]);
    const evicted = await Promise.all(
      [early, gone].map(async ({ manifest }) => {
        const key = lakeSegmentKey(sink.spec.form, manifest.key);
        return decodeLakeSegment(await fs.readFile(join(folder, key), 'utf8'), key).evicted?.reason;
      }),
    );
    assert.deepEqual(evicted, [undefined, 'quota']);
  });

  it('keeps a segment until the lake has it too, and continues MCAP while the lake refuses', async () => {
    const sealed = await sealLake(world, [event(0)]);
    const lake = new MemoryStore({
      uri: 'memory:lake',
      faults: ({ method }, phase) => {
        if (phase === 'before' && method === 'put') throw new HoldfastError('STORE_ACCESS_DENIED', 'no');
      },
    });
    await using group = await openGroup(world, [sinkOf(store), lakeSink(lake)]);
    const end = new AbortController();
    const run = group.run(end.signal);
    await eventually(() => group.status().sinks?.[0]?.segments.verified === 1);
    assert.equal(await evictsAsVerified(world, sealed), false);
    lake.faults = undefined;
    group.syncNow();
    await eventually(() => group.status().segments.verified === 1);
    end.abort();
    await run;
    assert.equal(await evictsAsVerified(world, sealed), true);
  });

  it('makes a separate recording of a tier with some topics, which is not all of the segment', async () => {
    const texts = [
      { topic: '/r1/a', logTime: EIGHT, text: 'a' },
      { topic: '/r1/b', logTime: EIGHT + 1n, text: 'b' },
    ];
    const sealed = await sealLake(world, [event(0)], texts);
    const none = await sealLake(world, [event(1)]);
    const topics = ['/r1/*'];
    const deriver = new TopicsDeriver(fs, topics);
    const tier = sinkOf(store, { name: 'tier', form: deriver.form, selection: { topics }, deriver });
    await drainGroup(world, [tier]);
    assert.equal(await evictsAsVerified(world, sealed), false, 'the events are nowhere');
    const text = await fs.readFile(join(folder, manifestKey(sealed.manifest.key)), 'utf8');
    const manifest = decodeManifest(text, 'tier');
    assert.deepEqual(
      manifest.channels.map(({ topic }) => topic),
      ['/r1/a', '/r1/b'],
    );
    const bytes = await fs.readFile(join(folder, sealed.manifest.key));
    assert.equal(bytes.length, manifest.file.bytes);
    const [vehicle] = await (await openMcap(bytesReadable(bytes), 'tier')).metadata('vehicle');
    assert.deepEqual(vehicle?.metadata, { id: '7' }, 'metadata records belong to every topic');
    assert.deepEqual(await filesBelow(folder, '.mcap'), [sealed.manifest.key]);
    const whole = new MemoryStore();
    await drainGroup(world, [sinkOf(whole), tier]);
    for (const one of [sealed, none]) assert.equal(await evictsAsVerified(world, one), true);
  });

  it('is continued after a kill at any step: every file once, the marker last', async () => {
    const seal = async (): Promise<SyncWorld> => {
      const one = await SyncWorld.create();
      const events = Array.from({ length: 50 }, (_, index) =>
        event(index, { simulationId: `s${index % 2}` }),
      );
      await sealLake(one, events, [{ logTime: EIGHT, text: 'x' }]);
      return one;
    };
    const live = async (at: SyncWorld, content: MemoryStoreContent, life: DyingProcess): Promise<boolean> => {
      const faulty = new MemoryStore({ content, faults: life.faults });
      const sink = lakeSink(faulty, {}, life.fs);
      const ports = {
        fs: life.fs,
        clock: life.clock,
        openProgress: life.progress(progress),
        acquireLock: noLock,
      };
      return (await life.outcomeOf(drainGroup(at, [sink], ports, life.signal))) !== undefined;
    };
    let progress = new Map<string, string>();
    const whole = new DyingProcess();
    let expected: string[] = [];
    {
      await using first = await seal();
      const content = new MemoryStoreContent();
      assert.ok(await live(first, content, whole));
      expected = [...content.objects.keys()].map((key) => key.replace(/\d{12}-[0-9a-f]{32}/, 'id')).sort();
      assert.equal(expected.length, 4);
    }
    for (let step = 0; step < whole.steps.length; step += 3) {
      await using one = await seal();
      const content = new MemoryStoreContent();
      progress = new Map();
      const where = `killed at step ${step} of ${whole.steps.length}, ${whole.steps[step]}`;
      await live(one, content, new DyingProcess(step));
      const keys = (): string[] =>
        [...content.objects.keys()].map((key) => key.replace(/\d{12}-[0-9a-f]{32}/, 'id')).sort();
      if (keys().some((key) => key.startsWith('_holdfast'))) assert.deepEqual(keys(), expected, where);
      assert.ok(await live(one, content, new DyingProcess()), where);
      assert.deepEqual(keys(), expected, where);
      assert.equal(content.uploads.size, 0, where);
      assert.ok(await evictsAsVerified(one, one.sealed[0]!), where);
    }
  });

  after(() => sharedPool[Symbol.asyncDispose]());
});
