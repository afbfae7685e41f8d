import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { renderTable } from '../src/host/human.js';
import { mountExt4, type SmallDisk } from '../test/faults/small-disk.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { runCase } from './run-child.js';
import { eventually, sleep } from '../src/testing/waiting.js';

const run = promisify(execFile);
const VARIANTS = [
  'none',
  'holdfast-csv',
  'holdfast-wal',
  'holdfast-both',
  'pino-async',
  'write-sync',
  'post-message',
];
const FROZEN_VARIANTS = ['none', 'holdfast-both', 'pino-async', 'write-sync'];
const SECONDS = 20;
const DISK_BYTES = 256 * 2 ** 20;
/** Of one call, microseconds. */
const MEDIAN_MAX_US = 0.5;
const P999_MAX_US = 5;
const LOGGER_MAX_BYTES = 344_000;
const LOGGERS = 5;

type Quantiles = Readonly<Record<'p50' | 'p99' | 'p999' | 'max', number>>;
interface CaseResult {
  readonly callUs: Quantiles;
  readonly lateUs: Quantiles;
  readonly dropped: number;
}
type Results = Record<string, CaseResult[]>;

/** What logging costs a control loop: one call, and how late the loop is, with a disk that works and one that hangs. */
export async function benchLogger({ folder, rounds, scale, say }: BenchContext): Promise<BenchReport> {
  const place = join(folder, 'logger');
  const seconds = Math.max(2, SECONDS * scale);
  const one = async (variant: string, mode: string, on: string, marker = ''): Promise<CaseResult> => {
    const own = join(on, `${variant}-${mode}`);
    const result = await runCase<CaseResult>('logger-case', [variant, mode, seconds, own, marker]);
    await fs.rm(own, { recursive: true, force: true });
    return result;
  };
  const burst: Results = {};
  const loop: Results = {};
  const frozen: Results = {};
  const add = (to: Results, variant: string, result: CaseResult): void => {
    (to[variant] ??= []).push(result);
  };
  const disk = await mountExt4(DISK_BYTES);
  try {
    // In turn, so that what else the machine does falls on all alike.
    for (let round = 0; round < rounds; round++) {
      for (const variant of VARIANTS) add(burst, variant, await one(variant, 'burst', place));
      for (const variant of VARIANTS) add(loop, variant, await one(variant, 'loop', place));
      if (disk === undefined) continue;
      for (const variant of FROZEN_VARIANTS) {
        const marker = join(folder, `marker-${variant}-${round}`);
        const result = one(variant, 'loop', disk.path, marker);
        await freezeWhile(disk, marker, seconds, result);
        add(frozen, variant, await result);
      }
    }
  } finally {
    await disk?.remove();
  }
  const memory = await runMemory(join(place, 'memory'));
  table(say, 'one call, 500 in a row (us)', burst, 'callUs');
  table(say, 'one call in a loop of 1 kHz (us)', loop, 'callUs');
  table(say, 'how late the rounds of the loop begin (us)', loop, 'lateUs');
  if (disk !== undefined) {
    table(say, 'the same while the disk hangs for half of the time (us)', frozen, 'lateUs');
  } else say('not measured: a disk that hangs (this machine mounts none)');
  const perLogger = memory.heapBytes + memory.queueBytes;
  say(
    `memory of a logger beyond the thread: ${(perLogger / 1e3).toFixed(0)} kB ` +
      `(queues ${(memory.queueBytes / 1e3).toFixed(0)} kB), ${LOGGERS} beside a first one`,
  );
  const misses: string[] = [];
  for (const variant of VARIANTS.filter((name) => name.startsWith('holdfast'))) {
    const p50 = of(loop, variant, 'callUs', 'p50');
    const p999 = of(loop, variant, 'callUs', 'p999');
    if (p50 > MEDIAN_MAX_US)
      misses.push(`logger ${variant}: median ${p50.toFixed(2)} us, target ${MEDIAN_MAX_US}`);
    if (p999 > P999_MAX_US)
      misses.push(`logger ${variant}: p99.9 ${p999.toFixed(2)} us, target ${P999_MAX_US}`);
  }
  if (perLogger > LOGGER_MAX_BYTES)
    misses.push(`logger: ${perLogger} bytes each, target ${LOGGER_MAX_BYTES}`);
  return { results: { burst, loop, frozen, memory }, misses };
}

/** The disk hangs from a quarter to three quarters of the measurement. */
async function freezeWhile(
  { path }: SmallDisk,
  marker: string,
  seconds: number,
  result: Promise<unknown>,
): Promise<void> {
  let isOver = false;
  const over = result.then(
    () => (isOver = true),
    () => (isOver = true),
  );
  await eventually(() => isOver || existsSync(marker), 'the loop to start', 60_000);
  // Behind the five seconds in which the loop warms up.
  await Promise.race([sleep(5_000 + seconds * 250), over]);
  await run('fsfreeze', ['-f', path]);
  try {
    await sleep(seconds * 500);
  } finally {
    await run('fsfreeze', ['-u', path]);
  }
}

async function runMemory(
  folder: string,
): Promise<{ readonly heapBytes: number; readonly queueBytes: number }> {
  await fs.mkdir(folder, { recursive: true });
  process.execArgv.push('--expose-gc');
  try {
    return await runCase('logger-memory-case', [LOGGERS, folder]);
  } finally {
    process.execArgv.pop();
  }
}

function of(results: Results, variant: string, what: 'callUs' | 'lateUs', key: keyof Quantiles): number {
  return median((results[variant] ?? []).map((result) => result[what][key]));
}

/** Medians of the rounds, and the p99.9 as a ratio to that without logging. */
function table(
  say: (line: string) => void,
  title: string,
  results: Results,
  what: 'callUs' | 'lateUs',
): void {
  say('');
  say(title);
  const heads = [
    '',
    'p50',
    'p99',
    'p99.9',
    'max',
    what === 'callUs' ? 'p50 of holdfast' : 'p99.9 of none',
    'dropped',
  ];
  const base =
    what === 'callUs' ? of(results, 'holdfast-both', what, 'p50') : of(results, 'none', what, 'p999');
  const rows = Object.keys(results).map((variant) => {
    const value = (key: keyof Quantiles): number => of(results, variant, what, key);
    const ratio = (what === 'callUs' ? value('p50') : value('p999')) / base;
    const dropped = median(results[variant]!.map((result) => result.dropped));
    return [
      variant,
      ...(['p50', 'p99', 'p999', 'max'] as const).map((key) => value(key).toFixed(2)),
      ratio.toFixed(2),
      String(dropped),
    ];
  });
  renderTable(
    heads.map((head, index) => ({ head, right: index > 0 })),
    rows,
  ).forEach((line) => say(line));
}
