import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { present } from '../../../src/core/present.js';
import type { HoldfastError } from '../../../src/core/errors.js';
import type { LogFields } from '../../../src/core/logger.js';
import { decodeLakeSegment } from '../../../src/core/lake-manifest.js';
import { compactLake } from '../../../src/jobs/lake/compact-lake.js';
import type { ExportManifest } from '../../../src/jobs/export/export-manifest.js';
import { DescriptorFolder } from '../../../src/jobs/lake/descriptor-folder.js';
import { ParquetDeriver } from '../../../src/jobs/lake/parquet-deriver.js';
import { openStore } from '../../../src/stores/open-store.js';
import type { Store } from '../../../src/core/store.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Sink } from '../../../src/sync/sync-group.js';
import { drainGroup, openGroup } from '../../sync/group-world.js';
import { realClock, SyncWorld } from '../../sync/sync-world.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { jsonOf, runCli } from '../../support/cli.js';
import { storePorts } from '../../support/store-ports.js';
import { event, filesBelow, layoutOf, sealLake, sharedPool, type TestEvent } from './lake-world.js';

const v1 = 'syntax = "proto3"; message Spawn { int32 id = 1; string lane = 2; float speed = 3; }';
// id is wider, lane is gone, actors is new, speed became a text.
const v2 =
  'syntax = "proto3"; message Actor { string name = 1; int32 age = 2; } ' +
  'message Spawn { int64 id = 1; repeated Actor actors = 4; string speed = 5; Actor driver = 6; }';

function payload(text: string, value: object): Uint8Array {
  const type = protobuf.parse(text).root.lookupType('Spawn');
  return Uint8Array.from(type.encode(type.fromObject(value)).finish());
}

function spawn(index: number, version: string, text: string, value: object): TestEvent {
  return event(index, {
    ...{ eventTypeKey: 'spawn', simulationId: 'sim-a', eventPayload: payload(text, value) },
    payloadFormatHint: version === '' ? 'protobuf' : `protobuf;version=${version}`,
  });
}

/** Members of a struct come in the order of the file that was read first. */
function inOrder(rows: readonly Record<string, unknown>[]): unknown[] {
  return rows.map(({ row }) => JSON.parse(String(row)) as unknown);
}

describe('payloads of events as columns of a lake', function () {
  this.timeout(60_000);
  let world: SyncWorld;
  let folder: string;
  let descriptors: string;
  let store: Store;

  beforeEach(async () => {
    world = await SyncWorld.create();
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-lake-'));
    descriptors = await fs.mkdtemp(join(tmpdir(), 'holdfast-descriptors-'));
    store = await openStore(`dir:${folder}`, {}, storePorts);
    await fs.writeFile(join(descriptors, 'spawn@1.proto'), v1);
  });
  afterEach(async () => {
    await store[Symbol.asyncDispose]();
    await world[Symbol.asyncDispose]();
    for (const path of [folder, descriptors]) await fs.rm(path, { recursive: true, force: true });
  });
  after(() => sharedPool[Symbol.asyncDispose]());

  function sink(): Sink {
    const deriver = new ParquetDeriver(fs, {
      layout: layoutOf(),
      pool: sharedPool,
      descriptors: new DescriptorFolder(fs, descriptors),
    });
    const spec = {
      name: 'lake',
      kind: 'parquet' as const,
      form: deriver.form,
      required: true,
      selection: {},
      deriver,
    };
    return { store, spec };
  }

  const read = (columns: string, where = ''): Promise<Record<string, unknown>[]> =>
    duckdb().then((connection) =>
      rowsOf(
        connection,
        `SELECT ${columns} FROM read_parquet('${folder}/logs/**/*.parquet', hive_partitioning=false, union_by_name=true)
         ${where} ORDER BY timestamp_ns`,
      ),
    );

  async function markers(): Promise<ReturnType<typeof decodeLakeSegment>[]> {
    const names = await filesBelow(join(folder, '_holdfast'), '.json');
    const segments = names.filter((name) => name.includes('/segments/'));
    const texts = await Promise.all(
      segments.map((name) => fs.readFile(join(folder, '_holdfast', name), 'utf8')),
    );
    return texts.map((text, index) => decodeLakeSegment(text, segments[index]!));
  }

  it('reads old and new segments together when a column is added, widened and removed, and reports it', async () => {
    await sealLake(world, [spawn(0, '1', v1, { id: 7, lane: 'left', speed: 1.5 })]);
    const told: LogFields[] = [];
    const logger = {
      ...silentLogger,
      warn: (text: string, fields?: LogFields) => {
        if (text === 'the columns of a table have changed') told.push(present(fields));
      },
    };
    await drainGroup(world, [sink()], { logger });
    await fs.writeFile(join(descriptors, 'spawn@2.proto'), v2);
    const second = { id: '5000000000', actors: [{ name: 'a', age: 1 }, { name: 'b' }], speed: 'fast' };
    await sealLake(world, [spawn(1, '2', v2, second), spawn(2, '2', v2, { driver: { name: 'd' } })]);
    const group = await openGroup(world, [sink()], { logger });
    try {
      await group.drain(AbortSignal.timeout(20_000));
      const writes = present(group.status().writes);
      assert.equal(writes.schemaChanges, 1);
      assert.match(
        writes.lastSchemaChange ?? '',
        /^spawn: added actors\[\].name, .*; removed lane; id int32 -> int64/,
      );
    } finally {
      await group.close();
    }
    assert.equal(told.length, 1);
    assert.deepEqual(
      [told[0]!['added'], told[0]!['removed'], told[0]!['retyped']],
      [
        ['actors[].name', 'actors[].age', 'driver.name', 'driver.age'],
        ['lane'],
        ['id int32 -> int64', 'speed float32 -> string'],
      ],
    );
    const rows = await read(
      'payload_spawn.id AS id, payload_spawn.lane AS lane, len(payload_spawn.actors) AS actors, payload_spawn.driver.name AS driver',
    );
    assert.deepEqual(rows, [
      { id: 7n, lane: 'left', actors: null, driver: null },
      { id: 5_000_000_000n, lane: null, actors: 2n, driver: null },
      { id: 0n, lane: null, actors: 0n, driver: 'd' },
    ]);
    const described = (await markers()).map(({ schemas }) =>
      schemas?.filter(({ table }) => table === 'events'),
    );
    assert.deepEqual(
      described.map((schemas) => schemas?.map(({ name, descriptors: files }) => [name, files?.[0]?.file])),
      [[['spawn', 'spawn@1.proto']], [['spawn', 'spawn@2.proto']]],
    );
    assert.notEqual(described[0]![0]!.sha256, described[1]![0]!.sha256);
  });

  it('puts two versions of a type in one segment into one column, the wider type of both', async () => {
    await fs.writeFile(join(descriptors, 'spawn@2.proto'), v2);
    await sealLake(world, [
      spawn(0, '1', v1, { id: -7, lane: 'left', speed: 1.5 }),
      spawn(1, '2', v2, { id: '5000000000', speed: 'fast', actors: [{ name: 'a' }] }),
    ]);
    await drainGroup(world, [sink()]);
    const rows = await read('payload_spawn AS p, problem');
    assert.deepEqual(
      rows.map(({ p }) => {
        const { entries } = p as { entries: Record<string, unknown> };
        return [entries['id'], entries['lane'], entries['speed'], entries['speed_string']];
      }),
      [
        [-7n, 'left', 1.5, null],
        [5_000_000_000n, null, null, 'fast'],
      ],
    );
    assert.ok(rows.every(({ problem }) => problem === null));
  });

  it('keeps the bytes of a payload whose version is unknown or that does not fit, and counts it', async () => {
    await fs.writeFile(join(descriptors, 'other@1.proto'), v1);
    await fs.writeFile(join(descriptors, 'other@2.proto'), v1);
    const bytes = payload(v1, { id: 1 });
    const more = { eventPayload: bytes, simulationId: 'sim-a' };
    await sealLake(world, [
      spawn(0, '9', v1, { id: 1 }),
      event(1, { ...more, eventTypeKey: 'nobody', payloadFormatHint: 'protobuf' }),
      event(2, { ...more, eventTypeKey: 'other', payloadFormatHint: 'protobuf' }),
      event(3, {
        ...more,
        eventTypeKey: 'spawn@1',
        payloadFormatHint: 'protobuf',
        eventPayload: Buffer.of(0x0a, 9),
      }),
      event(4, { ...more, eventTypeKey: 'spawn', payloadFormatHint: 'application/json' }),
      spawn(5, '', v1, { id: 6 }),
    ]);
    const group = await openGroup(world, [sink()]);
    try {
      await group.drain(AbortSignal.timeout(20_000));
      assert.equal(group.status().writes?.undecoded, 4, group.status().lastError);
    } finally {
      await group.close();
    }
    const rows = await read('problem, payload_spawn.id AS id, octet_length(event_payload) AS bytes');
    const problems = [
      /^there is no version 9 of the protobuf descriptor of spawn, there is: 1$/,
      /^there is no protobuf descriptor of nobody$/,
      /^it names no version, and there are 2 of the protobuf descriptor of other: 1, 2$/,
      /^spawn@1.proto does not fit: field id has wire type 2, not 0$/,
    ];
    problems.forEach((problem, index) => assert.match(String(rows[index]!['problem']), problem));
    assert.deepEqual(
      rows.map(({ id, bytes: length }) => [id, length]),
      [
        [null, 2n],
        [null, 2n],
        [null, 2n],
        [null, 2n],
        [null, 2n],
        [6, 2n],
      ],
    );
    assert.deepEqual([rows[4]!['problem'], rows[5]!['problem']], [null, null]);
    assert.equal((await markers())[0]!.undecoded, 4);
  });

  it('keeps columns of payloads when files are compacted, apart by schema, with the codec and row groups asked for', async () => {
    for (let part = 0; part < 2; part++) {
      await sealLake(
        world,
        [0, 1, 2].map((index) => spawn(10 * part + index, '1', v1, { id: index, lane: `l${part}` })),
        [0, 1, 2].map((index) => ({
          logTime: 1_795_852_800_000_000_000n + BigInt(index),
          text: `t${part}${index}`,
        })),
      );
    }
    await drainGroup(world, [sink()]);
    await fs.writeFile(join(descriptors, 'spawn@2.proto'), v2);
    for (let part = 2; part < 4; part++) {
      const value = { id: part, actors: [{ name: 'a' }, { name: 'b', age: part }], driver: { name: 'd' } };
      await sealLake(world, [spawn(10 * part, '2', v2, value), spawn(10 * part + 1, '2', v2, {})]);
    }
    await drainGroup(world, [sink()]);
    const all =
      'to_json(struct_pack(p := payload_spawn, b := octet_length(event_payload), k := event_type_key))::VARCHAR AS row';
    const before = await read(all);
    const { form } = sink().spec;
    const ports = {
      ...{ store, fs, clock: realClock, random: storePorts.random, signal: AbortSignal.timeout(20_000) },
      onProblem: ({ reason }: { reason: string }) => assert.fail(reason),
    };
    const sizes = { smallBytes: 2 ** 25, targetBytes: 2 ** 27, keepMs: 0 };
    const report = await compactLake(form, { ...sizes, codec: 'snappy', rowGroupRows: 4 }, ports);
    assert.deepEqual([report.made, report.replaced, report.rows], [3, 6, 16]);
    assert.deepEqual(inOrder(await read(all)), inOrder(before));
    const connection = await duckdb();
    const groups = await rowsOf(
      connection,
      `SELECT DISTINCT compression, row_group_num_rows AS rows FROM parquet_metadata('${folder}/**/compact-*.parquet') ORDER BY rows`,
    );
    assert.deepEqual(
      groups.map(({ compression, rows }) => [compression, rows]),
      [
        ['SNAPPY', 2n],
        ['SNAPPY', 4n],
      ],
    );
    const texts = await rowsOf(
      connection,
      `SELECT data FROM read_parquet('${folder}/robot=*/**/*.parquet') ORDER BY data`,
    );
    assert.deepEqual(
      texts.map(({ data }) => data),
      ['t00', 't01', 't02', 't10', 't11', 't12'],
    );
  });

  it('has the same columns in an export with descriptors, which continues only with the same ones', async () => {
    const sealed = await sealLake(world, [
      spawn(0, '1', v1, { id: 7, lane: 'left', speed: 1.5 }),
      spawn(1, '9', v1, { id: 8 }),
    ]);
    const from = join(world.folder.sealed, `${sealed.name}.mcap`);
    const to = join(folder, 'tables');
    const given = ['export', '--from', from, '--to', to, '--descriptors', descriptors, '--json'];
    const run = await runCli([...given, '--format', 'parquet']);
    assert.equal(run.exitCode, 0, run.stderr);
    assert.match(
      run.stderr,
      /logging.events.raw: 1 messages kept raw: there is no version 9 of the protobuf descriptor/,
    );
    const rows = await rowsOf(
      await duckdb(),
      `SELECT payload_spawn.id AS id, payload_spawn.lane AS lane, octet_length(event_payload) > 0 AS bytes,
         problem IS NULL AS ok FROM read_parquet('${to}/**/*.parquet') ORDER BY timestamp_ns`,
    );
    assert.deepEqual(rows, [
      { id: 7, lane: 'left', bytes: true, ok: true },
      { id: null, lane: null, bytes: true, ok: false },
    ]);
    const manifest = JSON.parse(await fs.readFile(join(to, 'manifest.json'), 'utf8')) as ExportManifest;
    const names = manifest.topics.flatMap(({ schema }) => schema.map(({ name }) => name));
    assert.ok(
      names.some((name) => name.startsWith('payload_spawn')),
      names.join(' '),
    );
    assert.equal(jsonOf(await runCli([...given, '--format', 'parquet']))['alreadyDone'], true);
    await fs.writeFile(join(descriptors, 'spawn@9.proto'), v1);
    const other = await runCli([...given, '--format', 'parquet']);
    assert.match(other.stderr, /OUTPUT_UNUSABLE: .*another finished export/);
    const csv = await runCli([...given, '--format', 'csv']);
    assert.equal(csv.exitCode, 2);
    assert.match(csv.stderr, /--descriptors.*only with --format parquet/);
    await fs.writeFile(join(descriptors, 'broken.proto'), 'message {');
    const broken = await runCli([...given, '--format', 'parquet']);
    assert.equal(broken.exitCode, 2);
    assert.match(broken.stderr, /--descriptors.*broken.proto.*cannot be used/s);
  });

  it('reports every fault in a folder of descriptors, by file and with the allowed values', async () => {
    const write = (name: string, text: string): Promise<void> => fs.writeFile(join(descriptors, name), text);
    await write('broken.proto', 'message {');
    await write('two.proto', 'syntax = "proto3"; message A { int32 a = 1; } message B { int32 b = 1; }');
    await write('wrong name.proto', v1);
    await write('spawn@v1.binpb', 'x');
    await write('shape.bfbs', 'x');
    await write('source.fbs', 'table X {}');
    await write('README.md', 'is nobody’s business');
    await assert.rejects(new DescriptorFolder(fs, descriptors).open(), (error: HoldfastError) => {
      assert.equal(error.code, 'CONFIG_INVALID');
      for (const part of [
        /broken.proto: cannot be used: illegal/,
        /two.proto: cannot be used: it has no message two, and there are 2 \(A, B\); allowed: one, or one of that name/,
        /wrong name.proto: is not a name of a descriptor; allowed: TYPE.EXT or TYPE@VERSION.EXT/,
        /spawn@v1.binpb: cannot be used/,
        /shape.bfbs: cannot be used: it does not begin as a binary schema/,
        /source.fbs: is a source; allowed: the binary schema that "flatc --binary --schema source.fbs" makes of it/,
      ]) {
        assert.match(error.message, part);
      }
      assert.doesNotMatch(error.message, /README/);
      return true;
    });
    await assert.rejects(
      new DescriptorFolder(fs, join(descriptors, 'nowhere')).open(),
      /nowhere: .*allowed: a folder with files/,
    );
  });
});
