import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { systemClock } from '../../src/host/system-clock.js';
import { treeCpuSeconds, treeResident } from '../process-tree.js';
import type { Case } from './cases.js';
import { Publisher, type Published } from './publisher.js';
import { startRecorder, type RecorderUnderTest } from './recorders.js';
import { SETTLE_MS, TAIL_MS, type CaseResult, type Contestant, type RosBenchContext } from './run-case.js';

const SAMPLE_MS = 100;
/** The work of the load before is over if a recorder takes less than this share of a core. */
const IDLE_SHARE = 0.05;
const IDLE_SAMPLE_MS = 500;
const IDLE_PATIENCE_MS = 30_000;

interface Measured {
  readonly published: Published;
  readonly prefix: string;
  readonly cpuSeconds: number;
  readonly peakMb: number;
  readonly commits: Pick<CaseResult, 'commitP50Ms' | 'commitP99Ms' | 'maxLossWindowMs'>;
}

/**
 * All loads, one after the other, recorded by one process: first each as a warm-up, then each measured. That is the
 * state of a recorder that runs for hours. The peak memory is that of the process so far.
 */
export async function runSteady(
  { name, middleware }: Contestant,
  loads: readonly Case[],
  context: RosBenchContext,
): Promise<ReadonlyMap<Case, CaseResult>> {
  const env = context.nextEnvironment(middleware);
  const folder = join(context.folder, name);
  await fs.rm(folder, { recursive: true, force: true });
  const { floor, publisher: path } = context.programs;
  const topics = Math.max(...loads.map((load) => load.topics));
  const recorder = await startRecorder(name, { folder, env, floor, load: { topics } });
  const measured = new Map<Case, Measured>();
  for (const [pass, seconds] of [context.warmUpSeconds, context.seconds].entries()) {
    for (const [index, load] of loads.entries()) {
      const prefix = `/bench/pass${pass}/load${index}`;
      const publisher = new Publisher(path, load, seconds, env, prefix);
      measured.set(load, await measure(recorder, publisher, prefix, seconds));
    }
  }
  await recorder.stop();
  const recorded = await recorder.recordedByTopic();
  await fs.rm(folder, { recursive: true, force: true });
  return new Map(loads.map((load) => [load, resultOf(present(measured.get(load)), recorded)]));
}

async function measure(
  recorder: RecorderUnderTest,
  publisher: Publisher,
  prefix: string,
  seconds: number,
): Promise<Measured> {
  const { pid } = recorder.program;
  await publisher.matched();
  await systemClock.sleep(SETTLE_MS);
  await untilIdle(pid);
  let peak = 0;
  const sampler = setInterval(() => (peak = Math.max(peak, treeResident(pid))), SAMPLE_MS);
  const cpuBefore = treeCpuSeconds(pid);
  publisher.go();
  const published = await publisher.done((seconds + 60) * 1_000);
  await systemClock.sleep(TAIL_MS);
  const cpuSeconds = treeCpuSeconds(pid) - cpuBefore;
  clearInterval(sampler);
  const status = await recorder.status();
  await publisher.end();
  const commits =
    status === undefined
      ? {}
      : {
          commitP50Ms: status.commits.p50Ms,
          commitP99Ms: status.commits.p99Ms,
          maxLossWindowMs: status.lossWindow.maxMs,
        };
  return { published, prefix, cpuSeconds, peakMb: peak / 1e6, commits };
}

async function untilIdle(pid: number): Promise<void> {
  for (let waited = 0; waited < IDLE_PATIENCE_MS; waited += IDLE_SAMPLE_MS) {
    const before = treeCpuSeconds(pid);
    await systemClock.sleep(IDLE_SAMPLE_MS);
    if (treeCpuSeconds(pid) - before <= (IDLE_SHARE * IDLE_SAMPLE_MS) / 1_000) return;
  }
}

function resultOf(
  { published, prefix, cpuSeconds, peakMb, commits }: Measured,
  byTopic: ReadonlyMap<string, number>,
): CaseResult {
  const recorded = [...byTopic]
    .filter(([topic]) => topic.startsWith(`${prefix}/`))
    .reduce((sum, [, count]) => sum + count, 0);
  return {
    ...published,
    recorded,
    lost: published.published - recorded,
    duplicates: 0,
    cpuUsPerMessage: (cpuSeconds * 1e6) / Math.max(1, recorded),
    afterCpuUsPerMessage: 0,
    afterSeconds: 0,
    peakMb,
    fileMb: 0,
    ...commits,
  };
}
