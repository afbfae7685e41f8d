/**
 * Half to all of the delay, so that a fleet of recorders does not return at the same moment; the randomness
 * comes from the clock.
 */
export function withJitter(ms: number, ticks: bigint): number {
  return Math.ceil((ms / 2) * (1 + Number(ticks % 1_009n) / 1_009));
}
