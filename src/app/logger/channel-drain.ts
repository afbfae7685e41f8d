import type { RingReader } from '../../sources/logger/ring.js';
import type { EntryGap, EntrySink } from './entry-sink.js';

/** Entries moved at a time: between them other channels have their turn. */
const TURN = 2_000;
/** Gaps of one kind become one within this time. */
const GAP_MS = 1_000;

/** A sink that takes nothing for so long stands still: the others go on without it. */
const STALLED_MS = 500;

/** A sink, and the counters it keeps in the ring. */
export interface DrainTarget {
  readonly sink: EntrySink;
  readonly written: 'walWritten' | 'csvWritten';
  readonly lost: 'walLost' | 'csvLost';
}

/** What a drain has to say besides. */
export type DrainNews = (what: 'dropped' | 'rejected', gap: EntryGap) => void;

/** Moves the entries of one ring into its sinks, and tells them what is missing. */
export class ChannelDrain {
  /** Since when each sink has taken nothing, monotonic ms. */
  private readonly blockedAt: (number | undefined)[] = [];
  private lastTold = { dropped: 0, rejected: 0 };
  private toldAt = { dropped: -Infinity, rejected: -Infinity };

  constructor(
    private readonly ring: RingReader,
    private readonly targets: readonly DrainTarget[],
    private readonly news: DrainNews,
    nowUs: number,
  ) {
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
    return this.ring.entries === 0;
  }

  /** `now`: monotonic, ms. `all`: what is missing is told at once. */
  drain(now: number, all: boolean): void {
    const { ring, targets } = this;
    for (let moved = 0; moved < TURN && this.mayMove(now); moved++) {
      const entry = ring.take();
      if (entry === undefined) break;
      for (const { sink } of targets) {
        if (sink.canTake) sink.take(entry);
        else sink.lose(entry);
      }
    }
    this.tell('dropped', 'queue_full_drop_newest', now, all);
    this.tell('rejected', 'invalid_message', now, all);
  }

  /** One sink that stands still does not stop the other; a slow one is waited for, the ring keeping what it has. */
  private mayMove(now: number): boolean {
    let taking = 0;
    let slow = 0;
    this.targets.forEach(({ sink }, index) => {
      if (sink.canTake) {
        taking++;
        this.blockedAt[index] = undefined;
      } else if (now - (this.blockedAt[index] ??= now) < STALLED_MS) slow++;
    });
    return taking > 0 && slow === 0;
  }

  private tell(what: 'dropped' | 'rejected', reason: EntryGap['reason'], now: number, all: boolean): void {
    const { ring } = this;
    const told = what === 'dropped' ? 'droppedTold' : 'rejectedTold';
    const total = ring.count(what);
    const count = total - ring.count(told);
    if (count <= 0 || (!all && now - this.toldAt[what] < GAP_MS)) return;
    const first = ring.count(what === 'dropped' ? 'firstDropped' : 'firstRejected');
    const lastUs = ring.count(what === 'dropped' ? 'lastDropped' : 'lastRejected');
    // The same loss goes on, or another began since it was told.
    const firstUs = Math.min(lastUs, Math.max(first, this.lastTold[what]));
    this.toldAt[what] = now;
    this.lastTold[what] = lastUs;
    ring.set(told, total);
    const gap: EntryGap = { reason, count, firstUs, lastUs };
    for (const { sink } of this.targets) sink.gap(gap);
    this.news(what, gap);
  }
}
