import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { evictsAsVerified } from '../../sync/group-world.js';
import { SyncWorld } from '../../sync/sync-world.js';
import { awsEnvironment } from '../../support/aws-environment.js';
import { jsonOf, spawnCli, runCli } from '../../support/cli.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { startFaultyS3 } from '../../support/s3-fault-server/server.js';
import { startSwift, type Swift } from '../../support/swift.js';
import { event, filesBelow, sealLake } from './lake-world.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually } from '../../../src/testing/waiting.js';

const SEGMENTS = 8;
const EVENTS = 300;

async function sealMany(world: SyncWorld): Promise<void> {
  for (let part = 0; part < SEGMENTS; part++) {
    const events = Array.from({ length: EVENTS }, (_, index) => event(EVENTS * part + index));
    await sealLake(world, events);
  }
}

describe('a lake out of processes that are killed', function () {
  this.timeout(120_000);

  it('has every event once in a folder, for any number of kills of sync', async () => {
    await using world = await SyncWorld.create();
    await sealMany(world);
    const lake = await fs.mkdtemp(join(tmpdir(), 'holdfast-lake-'));
    try {
      const args = [
        'sync',
        '--data',
        world.folder.root,
        '--sink',
        `parquet:dir:${lake}`,
        '--drain',
        '--json',
      ];
      for (let wanted = 1; wanted < SEGMENTS; wanted += 3) {
        const { child, ended } = spawnCli(args);
        let isOver = false;
        void ended.then(() => (isOver = true));
        await eventually(
          async () => isOver || (await filesBelow(lake, '.parquet')).length >= wanted,
          `${wanted} files`,
          25_000,
          2,
        );
        child.kill('SIGKILL');
        await ended;
      }
      const run = await runCli(args);
      assert.equal(run.exitCode, 0, run.stderr);
      assert.equal((await filesBelow(lake, '.parquet')).length, SEGMENTS);
      const [row] = await rowsOf(
        await duckdb(),
        `SELECT count(*) AS n, count(DISTINCT stream_sequence) AS events
         FROM read_parquet('${lake}/logs/**/*.parquet', hive_partitioning=false)`,
      );
      assert.deepEqual(row, { n: BigInt(SEGMENTS * EVENTS), events: BigInt(SEGMENTS * EVENTS) });
      for (const sealed of world.sealed) assert.ok(await evictsAsVerified(world, sealed));
    } finally {
      await fs.rm(lake, { recursive: true });
    }
  });

  /** Brings all to S3 and puts it together; `server` says where that is and who may. */
  async function throughS3(
    server: Parameters<typeof awsEnvironment>[0] & { readonly endpoint: string },
    bucket: string,
  ): Promise<void> {
    await using world = await SyncWorld.create();
    await sealMany(world);
    const uri = `s3://${bucket}/fleet?endpoint=${encodeURIComponent(server.endpoint)}`;
    const env = awsEnvironment(server);
    const args = ['sync', '--data', world.folder.root, '--sink', `parquet:${uri}`, '--drain', '--json'];
    const run = await runCli(args, { env });
    assert.equal(run.exitCode, 0, run.stderr);
    const compacted = await runCli(['compact', uri, '--json'], { env });
    assert.equal(compacted.exitCode, 0, compacted.stderr);
    const [lake] = jsonOf(compacted)['lakes'] as {
      made: number;
      replaced: number;
      rows: number;
      files: number;
    }[];
    assert.deepEqual(
      [lake?.made, lake?.replaced, lake?.rows, lake?.files],
      [1, SEGMENTS, SEGMENTS * EVENTS, 1],
    );
  }

  it('has the same in S3, where compaction joins them', async () => {
    const server = await startFaultyS3({ buckets: ['lake'] });
    try {
      await throughS3(server, 'lake');
    } finally {
      await server.stop();
    }
  });

  it('has the same on OpenStack Swift, which knows no conditional writes of small objects', async function () {
    this.timeout(300_000);
    let swift: Swift;
    try {
      swift = await startSwift();
    } catch (error) {
      return lacking(this, 'swift', (error as Error).message.slice(0, 300));
    }
    const bucket = `lake-${randomBytes(6).toString('hex')}`;
    await swift.createBucket(bucket);
    await throughS3(swift, bucket);
  });
});
