/** What happens to the fleet, and when. */
export interface GroundStep {
  readonly atMs: number;
  readonly what:
    | { readonly kind: 'cut' | 'mend' | 'kill-robot' | 'start-robot'; readonly robot: number }
    | { readonly kind: 'kill-ground' | 'start-ground' | 'kill-database' };
}

export const GROUND_DEMO_MIN_MS = 10_000;
export const GROUND_DEMO_MAX_MS = 3_600_000;

/** Everything scales with the duration: tunnels of a quarter of it, and a kill of each kind, one in a tunnel. */
export function planGroundDemo(durationMs: number, robots: number): readonly GroundStep[] {
  const at = (share: number): number => Math.round(durationMs * share);
  const robot = (index: number): number => index % robots;
  const down = Math.min(2_000, at(0.06));
  const steps: readonly GroundStep[] = [
    { atMs: at(0.1), what: { kind: 'cut', robot: robot(1) } },
    { atMs: at(0.18), what: { kind: 'kill-robot', robot: robot(2) } },
    { atMs: at(0.18) + down, what: { kind: 'start-robot', robot: robot(2) } },
    { atMs: at(0.28), what: { kind: 'kill-database' } },
    { atMs: at(0.35), what: { kind: 'mend', robot: robot(1) } },
    { atMs: at(0.42), what: { kind: 'cut', robot: robot(3) } },
    { atMs: at(0.45), what: { kind: 'cut', robot: robot(4) } },
    { atMs: at(0.52), what: { kind: 'kill-robot', robot: robot(3) } },
    { atMs: at(0.52) + down, what: { kind: 'start-robot', robot: robot(3) } },
    { atMs: at(0.6), what: { kind: 'kill-ground' } },
    { atMs: at(0.6) + down, what: { kind: 'start-ground' } },
    { atMs: at(0.7), what: { kind: 'mend', robot: robot(3) } },
    { atMs: at(0.78), what: { kind: 'mend', robot: robot(4) } },
    { atMs: at(0.85), what: { kind: 'kill-database' } },
  ];
  return steps.toSorted((a, b) => a.atMs - b.atMs);
}
