/** When a process that died is started again. */
export interface RestartPolicy {
  /** Wait before the first restart, ms; doubles with each quick death. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** A process that ran this long starts over with the first delay. */
  readonly healthyAfterMs: number;
}

export const defaultRestartPolicy: RestartPolicy = {
  firstDelayMs: 250,
  maxDelayMs: 30_000,
  healthyAfterMs: 30_000,
};

/** Deaths in a row without a healthy run between them. */
export interface RestartState {
  readonly quickDeaths: number;
}

export const neverDied: RestartState = { quickDeaths: 0 };

/** The next state and the wait after a process died that had run for `ranForMs`. */
export function afterDeath(
  state: RestartState,
  ranForMs: number,
  policy: RestartPolicy,
): { readonly state: RestartState; readonly delayMs: number } {
  const quickDeaths = ranForMs >= policy.healthyAfterMs ? 1 : state.quickDeaths + 1;
  const doubled = policy.firstDelayMs * 2 ** Math.min(quickDeaths - 1, 30);
  return { state: { quickDeaths }, delayMs: Math.min(doubled, policy.maxDelayMs) };
}
