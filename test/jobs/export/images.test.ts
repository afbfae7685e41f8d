import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { recording } from '../../support/recordings.js';
import { duckdb, rowsOf } from '../../support/duckdb.js';
import { exportTo, originals, type Original } from './export-support.js';

const from = recording('two_robots');
const topic = '/robot1/camera/image/compressed';

describe('an export with images as files', function () {
  this.timeout(120_000);
  let folder: string;
  let images: Original[];

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-images-'));
    images = (await originals(from)).filter((one) => one.topic === topic);
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('has each picture as it was taken, named by its time, with a list that gives its SHA-256', async () => {
    const to = join(folder, 'files');
    const { ok, manifest } = await exportTo(from, to, {
      ...{ format: 'parquet', images: 'files', topics: ['/robot1/*'] },
    });
    assert.ok(ok);
    const exported = present(manifest.topics.find((one) => one.topic === topic));
    assert.equal(exported.sample_count, images.length);
    assert.equal(exported.files.length, 1);
    const index = join(to, exported.files[0]!);
    const listed = present(manifest.files.find(({ path }) => path === exported.files[0]));
    const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
    assert.equal(sha256(await fs.readFile(index)), listed.sha256);
    const rows = await rowsOf(
      await duckdb(),
      `SELECT replace(log_time, 'Z', '')::TIMESTAMP_NS AS t, * FROM read_csv('${index}', header=true, all_varchar=true)`,
    );
    assert.equal(rows.length, images.length);
    assert.equal(listed.rows, images.length);
    for (const [i, row] of rows.entries()) {
      const { value, logTime } = images[i]!;
      const bytes = await fs.readFile(join(dirname(index), row['file'] as string));
      assert.deepEqual(bytes, Buffer.from(value['data'] as Uint8Array));
      assert.equal(row['sha256'], sha256(bytes));
      assert.equal((row['t'] as { nanos: bigint }).nanos, logTime);
      assert.equal((row['file'] as string).slice(0, 11), (row['log_time'] as string).slice(0, 11));
    }
    assert.equal((await fs.readdir(dirname(index))).length, images.length + 1);
    assert.ok(!manifest.files.some(({ path }) => path.includes('camera') && path.endsWith('.parquet')));
    assert.ok(manifest.files.some(({ path }) => path.includes('imu') && path.endsWith('.parquet')));
  });

  it('is the same again, whole or thinned out', async () => {
    const lists = [];
    for (const name of ['one', 'two']) {
      const given = { format: 'csv', images: 'files', every: '10', topics: [topic] };
      const { manifest } = await exportTo(from, join(folder, name), given);
      assert.equal(manifest.num_records, Math.ceil(images.length / 10));
      lists.push(manifest.files);
    }
    assert.deepEqual(lists[0], lists[1]);
  });
});
