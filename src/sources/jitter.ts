/** Half to all of the delay, so that a fleet of recorders does not come back in step; the clock is the dice. */
export function withJitter(ms: number, ticks: bigint): number {
  return Math.ceil((ms / 2) * (1 + Number(ticks % 1_009n) / 1_009));
}
