import { MAX_JUMP, REORDER_WINDOW, SequenceWindow, type LostNumbers } from './sequence-window.js';

/** What became of the number of a datagram. */
export type Order = 'next' | 'reordered' | 'late' | 'duplicate' | 'renumbered' | 'stale';

/**
 * The numbers of one sender's datagrams of one kind, and when a sender that has no session of its own begins
 * to count anew: a number that was there comes again with another time of sending, numbers far behind are
 * sent later than those before them or follow each other, or the count leaps.
 */
export class DatagramStream {
  #window: SequenceWindow;
  readonly #maxJump: number;
  readonly #sentNs = new BigInt64Array(REORDER_WINDOW);
  #sentOfHighest = 0n;
  #lastStale = -2;
  #told: LostNumbers | undefined;

  /** @param trusted the numbers are authenticated: they never begin anew and every leap is believed. */
  constructor(readonly trusted: boolean) {
    this.#maxJump = trusted ? Infinity : MAX_JUMP;
    this.#window = new SequenceWindow(this.#maxJump);
  }

  take(sequence: number, sentNs: bigint, monotonicNs: bigint): Order {
    const arrival = this.#window.look(sequence);
    if (this.#isAnew(arrival, sequence, sentNs)) {
      this.#told = merged(this.#told, this.#window.finish());
      this.#window = new SequenceWindow(this.#maxJump);
      this.#note(sequence, sentNs, monotonicNs);
      return 'renumbered';
    }
    if (arrival === 'duplicate') return 'duplicate';
    if (arrival === 'old') {
      this.#lastStale = sequence;
      return 'stale';
    }
    this.#note(sequence, sentNs, monotonicNs);
    return arrival === 'reordered' || arrival === 'late' ? arrival : 'next';
  }

  /** Numbers that count as lost and were not told yet. */
  lost(monotonicNs: bigint): LostNumbers | undefined {
    return this.#tell(this.#window.expire(monotonicNs));
  }

  finish(): LostNumbers | undefined {
    return this.#tell(this.#window.finish());
  }

  #isAnew(arrival: string, sequence: number, sentNs: bigint): boolean {
    if (this.trusted) return false;
    if (arrival === 'jump') return true;
    if (arrival === 'duplicate') return this.#sentNs[sequence % REORDER_WINDOW] !== sentNs;
    return arrival === 'old' && (sentNs > this.#sentOfHighest || sequence === this.#lastStale + 1);
  }

  #note(sequence: number, sentNs: bigint, monotonicNs: bigint): void {
    this.#window.take(sequence, monotonicNs);
    this.#sentNs[sequence % REORDER_WINDOW] = sentNs;
    if (sequence === this.#window.highest) {
      this.#sentOfHighest = sentNs;
      this.#lastStale = -2;
    }
  }

  #tell(lost: LostNumbers | undefined): LostNumbers | undefined {
    const all = merged(this.#told, lost);
    this.#told = undefined;
    return all;
  }
}

/** Two losses as one. */
export function merged(a: LostNumbers | undefined, b: LostNumbers | undefined): LostNumbers | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { count: a.count + b.count, ranges: a.ranges + b.ranges, first: a.first, last: b.last };
}
