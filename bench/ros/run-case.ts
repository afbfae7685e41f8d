import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../src/app/system/system-clock.js';
import type { Case } from './cases.js';
import { KILL_AFTER_S } from './cases.js';
import { treeCpuSeconds, treeResident } from './process-tree.js';
import { Publisher, type Published } from './publisher.js';
import { startRecorder, type RecorderName } from './recorders.js';

/** Both recorders find 300 topics within this; the publisher says when they have. */
const SETTLE_MS = 1_000;
/** After the last message: what is on its way is still recorded by both. */
const TAIL_MS = 1_500;
const SAMPLE_MS = 100;

export interface CaseResult extends Published {
  readonly recorded: number;
  readonly lost: number;
  readonly duplicates: number;
  /** While the load ran, until shortly after its end. */
  readonly cpuUsPerMessage: number;
  /** From then until the recorder had ended: sealing, flushing. */
  readonly afterCpuUsPerMessage: number;
  readonly afterSeconds: number;
  readonly peakMb: number;
  readonly fileMb: number;
  /** Of the lost ones, those the recorder itself counted as dropped. */
  readonly dropped?: number;
  readonly commitP50Ms?: number;
  readonly commitP99Ms?: number;
  readonly maxLossWindowMs?: number;
  readonly note?: string;
}

export interface RosBenchContext {
  readonly publisher: string;
  readonly folder: string;
  readonly seconds: number;
  /** The environment of a domain not used before in this run. */
  nextEnvironment(): NodeJS.ProcessEnv;
}

/** One load, one recorder, both fresh. */
export async function runCase(name: RecorderName, load: Case, context: RosBenchContext): Promise<CaseResult> {
  const env = context.nextEnvironment();
  const folder = join(context.folder, name);
  await fs.rm(folder, { recursive: true, force: true });
  const publisher = new Publisher(context.publisher, load, context.seconds, env);
  const recorder = startRecorder(name, folder, env);
  const { pid } = recorder.program;
  await publisher.matched();
  await systemClock.sleep(SETTLE_MS);
  let peak = 0;
  const sampler = setInterval(() => (peak = Math.max(peak, treeResident(pid))), SAMPLE_MS);
  const cpuBefore = treeCpuSeconds(pid);
  publisher.go();
  const published = await publisher.done((context.seconds + 60) * 1_000);
  await systemClock.sleep(TAIL_MS);
  const cpuAfter = treeCpuSeconds(pid);
  const status = await recorder.status();
  const endOfLoad = performance.now();
  // Read until it has gone: its last CPU time is in its parent, which is us.
  let cpuEnd = cpuAfter;
  const cpuSampler = setInterval(() => (cpuEnd = Math.max(cpuEnd, treeCpuSeconds(pid))), SAMPLE_MS / 5);
  await recorder.stop();
  clearInterval(cpuSampler);
  clearInterval(sampler);
  const afterSeconds = (performance.now() - endOfLoad) / 1_000;
  await publisher.end();
  const recorded = await recorder.recorded();
  await fs.rm(folder, { recursive: true, force: true });
  const perMessage = (seconds: number): number => (seconds * 1e6) / Math.max(1, recorded.messages);
  return {
    ...published,
    recorded: recorded.distinct,
    lost: published.published - recorded.distinct,
    duplicates: recorded.messages - recorded.distinct,
    cpuUsPerMessage: perMessage(cpuAfter - cpuBefore),
    afterCpuUsPerMessage: perMessage(cpuEnd - cpuAfter),
    afterSeconds,
    peakMb: peak / 1e6,
    fileMb: recorded.bytes / 1e6,
    ...(status === undefined
      ? {}
      : {
          commitP50Ms: status.commits.p50Ms,
          commitP99Ms: status.commits.p99Ms,
          maxLossWindowMs: status.lossWindow.maxMs,
          dropped: status.totals.dropped,
        }),
    ...(recorded.note === undefined ? {} : { note: recorded.note }),
  };
}

export interface KillResult {
  readonly published: number;
  readonly recorded: number;
  readonly lost: number;
  readonly fileBytes: number;
  /** The largest time from receipt to fsync until the kill, as the recorder's status said. */
  readonly maxLossWindowMs?: number;
  readonly note?: string;
}

/** `kill -9` in the middle of the load, and what can be read afterwards. */
export async function runKill(name: RecorderName, load: Case, context: RosBenchContext): Promise<KillResult> {
  const env = context.nextEnvironment();
  const folder = join(context.folder, name);
  await fs.rm(folder, { recursive: true, force: true });
  const publisher = new Publisher(context.publisher, load, KILL_AFTER_S + 5, env);
  const recorder = startRecorder(name, folder, env);
  await publisher.matched();
  await systemClock.sleep(SETTLE_MS);
  publisher.go();
  await systemClock.sleep(KILL_AFTER_S * 1_000);
  const status = await recorder.status();
  const killed = recorder.program.stop('SIGKILL');
  const published = await publisher.count();
  await killed;
  await publisher.end();
  const recorded = await recorder.recorded();
  await fs.rm(folder, { recursive: true, force: true });
  return {
    published,
    recorded: recorded.distinct,
    lost: Math.max(0, published - recorded.distinct),
    fileBytes: recorded.bytes,
    ...(status === undefined ? {} : { maxLossWindowMs: status.lossWindow.maxMs }),
    ...(recorded.note === undefined ? {} : { note: recorded.note }),
  };
}
