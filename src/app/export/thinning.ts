import type { Every } from './export-options.js';

/** Decides per topic which messages stay. */
export class Thinning {
  #seen = 0;
  #next: bigint | undefined;

  constructor(readonly every: Every | undefined) {}

  keeps(logTime: bigint): boolean {
    const { every } = this;
    if (every === undefined) return true;
    if ('count' in every) return this.#seen++ % every.count === 0;
    if (this.#next !== undefined && logTime < this.#next) return false;
    // On the interval's own grid, so that a late message does not shift all that follow.
    this.#next = (logTime / every.intervalNs + 1n) * every.intervalNs;
    return true;
  }
}
