import type { Every } from './export-options.js';

/** Decides per topic which messages are kept. */
export class Thinning {
  #seen = 0;
  #next: bigint | undefined;

  constructor(readonly every: Every | undefined) {}

  keeps(logTime: bigint): boolean {
    const { every } = this;
    if (every === undefined) return true;
    if ('count' in every) return this.#seen++ % every.count === 0;
    if (this.#next !== undefined && logTime < this.#next) return false;
    // On the interval's own grid, so that a late message does not shift all later ones.
    this.#next = (logTime / every.intervalNs + 1n) * every.intervalNs;
    return true;
  }
}

/** One {@link Thinning} for each topic of a robot. */
export class Thinnings {
  readonly #thinnings = new Map<string, Thinning>();

  constructor(readonly every: Every | undefined) {}

  of(robot: string, topic: string): Thinning {
    const key = JSON.stringify([robot, topic]);
    let thinning = this.#thinnings.get(key);
    if (thinning === undefined) this.#thinnings.set(key, (thinning = new Thinning(this.every)));
    return thinning;
  }
}
