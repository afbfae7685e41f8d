import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { defined } from '../../src/core/defined.js';
import { systemClock } from '../../src/host/system-clock.js';
import type { Case } from './cases.js';
import { KILL_AFTER_S } from './cases.js';
import { recordProfile, type CpuSplit } from './cpu-split.js';
import { treeCpuSeconds, treeOf, treeResident } from '../process-tree.js';
import { Publisher, type BenchPrograms, type Published } from './publisher.js';
import { startRecorder, type RecorderName, type RecorderUnderTest } from './recorders.js';

/** Both recorders find 300 topics within this; the publisher says when they have. */
export const SETTLE_MS = 1_000;
/** After the last message, both recorders still record the messages in transit. */
export const TAIL_MS = 1_500;
const SAMPLE_MS = 100;

export interface CaseResult extends Published {
  readonly recorded: number;
  readonly lost: number;
  readonly duplicates: number;
  /** While the load ran, from the end of the warm-up until shortly after its end. */
  readonly cpuUsPerMessage: number;
  /** The same while it warmed up. Absent: it did not. */
  readonly warmUpUsPerMessage?: number;
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
  readonly programs: BenchPrograms;
  readonly folder: string;
  readonly seconds: number;
  /** Of load before them, in which JavaScript is compiled and memory is touched for the first time. */
  readonly warmUpSeconds: number;
  /** The environment of a domain not used before in this run, on a middleware. */
  nextEnvironment(middleware: string): NodeJS.ProcessEnv;
}

/** Whom to run, and on which middleware. */
export interface Contestant {
  readonly name: RecorderName;
  readonly middleware: string;
}

interface Started {
  readonly folder: string;
  readonly publisher: Publisher;
  readonly recorder: RecorderUnderTest;
}

/** Publisher and recorder, both fresh, which know each other; nothing is published yet. */
async function start(
  { name, middleware }: Contestant,
  load: Case,
  seconds: number,
  context: RosBenchContext,
): Promise<Started> {
  const env = context.nextEnvironment(middleware);
  const folder = join(context.folder, name);
  await fs.rm(folder, { recursive: true, force: true });
  const publisher = new Publisher(context.programs.publisher, load, seconds, env);
  const { floor } = context.programs;
  const recorder = await startRecorder(name, { folder, env, floor, load });
  const { program } = recorder;
  const ended = program.ended.then(() => {
    throw new Error(`${name} ended before it recorded anything:\n${program.output().slice(-2_000)}`);
  });
  await Promise.race([publisher.matched(), ended]);
  ended.catch(() => undefined);
  await systemClock.sleep(SETTLE_MS);
  return { folder, publisher, recorder };
}

/** One load, one recorder. */
export async function runCase(who: Contestant, load: Case, context: RosBenchContext): Promise<CaseResult> {
  const { seconds, warmUpSeconds } = context;
  const { folder, publisher, recorder } = await start(who, load, warmUpSeconds + seconds, context);
  const { pid } = recorder.program;
  let peak = 0;
  const sampler = setInterval(() => (peak = Math.max(peak, treeResident(pid))), SAMPLE_MS);
  const cpuAtStart = treeCpuSeconds(pid);
  publisher.go();
  await systemClock.sleep(warmUpSeconds * 1_000);
  const warmed = warmUpSeconds === 0 ? 0 : await publisher.count();
  const cpuBefore = treeCpuSeconds(pid);
  const published = await publisher.done((seconds + 60) * 1_000);
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
  // What is lost costs no CPU time; it is spread over the load.
  const share = recorded.messages / Math.max(1, published.published);
  const perMessage = (cpuSeconds: number, messages: number): number =>
    (cpuSeconds * 1e6) / Math.max(1, messages * share);
  return {
    ...published,
    recorded: recorded.distinct,
    lost: published.published - recorded.distinct,
    duplicates: recorded.messages - recorded.distinct,
    cpuUsPerMessage: perMessage(cpuAfter - cpuBefore, published.published - warmed),
    ...(warmed === 0 ? {} : { warmUpUsPerMessage: perMessage(cpuBefore - cpuAtStart, warmed) }),
    afterCpuUsPerMessage: perMessage(cpuEnd - cpuAfter, published.published),
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
    ...defined({ note: recorded.note }),
  };
}

/** Where the processor time of a recorder goes under a load, sampled in a run of its own: sampling costs too. */
export async function runProfile(who: Contestant, load: Case, context: RosBenchContext): Promise<CpuSplit> {
  const { folder, publisher, recorder } = await start(
    who,
    load,
    context.warmUpSeconds + context.seconds,
    context,
  );
  publisher.go();
  await systemClock.sleep(context.warmUpSeconds * 1_000);
  const profile = recordProfile(treeOf(recorder.program.pid), join(context.folder, 'perf.data'));
  await publisher.done((context.seconds + 60) * 1_000);
  const split = await profile.stop();
  await recorder.stop();
  await publisher.end();
  await fs.rm(folder, { recursive: true, force: true });
  return split;
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
export async function runKill(who: Contestant, load: Case, context: RosBenchContext): Promise<KillResult> {
  const { folder, publisher, recorder } = await start(who, load, KILL_AFTER_S + 5, context);
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
    ...defined({ note: recorded.note }),
  };
}
