import type { LogLine } from '../../core/monitoring.js';

/** The last lines of the log, for whoever looks later; bounded in number, and each in length by its maker. */
export class RecentLines {
  /** Lines ever added: the newest has this number. */
  lastNumber = 0;
  private readonly ring: LogLine[] = [];

  constructor(private readonly max: number) {}

  add(line: LogLine): void {
    this.lastNumber++;
    this.ring.push(line);
    if (this.ring.length > this.max) this.ring.shift();
  }

  /** Oldest first. */
  all(): readonly LogLine[] {
    return [...this.ring];
  }

  /** Those after the line of that number, as far as they are still there. */
  after(number: number): readonly LogLine[] {
    const fresh = Math.min(this.lastNumber - number, this.ring.length);
    return fresh <= 0 ? [] : this.ring.slice(-fresh);
  }
}
