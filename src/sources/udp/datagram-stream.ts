import { MAX_JUMP, REORDER_WINDOW, SequenceWindow, type LostNumbers } from './sequence-window.js';

/** What happened to the number of a datagram. */
export type Order = 'next' | 'reordered' | 'late' | 'duplicate' | 'renumbered' | 'stale';

/**
 * The numbers of one sender's datagrams of one kind. It also detects when a sender without a session starts
 * counting again: a known number comes with another sending time, numbers far behind are sent later than the
 * previous ones or follow each other, or the count jumps.
 */
export class DatagramStream {
  #window: SequenceWindow;
  readonly #maxJump: number;
  readonly #sentNs = new BigInt64Array(REORDER_WINDOW);
  #sentOfHighest = 0n;
  #lastStale = -2;
  #told: LostNumbers | undefined;

  /** @param trusted the numbers are authenticated: they never start again and every jump is accepted. */
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

  /** Numbers that count as lost and were not reported yet. */
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

/** Merges two losses. */
export function merged(a: LostNumbers | undefined, b: LostNumbers | undefined): LostNumbers | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return { count: a.count + b.count, ranges: a.ranges + b.ranges, first: a.first, last: b.last };
}
