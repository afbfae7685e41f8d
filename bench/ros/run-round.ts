import { killCase, type Case } from './cases.js';
import type { CpuSplit } from './cpu-split.js';
import { SEGMENT_BYTES, type RecorderName } from './recorders.js';
import {
  runCase,
  runKill,
  runProfile,
  type CaseResult,
  type Contestant,
  type KillResult,
  type RosBenchContext,
} from './run-case.js';
import { runSteady } from './run-steady.js';

/** Of each recorder, a result per round. */
export type All<T> = Record<RecorderName, T[]>;

/** Everything measured on one middleware. */
export interface MiddlewareResults {
  readonly middleware: string;
  readonly cases: Map<Case, All<CaseResult>>;
  readonly kills: All<KillResult>;
  /** Of Holdfast, sampled once for each load. */
  readonly splits: Map<Case, CpuSplit>;
}

export interface RoundPlan {
  readonly recorders: readonly RecorderName[];
  readonly loads: readonly Case[];
  readonly withKill: boolean;
  /** Whether the processor time of each load is sampled, in the first round. */
  readonly isSplit: boolean;
  /** One process of each recorder records all loads of few topics, warmed up by them. The floor has nothing to warm up. */
  readonly isSteady: boolean;
}

const FLOOR_WARM_UP_S = 1;
/** A recorder stays subscribed to the topics of earlier loads. Hundreds of them would slow down every further load. */
const STEADY_MAX_TOPICS = 10;

export const noResults = (): All<never> => ({ holdfast: [], 'holdfast-late': [], rosbag2: [], floor: [] });

/** Each recorder under each load, once. */
export async function runRound(
  round: number,
  { middleware, cases, kills, splits }: MiddlewareResults,
  plan: RoundPlan,
  context: RosBenchContext,
): Promise<void> {
  // In turn, and each first as often as the other: what one leaves in the page cache must not favour it.
  const order = round % 2 === 0 ? plan.recorders : plan.recorders.toReversed();
  if (plan.isSteady) await runSteadily(order, { middleware, cases }, plan.loads, context);
  else await runEach(order, round, { middleware, cases, splits }, plan, context);
  if (!plan.withKill) return;
  for (const name of ['holdfast', 'rosbag2'] as const) {
    kills[name].push(await runKill({ name, middleware }, killCase, context));
  }
}

async function runEach(
  order: readonly RecorderName[],
  round: number,
  { middleware, cases, splits }: Omit<MiddlewareResults, 'kills'>,
  plan: RoundPlan,
  context: RosBenchContext,
): Promise<void> {
  for (const load of plan.loads) {
    const all = resultsOf(cases, load);
    const isSealed = load.sizeBytes * load.perS * context.seconds > SEGMENT_BYTES;
    for (const name of order) {
      if (name === 'holdfast-late' && !isSealed) continue;
      const result = await runCase({ name, middleware }, load, context);
      all[name].push(result);
      report({ name, middleware }, load, result);
    }
    if (plan.isSplit && round === 0) {
      splits.set(load, await runProfile({ name: 'holdfast', middleware }, load, context));
    }
  }
}

async function runSteadily(
  order: readonly RecorderName[],
  { middleware, cases }: Pick<MiddlewareResults, 'middleware' | 'cases'>,
  loads: readonly Case[],
  context: RosBenchContext,
): Promise<void> {
  const add = (name: RecorderName, load: Case, result: CaseResult): void => {
    resultsOf(cases, load)[name].push(result);
    report({ name, middleware }, load, result);
  };
  for (const name of order) {
    if (name === 'holdfast-late') continue;
    if (name === 'floor') {
      const brief = { ...context, warmUpSeconds: FLOOR_WARM_UP_S };
      for (const load of loads) add(name, load, await runCase({ name, middleware }, load, brief));
    } else {
      const together = loads.filter(({ topics }) => topics <= STEADY_MAX_TOPICS);
      for (const [load, result] of await runSteady({ name, middleware }, together, context)) {
        add(name, load, result);
      }
      for (const load of loads.filter((one) => !together.includes(one))) {
        add(name, load, await runCase({ name, middleware }, load, context));
      }
    }
  }
}

function resultsOf(cases: MiddlewareResults['cases'], load: Case): All<CaseResult> {
  const all = cases.get(load) ?? noResults();
  cases.set(load, all);
  return all;
}

function report({ name, middleware }: Contestant, load: Case, result: CaseResult): void {
  console.log(
    `  ${middleware}, ${load.name}, ${name}: published ${result.published}, lost ${result.lost}, ` +
      `${result.cpuUsPerMessage.toFixed(1)} us/msg, ${result.peakMb.toFixed(0)} MB`,
  );
}
