import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatTime } from '../../../src/core/clock.js';
import { decodeLakeSegment, lakeSegmentKey } from '../../../src/core/lake-manifest.js';
import { silentLogger, type LogFields } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import type { Store } from '../../../src/core/store.js';
import { ParquetDeriver } from '../../../src/jobs/lake/parquet-deriver.js';
import type { LakeEncoding } from '../../../src/settings/lake-layout.js';
import { parseExposition } from '../../monitors/prometheus-text.js';
import { TestWeb } from '../../monitors/web-server.js';
import { openStore } from '../../../src/stores/open-store.js';
import { drainGroup, openGroup } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { arrowTable } from '../../support/arrow.js';
import { duckdb, rowOf, rowsOf } from '../../support/duckdb.js';
import { storePorts } from '../../support/store-ports.js';
import { EIGHT, event, filesBelow, lakeSink, layoutOf, sealLake, sharedPool } from './lake-world.js';

const LAST = 2n ** 63n - 1n;

describe('a lake of segments with unusual content', function () {
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
  after(() => sharedPool[Symbol.asyncDispose]());

  it('holds the times that fit, counts the messages whose times do not, and gives none a wrong time', async () => {
    const late = [LAST, LAST + 1n, 2n ** 64n - 1n];
    const sealed = await sealLake(
      world,
      [event(0), ...late.map((logTime, i) => event(i + 1, { logTime }))],
      [EIGHT, ...late].map((logTime, i) => ({ logTime, text: `text ${i}` })),
    );
    const sink = lakeSink(store);
    const group = await openGroup(world, [sink]);
    try {
      await group.drain(AbortSignal.timeout(20_000));
      assert.equal(present(group.status().writes).undecoded, 4, group.status().lastError);
    } finally {
      await group.close();
    }
    const marker = lakeSegmentKey(sink.spec.form, sealed.manifest.key);
    const { rows, undecoded } = decodeLakeSegment(await fs.readFile(join(folder, marker), 'utf8'), marker);
    assert.deepEqual([rows, undecoded], [4, 4]);
    const connection = await duckdb();
    for (const [files, column, expected] of [
      ['robot=*/**', 'data', ['text 0', 'text 1']],
      ['logs/**', 'decode(event_payload)', ['{"n":0}', '{"n":1}']],
    ] as const) {
      const found = await rowsOf(
        connection,
        `SELECT ${column} AS what, epoch_ns(log_time) AS t, epoch_ns(publish_time) AS p
         FROM read_parquet('${folder}/${files}/*.parquet', hive_partitioning=false) ORDER BY t`,
      );
      assert.deepEqual(
        found.map(({ what, t, p }) => [what, t, p]),
        expected.map((what, i) => {
          const time = i === 1 ? LAST : files === 'logs/**' ? EIGHT + 5n : EIGHT;
          return [what, time, time];
        }),
      );
    }
    const paths = await filesBelow(folder, '.parquet');
    assert.ok(paths.some((path) => path.includes(`date=${formatTime(LAST).slice(0, 10)}/`)));
    assert.ok(!paths.some((path) => /1677|2554/.test(path)), paths.join(' '));
    for (const path of paths) assert.ok(arrowTable(await fs.readFile(join(folder, path))).numRows > 0, path);
  });

  it('logs which metadata records and attachments it leaves out', async () => {
    const { name } = await sealLake(world, [], [{ logTime: EIGHT, text: 'x' }], 'r1', [
      'map.png',
      'urdf.xml',
    ]);
    const told: LogFields[] = [];
    const logger = {
      ...silentLogger,
      warn: (text: string, fields?: LogFields) => {
        if (text === 'tables cannot hold a part of a segment') told.push(present(fields));
      },
    };
    await drainGroup(world, [lakeSink(store)], { logger });
    const leftOut = '1 metadata records (vehicle) and 2 attachments';
    assert.deepEqual(told, [{ leftOut, robot: 'r1', segment: `${name}.mcap` }]);
  });

  for (const [codec, named] of [
    ['zstd', 'ZSTD'],
    ['snappy', 'SNAPPY'],
    ['none', 'UNCOMPRESSED'],
  ] as const) {
    it(`writes its files with the codec and the row groups that its options name: ${codec}`, async () => {
      const encoding: LakeEncoding = { codec, rowGroupRows: 300 };
      const events = Array.from({ length: 700 }, (_, index) => event(index));
      const texts = events.map((_, index) => ({ logTime: EIGHT + BigInt(index), text: `text ${index}` }));
      await sealLake(world, events, texts);
      const deriver = new ParquetDeriver(fs, { layout: layoutOf(), pool: sharedPool, encoding });
      await drainGroup(world, [lakeSink(store, { deriver, form: deriver.form })]);
      const connection = await duckdb();
      const paths = await filesBelow(folder, '.parquet');
      assert.equal(paths.length, 2);
      for (const path of paths) {
        const groups = await rowsOf(
          connection,
          `SELECT row_group_id AS id, any_value(row_group_num_rows) AS rows, list(DISTINCT compression) AS codecs
           FROM parquet_metadata('${folder}/${path}') GROUP BY id ORDER BY id`,
        );
        assert.deepEqual(
          groups.map(({ rows, codecs }) => [rows, (codecs as { items: unknown[] }).items]),
          [300n, 300n, 100n].map((rows) => [rows, [named]]),
          path,
        );
        const { n } = await rowOf(connection, `SELECT count(*) AS n FROM '${folder}/${path}'`);
        assert.equal(n, 700n);
        assert.equal(arrowTable(await fs.readFile(join(folder, path))).numRows, 700);
      }
    });
  }

  it('shows in /metrics how long the files of its segments took, once they are written', async () => {
    for (let part = 0; part < 2; part++) await sealLake(world, [event(part)]);
    await using web = await TestWeb.start();
    const samples = async (): Promise<Record<string, number>> => {
      await web.watch.askSync();
      const families = parseExposition((await web.get('/metrics')).text);
      const { samples: all } = present(families.get('holdfast_parquet_write_duration_seconds'));
      assert.ok(all.every(({ labels }) => labels['sink'] === 'lake' || labels['sink'] === 'parquet'));
      return Object.fromEntries(
        all.map(({ name, labels, value }) => [`${name} ${labels['le'] ?? ''}`, value]),
      );
    };
    const name = 'holdfast_parquet_write_duration_seconds';
    const group = await openGroup(world, [lakeSink(store)]);
    try {
      web.sync.current = group.status();
      assert.equal((await samples())[`${name}_count `], 0);
      await group.drain(AbortSignal.timeout(20_000));
      web.sync.current = group.status();
      const after = await samples();
      assert.equal(after[`${name}_count `], 2);
      assert.equal(after[`${name}_bucket +Inf`], 2);
      const tookMs = present(group.status().writes).durations.sumMs;
      assert.ok(tookMs > 0);
      assert.ok(Math.abs(after[`${name}_sum `]! - tookMs / 1_000) < 1e-9);
    } finally {
      await group.close();
    }
  });
});
