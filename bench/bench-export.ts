import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../src/core/present.js';
import { renderTable } from '../src/host/human.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { runCase } from './run-child.js';

interface ExportCase {
  readonly seconds: number;
  readonly residentMb: number;
  readonly outputMb: number;
}

interface Recording {
  readonly messages: number;
  readonly payload: number;
  readonly bytes: number;
}

const RECORDING_BYTES = 1e9;
const TARGET_ROWS_PER_S = 300_000;
const TARGET_RESIDENT_MB = 300;

/** Each recording with what is made of it. DuckDB's own writer is fed the same Imu rows. */
const plans = [
  { kind: 'imu', title: '4 robots, Imu only', variants: ['parquet-flat', 'parquet', 'duckdb', 'report'] },
  {
    kind: 'mixed',
    title: '4 robots, all sensors',
    variants: ['parquet', 'parquet-flat', 'csv', 'jsonl', 'numpy', 'tfrecord', 'mcap', 'report'],
  },
] as const;

/** Exports of recordings made by the simulator: rows, megabytes of payload, peak memory. */
export async function benchExport({ rounds, folder, scale, say }: BenchContext): Promise<BenchReport> {
  const results: Record<string, Record<string, Record<string, number>>> = {};
  const misses: string[] = [];
  for (const { kind, title, variants } of plans) {
    const path = join(folder, `${kind}.mcap`);
    const size = Math.round(RECORDING_BYTES * scale);
    const recording = await runCase<Recording>('export-recording', [kind, size, path]);
    const runs = new Map<string, ExportCase[]>(variants.map((variant) => [variant, []]));
    for (let round = 0; round < rounds; round++) {
      for (const variant of variants) {
        const output = join(folder, `export-${variant}`);
        present(runs.get(variant)).push(await runCase<ExportCase>('export-case', [variant, path, output]));
        await rm(output, { recursive: true, force: true });
      }
    }
    await rm(path);
    const rows: string[][] = [];
    results[kind] = {};
    for (const [variant, cases] of runs) {
      const seconds = median(cases.map((one) => one.seconds));
      const result = {
        rowsPerS: recording.messages / seconds,
        mbPerS: recording.payload / 1e6 / seconds,
        residentMb: median(cases.map((one) => one.residentMb)),
        outputMb: median(cases.map((one) => one.outputMb)),
      };
      results[kind][variant] = result;
      rows.push([
        variant === 'duckdb' ? "DuckDB's writer" : variant,
        Math.round(result.rowsPerS).toLocaleString('en'),
        result.mbPerS.toFixed(1),
        result.residentMb.toFixed(0),
        result.outputMb.toFixed(1),
      ]);
      if (kind === 'imu' && variant === 'parquet-flat' && result.rowsPerS < TARGET_ROWS_PER_S) {
        misses.push(
          `export, flat Parquet: ${Math.round(result.rowsPerS)} Imu rows/s, target ${TARGET_ROWS_PER_S}`,
        );
      }
      if (variant !== 'duckdb' && result.residentMb > TARGET_RESIDENT_MB) {
        misses.push(
          `export, ${kind} to ${variant}: ${result.residentMb.toFixed(0)} MB, target ${TARGET_RESIDENT_MB}`,
        );
      }
    }
    // Side by side: every other way of the same rows against DuckDB's.
    const other = results[kind]['duckdb']?.['rowsPerS'];
    if (other !== undefined) {
      Object.values(results[kind]).forEach((result, i) => {
        result['timesDuckdb'] = result['rowsPerS']! / other;
        rows[i]!.push(result['timesDuckdb'].toFixed(1));
      });
    }
    const heads = [
      '',
      'rows/s',
      'MB/s',
      'peak MB',
      'output MB',
      ...(other === undefined ? [] : ['times DuckDB']),
    ].map((head, i) => ({ head, right: i > 0 }));
    const { messages, payload } = recording;
    const about = `${messages.toLocaleString('en')} messages, ${(payload / 1e6).toFixed(0)} MB of payload`;
    ['', `export: ${title}, ${about}`, ...renderTable(heads, rows)].forEach((line) => say(line));
  }
  return { results, misses };
}
