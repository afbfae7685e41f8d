import type { RingReader } from './source/ring.js';
import type { EntryGap, EntrySink } from './entry-sink.js';

/** Number of entries moved at a time: between them, other channels have their turn. */
const TURN = 2_000;
/** Gaps of one kind within this time become one. */
const GAP_MS = 1_000;

/** A sink that accepts nothing for this long has stalled: the others continue without it. */
const STALLED_MS = 500;

/** A sink, and its counters in the ring. */
export interface DrainTarget {
  readonly sink: EntrySink;
  readonly written: 'walWritten' | 'csvWritten';
  readonly lost: 'walLost' | 'csvLost';
}

/** Further reports of a drain. */
export type DrainReport = (what: 'dropped' | 'rejected', gap: EntryGap) => void;

/** Moves the entries of one ring into its sinks, and reports missing ones to them. */
export class ChannelDrain {
  /** Since when each sink has accepted nothing, monotonic ms. */
  readonly #blockedAt: (number | undefined)[] = [];
  #lastTold = { dropped: 0, rejected: 0 };
  #toldAt = { dropped: -Infinity, rejected: -Infinity };

  readonly #ring: RingReader;
  readonly #targets: readonly DrainTarget[];
  readonly #report: DrainReport;

  constructor(ring: RingReader, targets: readonly DrainTarget[], report: DrainReport, nowUs: number) {
    this.#ring = ring;
    this.#targets = targets;
    this.#report = report;
    for (const { sink, written, lost } of targets) {
      const taken = ring.count('taken');
      const missing = taken - ring.count(written) - ring.count(lost);
      if (missing <= 0) continue;
      // An earlier thread took them and died; some of them may have arrived.
      ring.add(lost, missing);
      const detail = 'the thread that had taken them died; at most so many';
      sink.gap({ reason: 'lost_in_kill', count: missing, firstUs: nowUs, lastUs: nowUs, detail });
    }
  }

  get isEmpty(): boolean {
    return this.#ring.entries === 0;
  }

  /** `now`: monotonic, ms. `all`: report missing messages at once. */
  drain(now: number, all: boolean): void {
    const ring = this.#ring;
    const targets = this.#targets;
    for (let moved = 0; moved < TURN && this.#mayMove(now); moved++) {
      const entry = ring.take();
      if (entry === undefined) break;
      for (const { sink } of targets) {
        if (sink.canTake) sink.take(entry);
        else sink.lose(entry);
      }
    }
    this.#reportMissing('dropped', 'queue_full_drop_newest', now, all);
    this.#reportMissing('rejected', 'invalid_message', now, all);
  }

  /** A stalled sink does not stop the other; for a slow one it waits, while the ring keeps the entries. */
  #mayMove(now: number): boolean {
    let taking = 0;
    let slow = 0;
    this.#targets.forEach(({ sink }, index) => {
      if (sink.canTake) {
        taking++;
        this.#blockedAt[index] = undefined;
      } else if (now - (this.#blockedAt[index] ??= now) < STALLED_MS) slow++;
    });
    return taking > 0 && slow === 0;
  }

  #reportMissing(what: 'dropped' | 'rejected', reason: EntryGap['reason'], now: number, all: boolean): void {
    const ring = this.#ring;
    const told = what === 'dropped' ? 'droppedTold' : 'rejectedTold';
    const total = ring.count(what);
    const count = total - ring.count(told);
    if (count <= 0 || (!all && now - this.#toldAt[what] < GAP_MS)) return;
    const first = ring.count(what === 'dropped' ? 'firstDropped' : 'firstRejected');
    const lastUs = ring.count(what === 'dropped' ? 'lastDropped' : 'lastRejected');
    // The same loss continues, or another one began since the last report.
    const firstUs = Math.min(lastUs, Math.max(first, this.#lastTold[what]));
    this.#toldAt[what] = now;
    this.#lastTold[what] = lastUs;
    ring.set(told, total);
    const gap: EntryGap = { reason, count, firstUs, lastUs };
    for (const { sink } of this.#targets) sink.gap(gap);
    this.#report(what, gap);
  }
}
