import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mainScript } from '../src/app/setup/main-script.js';
import { nodeFlags, smallEnvironment, smallNodeFlags } from '../src/core/node-flags.js';
import { present } from '../src/core/present.js';
import { systemClock } from '../src/host/system-clock.js';
import { cpuSeconds, median, resident } from './measure.js';

const CGROUPS = '/sys/fs/cgroup/memory';
/** 5 MB/s of 10 kB; half of each payload is noise. */
const FLOOD = 'sim:?shape=flood&channels=10&robots=2&size=10000&rate=500&entropy=0.5';

/** One run: megabytes of 1,000,000 bytes, CPU in percent of one core. */
export interface SmallResult {
  readonly medianMb: number;
  readonly peakMb: number;
  readonly mbPerS: number;
  readonly dropped: number;
  readonly cpuPercent: number;
  readonly maxLossWindowMs: number;
  /** Bytes that the kernel wrote to the disk for the process, for each byte that was recorded. */
  readonly writtenPerByte: number;
}

/** Runs a recorder with `profile: small` in a memory cgroup of its own. Throws if no cgroup can be made. */
export async function runSmall(
  data: string,
  { seconds, limitBytes }: { readonly seconds: number; readonly limitBytes: number },
): Promise<SmallResult> {
  const group = join(CGROUPS, `holdfast-small-${process.pid}`);
  await mkdir(group);
  try {
    await writeFile(join(group, 'memory.limit_in_bytes'), String(limitBytes));
    return await record(group, data, Math.round(seconds));
  } finally {
    await rmdir(group).catch(() => undefined);
  }
}

async function record(group: string, data: string, seconds: number): Promise<SmallResult> {
  const command = [
    process.execPath,
    ...process.execArgv,
    ...nodeFlags,
    ...smallNodeFlags,
    mainScript,
    'record',
  ];
  const options = ['--json', '--log-level', 'error', '--profile', 'small', '--data', data];
  const source = ['--source', `${FLOOD}&duration=${seconds}s`];
  const enter = `echo $$ > ${join(group, 'cgroup.procs')} && exec "$@"`;
  const child = spawn('/bin/sh', ['-c', enter, 'sh', ...command, ...options, ...source], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...smallEnvironment },
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  const closed = once(child, 'close') as Promise<[number | null]>;
  const pid = present(child.pid);
  // Start-up is not the load.
  await systemClock.sleep(2_000);
  const [start, cpuStart] = [performance.now(), cpuSeconds(pid)];
  const samples: number[] = [];
  let [peak, written, cpu] = [0, 0, 0];
  while (performance.now() - start < (seconds - 3) * 1_000 && child.exitCode === null) {
    const { now, peak: most } = resident(pid);
    samples.push(now);
    [peak, written] = [most, writtenBytes(pid)];
    cpu = (cpuSeconds(pid) - cpuStart) / ((performance.now() - start) / 1_000);
    await systemClock.sleep(250);
  }
  const recordedByThen = ((performance.now() - start) / 1_000 + 2) * 5e6;
  const [exitCode] = await closed;
  if (exitCode !== 0) throw new Error(`the recorder ended with ${String(exitCode)}`);
  const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as {
    durableBytes: number;
    dropped: number;
    maxLossWindowMs: number;
  };
  return {
    medianMb: median(samples) / 1e6,
    peakMb: peak / 1e6,
    mbPerS: summary.durableBytes / 1e6 / seconds,
    dropped: summary.dropped,
    cpuPercent: 100 * cpu,
    maxLossWindowMs: summary.maxLossWindowMs,
    writtenPerByte: written / recordedByThen,
  };
}

/** The ballast, which is written once, is not counted. */
function writtenBytes(pid: number): number {
  const bytes = Number(/^write_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
  return Math.max(0, bytes - BALLAST_BYTES);
}

/** Two and a half segments of 16 MiB. */
const BALLAST_BYTES = 40 * 2 ** 20;
