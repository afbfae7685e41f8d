import type { LogLine } from '../../core/monitoring.js';

/** The last lines of the log, for later readers; bounded in number, and in length by their writer. */
export class RecentLines {
  /** Number of lines ever added: the newest has this number. */
  lastNumber = 0;
  readonly #ring: LogLine[] = [];

  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  add(line: LogLine): void {
    this.lastNumber++;
    this.#ring.push(line);
    if (this.#ring.length > this.#max) this.#ring.shift();
  }

  /** Oldest first. */
  all(): readonly LogLine[] {
    return [...this.#ring];
  }

  /** The lines after that number, if they are still there. */
  after(number: number): readonly LogLine[] {
    const fresh = Math.min(this.lastNumber - number, this.#ring.length);
    return fresh <= 0 ? [] : this.#ring.slice(-fresh);
  }
}
