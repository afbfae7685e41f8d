/** When things happen in the demo, milliseconds from its start. Everything scales with the duration. */
export interface DemoPlan {
  readonly durationMs: number;
  /** The store cannot be reached from here ... */
  readonly tunnelFromMs: number;
  /** ... to here: a third of the time. */
  readonly tunnelToMs: number;
  /** The recorder is killed inside the tunnel, when its data has no second copy. */
  readonly recorderKillMs: number;
  /** From here on, sync is killed as soon as it is in the middle of an upload. */
  readonly syncKillFromMs: number;
  /** How long a killed process stays dead. */
  readonly restartAfterMs: number;
  /** Sealed often, so that a short demo has several segments. */
  readonly segmentMaxAgeMs: number;
}

/** If it is shorter, the kills coincide. */
export const DEMO_MIN_MS = 8_000;
export const DEMO_MAX_MS = 24 * 3_600_000;

export function planDemo(durationMs: number): DemoPlan {
  const at = (share: number): number => Math.round(durationMs * share);
  return {
    durationMs,
    tunnelFromMs: at(0.25),
    tunnelToMs: at(0.25 + 1 / 3),
    recorderKillMs: at(0.42),
    syncKillFromMs: at(0.25 + 1 / 3) + 200,
    restartAfterMs: Math.min(1_500, at(0.04)),
    segmentMaxAgeMs: Math.max(1_500, Math.min(10_000, at(0.1))),
  };
}

export type DemoPhase = 'warming up' | 'online' | 'in the tunnel' | 'back online' | 'draining' | 'verifying';

export function phaseAt(plan: DemoPlan, elapsedMs: number): DemoPhase {
  if (elapsedMs >= plan.durationMs) return 'draining';
  if (elapsedMs >= plan.tunnelToMs) return 'back online';
  return elapsedMs >= plan.tunnelFromMs ? 'in the tunnel' : 'online';
}
