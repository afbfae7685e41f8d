import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { recording } from '../../support/recordings.js';
import { duckdb, rowOf, rowsOf } from '../../support/duckdb.js';
import { common, exportTo, originals } from './export-support.js';

const from = recording('two_robots');
const topics = ['/robot1/imu', '/robot1/odom', '/robot1/battery'];

describe('an aligned export', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => (folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-align-'))));
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('holds at each tick the latest value of every field, never one of the future', async () => {
    const to = join(folder, 'wide');
    const { manifest } = await exportTo(from, to, { format: 'parquet', align: '20', topics });
    const rows = await rowsOf(await duckdb(), `SELECT * FROM '${join(to, 'robot1.parquet')}' ORDER BY time`);
    assert.equal(manifest.files[0]!.rows, rows.length);
    const all = (await originals(from)).filter(({ topic }) => topics.includes(topic));
    const [first, last] = [all[0]!.logTime, present(all.at(-1)).logTime];
    const step = 50_000_000n;
    const ticks = [];
    for (let time = ((first + step - 1n) / step) * step; time <= last; time += step) ticks.push(time);
    assert.equal(rows.length, ticks.length);
    let at = 0;
    const latest = new Map<string, (typeof all)[number]>();
    ticks.forEach((time, i) => {
      for (; at < all.length && all[at]!.logTime <= time; at++) latest.set(all[at]!.topic, all[at]!);
      const row = rows[i]!;
      assert.equal(common(row['time']), common(time));
      const imu = latest.get('/robot1/imu');
      const w = (imu?.value['orientation'] as { w: number } | undefined)?.w;
      assert.equal(row['robot1.imu.orientation.w'], w ?? null);
      assert.equal(common(row['robot1.imu.log_time']), common(imu?.logTime ?? null));
      const battery = latest.get('/robot1/battery')?.value['voltage'];
      assert.equal(row['robot1.battery.voltage'], battery ?? null);
    });
  });

  it('leaves out values that are too old', async () => {
    const to = join(folder, 'fresh');
    await exportTo(from, to, { format: 'parquet', align: '20', alignMaxAge: '100ms', topics });
    const row = await rowOf(
      await duckdb(),
      `SELECT count("robot1.battery.voltage")::INT AS battery, count("robot1.imu.orientation.w")::INT AS imu, count(*)::INT AS n FROM '${join(to, 'robot1.parquet')}'`,
    );
    const { battery, imu, n } = row as { battery: number; imu: number; n: number };
    assert.ok(battery > 0 && battery < n / 5, `${battery} of ${n}`);
    assert.ok(imu > n * 0.9);
  });
});
