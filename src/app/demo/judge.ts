import { numberingKey } from '../../core/message.js';
import type { VerifyReport } from '../../recordings/verify.js';
import type { FleetAccount } from './account.js';
import type { DemoPlan } from './demo-plan.js';
import type { DemoEvent, DemoResult } from './demo-result.js';
import type { Roles } from './roles.js';
import type { StoreCensus } from './store-census.js';

/** From the fleet's stamp to the recorder's receipt: one tick of the fleet, on a busy machine. */
const TRANSPORT_MS = 100;
/** Topics below this rate cannot show when a loss began. */
const FAST_PERIOD_NS = 25_000_000n;

export interface DemoEvidence {
  readonly account: FleetAccount;
  readonly census: StoreCensus;
  readonly verification: VerifyReport;
  readonly recorded: Record<string, unknown>;
  readonly drained: Record<string, unknown>;
  readonly roles: Roles;
  readonly plan: DemoPlan;
  readonly unreachableMs: number;
  readonly events: readonly DemoEvent[];
  readonly data: string;
  readonly store: string;
  readonly keep: boolean;
}

/** Whether all promises were kept, with every reason why not. */
export function judge(evidence: DemoEvidence): DemoResult {
  const { account, census, verification, roles, plan } = evidence;
  const { total } = account;
  const lostSpan = lostSpanMs(census);
  const findings = [
    ...verification.findings
      .filter(({ severity }) => severity === 'error')
      .map(({ where, what, expected, actual }) => `${where}: ${what}: expected ${expected}, found ${actual}`),
    ...(total.missing > 0 ? [`${total.missing} messages are neither stored nor explained by a gap`] : []),
    ...(total.duplicates > 0 ? [`${total.duplicates} messages are stored twice`] : []),
    ...(roles.recorderKills === 1 ? [] : ['the recorder was not killed']),
    ...(roles.syncKills === 1 ? [] : ['sync was not killed in mid-upload']),
    ...(lostSpan <= roles.statedBeforeKillMs + TRANSPORT_MS
      ? []
      : [
          `the kill lost ${lostSpan.toFixed(0)} ms, more than the stated ${roles.statedBeforeKillMs.toFixed(0)} ms`,
        ]),
  ];
  const uploadedOf = (robot: string): number =>
    census.manifests.filter((m) => m.robot === robot).reduce((sum, { messages }) => sum + messages, 0);
  const robots = Object.fromEntries(
    [...account.robots].map(([name, robot]) => [name, { ...robot, uploaded: uploadedOf(name) }]),
  );
  return {
    ok: findings.length === 0,
    ...total,
    uploaded: census.messages,
    verified: verification.ok ? verification.totals.objects : 0,
    objects: census.objects,
    bytes: census.bytes,
    recorderKills: roles.recorderKills,
    syncKills: roles.syncKills,
    resumedUploads: roles.resumedUploads,
    bytesResent: roles.bytesResent,
    maxLossWindowMs: round(roles.maxLossWindowMs),
    lostSpanMs: round(lostSpan),
    durationMs: plan.durationMs,
    unreachableMs: round(evidence.unreachableMs),
    robots,
    findings,
    events: evidence.events.map(({ atMs, what }) => ({ atMs: round(atMs), what })),
    data: evidence.data,
    store: evidence.store,
    kept: evidence.keep || findings.length > 0,
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

/**
 * From the stamp of the last message stored before a `lost_in_kill` gap to that of the last lost one, over
 * the fast topics: at least as long as the real loss, and at most one period longer.
 */
function lostSpanMs(census: StoreCensus): number {
  let longest = 0n;
  for (const { reason, robot, topic, firstSourceSequence: first, lastTime, count } of census.gaps) {
    if (reason !== 'lost_in_kill' || topic === undefined || first === undefined || lastTime === undefined)
      continue;
    const before = census.topics.get(numberingKey(robot, topic))?.stamps.get(first - 1);
    if (before === undefined) continue;
    const span = lastTime - before;
    if (count !== undefined && span / BigInt(count) <= FAST_PERIOD_NS && span > longest) longest = span;
  }
  return Number(longest) / 1e6;
}
