import { join } from 'node:path';
import { NS_PER_MS, type Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { FileHandle } from '../../core/file-system.js';
import type { DataPlace } from './data-folder.js';
import { findingsOf, type Finding } from './finding.js';
import type { Machine } from './machine.js';

/** One commit of the recorder on a quiet robot. */
const COMMIT_BYTES = 64 * 1024;
const COMMITS = 100;
const COMMITS_MS = 2_000;
/** One stretch of large payloads. */
const STRETCH_BYTES = 32 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;

/** Median of a commit: above the first the loss window grows, above the second messages wait in memory. */
const SLOW_MS = 30;
const UNUSABLE_MS = 500;
/** One commit that takes this long. */
const HANGS_MS = 1_000;

export interface DiskSpeed {
  /** Milliseconds of a commit (write and fdatasync). */
  readonly medianMs: number;
  readonly worstMs: number;
  /** Megabytes (10^6 bytes) per second of one long write with an fdatasync. */
  readonly mbPerS: number;
}

/**
 * Measures how fast the disk takes commits: up to 100 of 64 KiB within two seconds, each with fdatasync, then one
 * stretch of 32 MiB. The file is removed afterwards.
 */
export async function measureDisk({ fs, clock }: Machine, folder: string): Promise<DiskSpeed> {
  const path = join(folder, `.holdfast-doctor-${process.pid}`);
  const handle = await fs.open(path, 'wx', 0o600);
  try {
    const times = await timeCommits(handle, clock);
    const sorted = times.toSorted((a, b) => a - b);
    const ms = await timed(clock, async () => {
      const piece = noise(PIECE_BYTES);
      for (let at = 0; at < STRETCH_BYTES; at += PIECE_BYTES) await handle.writeFile(piece);
      await handle.datasync();
    });
    return {
      medianMs: sorted[Math.floor(sorted.length / 2)] ?? 0,
      worstMs: sorted.at(-1) ?? 0,
      mbPerS: STRETCH_BYTES / 1e6 / (Math.max(ms, 0.001) / 1e3),
    };
  } finally {
    await handle.close();
    await fs.rm(path, { force: true });
  }
}

async function timeCommits(handle: FileHandle, clock: Clock): Promise<number[]> {
  const piece = noise(COMMIT_BYTES);
  const times: number[] = [];
  const until = clock.monotonic() + BigInt(COMMITS_MS) * NS_PER_MS;
  while (times.length < COMMITS && clock.monotonic() < until) {
    times.push(
      await timed(clock, async () => {
        await handle.writeFile(piece);
        await handle.datasync();
      }),
    );
  }
  return times;
}

async function timed(clock: Clock, run: () => Promise<void>): Promise<number> {
  const begin = clock.monotonic();
  await run();
  return Number(clock.monotonic() - begin) / 1e6;
}

/** Some disks compress. */
function noise(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = 1;
  for (let at = 0; at < bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    buffer.writeUInt32LE(state, at);
  }
  return buffer;
}

/** Whether the disk is fast enough for group commits. */
export async function checkDiskSpeed(machine: Machine, { existing }: DataPlace): Promise<Finding> {
  const { unknown } = findingsOf('disk speed');
  try {
    const { bavail, bsize } = await machine.fs.statfs(existing);
    if (bavail * bsize < 4 * STRETCH_BYTES) return unknown('not measured: too little free space');
    return judgeSpeed(await measureDisk(machine, existing));
  } catch (error) {
    return unknown(`not measured: ${describeError(error)}`);
  }
}

export function judgeSpeed({ medianMs, worstMs, mbPerS }: DiskSpeed): Finding {
  const { ok, warn, bad } = findingsOf('disk speed');
  const text =
    `a commit takes ${medianMs.toFixed(1)} ms (median; slowest ${worstMs.toFixed(0)} ms), ` +
    `long writes reach ${mbPerS.toFixed(0)} MB/s`;
  const remedy = 'use a faster disk or card for --data (an SSD, or an SD card of class A2)';
  if (medianMs > UNUSABLE_MS) return bad(text, remedy);
  return medianMs > SLOW_MS || worstMs > HANGS_MS ? warn(text, remedy) : ok(text);
}
