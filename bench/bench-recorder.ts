import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { renderTable } from '../src/host/human.js';
import { mainScript } from '../src/app/setup/main-script.js';
import { systemClock } from '../src/host/system-clock.js';
import { nodeFlags } from '../src/core/node-flags.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { cpuSeconds, resident } from './measure.js';
import { runCase } from './run-child.js';

const IDLE_SECONDS = 60;
const IDLE_MAX_CPU_PERCENT = 2;

interface Load {
  readonly name: string;
  /** Options of the flood, without its duration. */
  readonly flood: string;
  readonly seconds: number;
  readonly mbPerS: number;
  readonly maxResidentMb?: number;
}

/** Half of each payload is noise: sensor data compresses, but not to nothing. */
const loads: readonly Load[] = [
  {
    name: '50 MB/s of 10 kB',
    flood: 'channels=10&robots=2&size=10000&rate=5000&entropy=0.5',
    seconds: 60,
    mbPerS: 50,
    maxResidentMb: 150,
  },
  {
    name: '60 MB/s of 1 kB, sealing beside it',
    flood: 'channels=10&robots=2&size=1000&rate=60000&entropy=0.5',
    seconds: 180,
    mbPerS: 60,
  },
  {
    name: '120 MB/s of 100 kB, sealing beside it',
    flood: 'channels=10&robots=2&size=100000&rate=1200&entropy=0.5',
    seconds: 180,
    mbPerS: 120,
  },
];

interface LoadResult {
  readonly mbPerS: number;
  readonly dropped: number;
  readonly cpuPercent: number;
  readonly peakMb: number;
  readonly medianMb: number;
  readonly maxLossWindowMs: number;
  readonly sealedBytesPerRawByte: number;
  readonly drainSeconds: number;
}

/** The real recorder process under sustained loads: keeps up, memory, CPU, size on disk. */
export async function benchRecorder({ folder, scale, say }: BenchContext): Promise<BenchReport> {
  const results: Record<string, LoadResult> = {};
  const misses: string[] = [];
  for (const load of loads) {
    const result = await runLoad(load, Math.max(5, load.seconds * scale), join(folder, 'recorder'));
    results[load.name] = result;
    if (result.dropped > 0) misses.push(`${load.name}: ${result.dropped} messages dropped`);
    if (result.mbPerS < 0.97 * load.mbPerS && load.mbPerS > 1) {
      misses.push(`${load.name}: ${result.mbPerS.toFixed(1)} MB/s`);
    }
    if (load.maxResidentMb !== undefined && result.peakMb > load.maxResidentMb) {
      misses.push(`${load.name}: ${result.peakMb.toFixed(0)} MB resident, target ${load.maxResidentMb}`);
    }
  }
  say('');
  say('the recorder process under load (CPU in percent of one core, memory resident)');
  const heads = [
    '',
    'MB/s',
    'dropped',
    'CPU %',
    'peak MB',
    'median MB',
    'loss window ms',
    'sealed/raw',
    'drain s',
  ];
  const rows = Object.entries(results).map(([name, r]) => [
    name,
    r.mbPerS.toFixed(1),
    String(r.dropped),
    r.cpuPercent.toFixed(1),
    r.peakMb.toFixed(0),
    r.medianMb.toFixed(0),
    r.maxLossWindowMs.toFixed(0),
    r.sealedBytesPerRawByte.toFixed(3),
    r.drainSeconds.toFixed(1),
  ]);
  renderTable(
    heads.map((head, i) => ({ head, right: i > 0 })),
    rows,
  ).forEach((line) => say(line));
  const idle = await runCase<{ cpuPercent: number; residentMb: number }>('idle-case', [
    Math.max(10, IDLE_SECONDS * scale),
    join(folder, 'idle'),
  ]);
  say(
    `idle with 300 quiet topics: ${idle.cpuPercent.toFixed(2)} % of a core, ${idle.residentMb.toFixed(0)} MB resident`,
  );
  if (idle.cpuPercent > IDLE_MAX_CPU_PERCENT) {
    misses.push(`idle: ${idle.cpuPercent.toFixed(1)} % of a core, target ${IDLE_MAX_CPU_PERCENT}`);
  }
  return { results: { ...results, idle }, misses };
}

async function runLoad(load: Load, seconds: number, data: string): Promise<LoadResult> {
  await rm(data, { recursive: true, force: true });
  const source = `sim:?shape=flood&${load.flood}&duration=${Math.round(seconds)}s`;
  const child = spawn(
    process.execPath,
    [
      ...process.execArgv,
      // As the installed command starts.
      ...nodeFlags,
      mainScript,
      'record',
      '--json',
      '--log-level',
      'error',
      '--source',
      source,
      '--data',
      data,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  const closed = once(child, 'close');
  const pid = child.pid as number;
  // Start-up (loading the program, recovery) is not the load.
  await systemClock.sleep(2_000);
  const samples: number[] = [];
  const start = performance.now();
  const cpuStart = cpuSeconds(pid);
  const measuredMs = Math.max(1_000, (seconds - 4) * 1_000);
  while (performance.now() - start < measuredMs && child.exitCode === null) {
    samples.push(resident(pid).now);
    await systemClock.sleep(250);
  }
  const cpuPercent = ((cpuSeconds(pid) - cpuStart) / ((performance.now() - start) / 1000)) * 100;
  const peak = resident(pid).peak;
  const endOfLoad = performance.now() + 2_000;
  await closed;
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as {
    durableBytes: number;
    dropped: number;
    maxLossWindowMs: number;
  };
  const sealed = await sealedBytes(data);
  await rm(data, { recursive: true, force: true });
  samples.sort((a, b) => a - b);
  return {
    mbPerS: summary.durableBytes / 1e6 / Math.round(seconds),
    dropped: summary.dropped,
    cpuPercent,
    peakMb: peak / 1e6,
    medianMb: (samples[samples.length >> 1] ?? 0) / 1e6,
    maxLossWindowMs: summary.maxLossWindowMs,
    sealedBytesPerRawByte: sealed / Math.max(1, summary.durableBytes),
    drainSeconds: Math.max(0, (performance.now() - endOfLoad) / 1000),
  };
}

async function sealedBytes(data: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(join(data, 'sealed'))) {
    if (name.endsWith('.mcap')) bytes += (await stat(join(data, 'sealed', name))).size;
  }
  return bytes;
}
