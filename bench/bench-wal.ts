import { join } from 'node:path';
import { renderTable } from '../src/host/human.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { runCase } from './run-child.js';

interface WalCase {
  readonly messagesPerS: number;
  readonly mbPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerMessage: number;
  readonly residentMb: number;
  readonly writeAmplification: number;
}

/** Count per size: some seconds each; one synced put per record is so slow that it gets fewer. */
const sizes = [
  { size: 100, count: 1_500_000, puts: 8_000, target: undefined },
  { size: 1_000, count: 400_000, puts: 8_000, target: 0.5 },
  { size: 100_000, count: 6_000, puts: 2_000, target: undefined },
  { size: 1_000_000, count: 600, puts: 300, target: 0.7 },
] as const;
const names = ['holdfast', 'encrypted', 'append', 'level-put', 'mcap'] as const;
const SMALL_TARGET_PER_S = 300_000;

/** Durable throughput against the alternatives, in turn, several rounds, medians. */
export async function benchWal({ rounds, folder, scale, say }: BenchContext): Promise<BenchReport> {
  const results: Record<string, Record<string, WalCase>> = {};
  const misses: string[] = [];
  for (const { size, count, puts, target } of sizes) {
    const runs: Record<string, WalCase[]> = Object.fromEntries(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const name of names) {
        const messages = Math.max(10, Math.round((name === 'level-put' ? puts : count) * scale));
        const result = await runCase<WalCase>('wal-case', [
          name,
          size,
          messages,
          join(folder, `wal-${name}`),
        ]);
        (runs[name] as WalCase[]).push(result);
      }
    }
    const middle = Object.fromEntries(names.map((name) => [name, medianCase(runs[name] as WalCase[])]));
    results[String(size)] = middle;
    table(size, middle).forEach((line) => say(line));
    const own = middle['holdfast'] as WalCase;
    const ratio = own.mbPerS / (middle['append'] as WalCase).mbPerS;
    if (target !== undefined && ratio < target)
      misses.push(`${size} B: ${ratio.toFixed(2)} of plain append, target ${target}`);
    if (size === 100 && own.messagesPerS < SMALL_TARGET_PER_S) {
      misses.push(`100 B: ${Math.round(own.messagesPerS)} msg/s, target ${SMALL_TARGET_PER_S}`);
    }
  }
  return { results, misses };
}

function medianCase(runs: readonly WalCase[]): WalCase {
  const of = (key: keyof WalCase): number => median(runs.map((run) => run[key]));
  return {
    messagesPerS: of('messagesPerS'),
    mbPerS: of('mbPerS'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    cpuUsPerMessage: of('cpuUsPerMessage'),
    residentMb: of('residentMb'),
    writeAmplification: of('writeAmplification'),
  };
}

function table(size: number, cases: Record<string, WalCase>): string[] {
  const base = (cases['append'] as WalCase).mbPerS;
  const rows = Object.entries(cases).map(([name, c]) => [
    name,
    Math.round(c.messagesPerS).toLocaleString('en'),
    c.mbPerS.toFixed(1),
    (c.mbPerS / base).toFixed(2),
    c.p50Ms.toFixed(2),
    c.p99Ms.toFixed(2),
    c.cpuUsPerMessage.toFixed(2),
    c.residentMb.toFixed(0),
    c.writeAmplification.toFixed(2),
  ]);
  const heads = ['', 'msg/s', 'MB/s', 'of append', 'p50 ms', 'p99 ms', 'CPU us/msg', 'peak MB', 'write amp'];
  return [
    '',
    `durable throughput, ${size.toLocaleString('en')} B messages`,
    ...renderTable(
      heads.map((head, i) => ({ head, right: i > 0 })),
      rows,
    ),
  ];
}
