import { join } from 'node:path';
import { openLog } from '../src/log/entry.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median, quantile } from './measure.js';

const CALLS = 50_000;
/** Calls in one go, before the event loop writes. */
const BURST = 100;
const TARGET_US = 20;

/** What one call of the operational log costs its caller, with three facts, a file and no terminal. */
export async function benchLog({ rounds, folder, scale, say }: BenchContext): Promise<BenchReport> {
  const calls = Math.max(BURST, Math.round(CALLS * scale));
  const medians: number[] = [];
  const tails: number[] = [];
  let dropped = 0;
  for (let round = 0; round < rounds + 1; round++) {
    const log = openLog({ file: join(folder, `bench-log-${round}.log`), role: 'bench' });
    const took: number[] = [];
    for (let i = 0; i < calls;) {
      for (let k = 0; k < BURST; k++, i++) {
        const before = performance.now();
        log.info('a segment is sealed', { segment: '000000000001', robot: 'robot_1', bytes: i });
        took.push((performance.now() - before) * 1_000);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await log.close();
    // The first warms up.
    if (round === 0) continue;
    dropped += log.stats().droppedLines;
    medians.push(median(took));
    tails.push(quantile(took, 0.999));
  }
  const [callUs, p999Us] = [median(medians), median(tails)];
  say('');
  say(
    `log: ${callUs.toFixed(2)} us per call (target ${TARGET_US}), p99.9 ${p999Us.toFixed(1)} us, ${dropped} dropped`,
  );
  const misses = callUs > TARGET_US ? [`log ${callUs.toFixed(1)} us per call, target ${TARGET_US}`] : [];
  return { results: { logCallUs: callUs, logCallP999Us: p999Us, dropped }, misses };
}
