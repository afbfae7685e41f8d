// One export in a process of its own: export-case VARIANT RECORDING OUTPUT; prints one JSON line.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { FilePool } from '../src/recordings/file-readable.js';
import { FolderPlace } from '../src/jobs/export/folder-place.js';
import { parseExportOptions } from '../src/jobs/export/parse-export-options.js';
import { runExport } from '../src/jobs/export/run-export.js';
import { ProblemList } from '../src/jobs/report/problem-list.js';
import { reportAssets } from '../src/jobs/report/report-assets.js';
import { parseReportOptions } from '../src/jobs/report/report-options.js';
import { collectReport } from '../src/jobs/report/run-report.js';
import { systemClock } from '../src/host/system-clock.js';
import { renderReport } from '../src/exporters/report/render-report.js';
import { openMcap } from '../src/core/mcap/open-mcap.js';
import { present } from '../src/core/present.js';
import { resident } from './measure.js';

const [variant = '', recording = '', output = ''] = process.argv.slice(2);

/** One page, as `holdfast report` makes it. */
async function report(): Promise<void> {
  await using files = new FilePool(fs);
  const data = await collectReport({
    from: recording,
    located: { kind: 'mcap', path: recording, files: [recording] },
    files,
    options: present(parseReportOptions({ output: join(output, 'report.html') }, [])),
    problems: new ProblemList(),
    clock: systemClock,
    version: 'bench',
    signal: new AbortController().signal,
  });
  await fs.mkdir(output, { recursive: true });
  await fs.writeFile(join(output, 'report.html'), renderReport(data, await reportAssets(fs)));
}

async function holdfast(): Promise<void> {
  const [format, ...flags] = variant.split('-');
  const options = present(parseExportOptions({ format, flatten: flags.includes('flat') }, []));
  await using files = new FilePool(fs);
  await using place = new FolderPlace(output, fs);
  const { size: bytes } = await fs.stat(recording);
  const { ok } = await runExport({
    from: recording,
    segments: [{ name: recording, bytes, readable: () => files.readable(recording) }],
    options,
    place,
    clock: systemClock,
    random: randomBytes,
    version: 'bench',
    signal: new AbortController().signal,
  });
  if (!ok) throw new Error('the export is not whole');
}

interface Imu {
  header: { stamp: { sec: number; nanosec: number }; frame_id: string };
  orientation: { x: number; y: number; z: number; w: number };
  orientation_covariance: Float64Array;
  angular_velocity: { x: number; y: number; z: number };
  angular_velocity_covariance: Float64Array;
  linear_acceleration: { x: number; y: number; z: number };
  linear_acceleration_covariance: Float64Array;
}

const CHUNK_ROWS = 2048;

/** What a user would write: messages decoded to objects, fed to DuckDB in chunks, written by its own writer. */
async function duckdb(): Promise<void> {
  const { DuckDBInstance, DuckDBDataChunk, DOUBLE, BIGINT, VARCHAR } = await import('@duckdb/node-api');
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const names = Array.from({ length: 37 }, (_, i) => `v${i} DOUBLE`);
  await connection.run(
    `CREATE TABLE imu (log_time BIGINT, topic VARCHAR, stamp BIGINT, frame VARCHAR, ${names.join(', ')})`,
  );
  const types = [BIGINT, VARCHAR, BIGINT, VARCHAR, ...names.map(() => DOUBLE)];
  const appender = await connection.createAppender('imu');
  const columns: (bigint | string | number)[][] = types.map(() => []);
  const flush = (): void => {
    if (columns[0]!.length === 0) return;
    const chunk = DuckDBDataChunk.create(types);
    chunk.setColumns(columns);
    appender.appendDataChunk(chunk);
    for (const column of columns) column.length = 0;
  };
  await using files = new FilePool(fs);
  const mcap = await openMcap(files.readable(recording), recording);
  const readers = new Map<string, MessageReader<Imu>>();
  for await (const { channel, logTime, data } of mcap.messages()) {
    let reader = readers.get(channel.schema.name);
    if (reader === undefined) {
      const definitions = parse(new TextDecoder().decode(channel.schema.data), { ros2: true });
      readers.set(channel.schema.name, (reader = new MessageReader<Imu>(definitions)));
    }
    const imu = reader.readMessage(data);
    const { stamp, frame_id: frame } = imu.header;
    const { orientation: q, angular_velocity: w, linear_acceleration: a } = imu;
    const row = [
      ...[logTime, channel.topic, BigInt(stamp.sec) * 1_000_000_000n + BigInt(stamp.nanosec), frame],
      ...[q.x, q.y, q.z, q.w, ...imu.orientation_covariance],
      ...[w.x, w.y, w.z, ...imu.angular_velocity_covariance],
      ...[a.x, a.y, a.z, ...imu.linear_acceleration_covariance],
    ];
    for (let i = 0; i < row.length; i++) columns[i]!.push(row[i]!);
    if (columns[0]!.length === CHUNK_ROWS) flush();
  }
  flush();
  appender.closeSync();
  await fs.mkdir(output, { recursive: true });
  await connection.run(`COPY imu TO '${join(output, 'imu.parquet')}' (FORMAT parquet, COMPRESSION zstd)`);
}

const start = performance.now();
await (variant === 'duckdb' ? duckdb() : variant === 'report' ? report() : holdfast());
const seconds = (performance.now() - start) / 1000;
let bytes = 0;
for (const name of await fs.readdir(output, { recursive: true })) {
  const stat = await fs.stat(join(output, name));
  if (stat.isFile()) bytes += stat.size;
}
console.log(JSON.stringify({ seconds, residentMb: resident().peak / 1e6, outputMb: bytes / 1e6 }));
