import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchContext, BenchReport } from './bench-context.js';
import { runSmall, type SmallResult } from './small-case.js';
import { median } from './measure.js';

const SECONDS = 120;
const MB_PER_S = 5;
const LIMIT_BYTES = 256 * 2 ** 20;
const TARGET_MB = 100;

/** A recorder with `profile: small` at 5 MB/s, in a memory cgroup of 256 MiB: memory, losses, bytes on the disk. */
export async function benchSmall({ folder, scale, rounds, say }: BenchContext): Promise<BenchReport> {
  if (!existsSync('/sys/fs/cgroup/memory/memory.limit_in_bytes')) {
    return { results: null, misses: ['small: this machine has no memory cgroups of version 1'] };
  }
  const results: SmallResult[] = [];
  for (let round = 0; round < rounds; round++) {
    const data = join(folder, 'small');
    results.push(await runSmall(data, { seconds: Math.max(12, SECONDS * scale), limitBytes: LIMIT_BYTES }));
    await rm(data, { recursive: true, force: true });
  }
  const of = (name: keyof SmallResult): number => median(results.map((result) => result[name]));
  const lost = results.reduce((sum, { dropped }) => sum + dropped, 0);
  say('');
  say(
    `a recorder with profile small at ${MB_PER_S} MB/s, in a memory cgroup of 256 MiB (medians of ${rounds})`,
  );
  say(
    `  resident ${of('medianMb').toFixed(0)} MB, peak ${of('peakMb').toFixed(0)} MB; ${of('mbPerS').toFixed(2)} MB/s, ` +
      `${lost} dropped; CPU ${of('cpuPercent').toFixed(0)} % of a core; loss window ${of('maxLossWindowMs').toFixed(0)} ms`,
  );
  say(
    `  written to the disk: ${of('writtenPerByte').toFixed(2)} bytes for each byte recorded, ` +
      `which is ${(of('writtenPerByte') * MB_PER_S * 86.4).toFixed(0)} GB per day`,
  );
  const misses = [
    ...(of('peakMb') < TARGET_MB
      ? []
      : [`small: ${of('peakMb').toFixed(0)} MB resident, target ${TARGET_MB}`]),
    ...(lost === 0 ? [] : [`small: ${lost} messages dropped`]),
  ];
  return { results: { rounds: results }, misses };
}
