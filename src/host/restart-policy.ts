/** When to start a process again that has died. */
export interface RestartPolicy {
  /** Delay of the first restart, ms; doubles with each quick death. */
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** After a process has run for this long, the delay starts from the first one again. */
  readonly healthyAfterMs: number;
}

export const defaultRestartPolicy: RestartPolicy = {
  firstDelayMs: 250,
  maxDelayMs: 30_000,
  healthyAfterMs: 30_000,
};

/** Consecutive deaths without a healthy run between them. */
export interface RestartState {
  readonly quickDeaths: number;
}

export const neverDied: RestartState = { quickDeaths: 0 };

/** The next state and the delay after a process died that had run for `ranForMs`. */
export function afterDeath(
  state: RestartState,
  ranForMs: number,
  policy: RestartPolicy,
): { readonly state: RestartState; readonly delayMs: number } {
  const quickDeaths = ranForMs >= policy.healthyAfterMs ? 1 : state.quickDeaths + 1;
  const doubled = policy.firstDelayMs * 2 ** Math.min(quickDeaths - 1, 30);
  return { state: { quickDeaths }, delayMs: Math.min(doubled, policy.maxDelayMs) };
}
