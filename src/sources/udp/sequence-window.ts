/** The relation of a number to the previous ones. */
export type Arrival =
  | 'first'
  /** Newer than all previous ones. */
  | 'next'
  /** One of the missing ones, in time. */
  | 'reordered'
  /** Missing, but already counted as lost. */
  | 'late'
  | 'duplicate'
  /** Further behind than the window reaches. */
  | 'old'
  /** Further ahead than any loss explains: another numbering. */
  | 'jump';

/** Numbers that count as lost. */
export interface LostNumbers {
  readonly count: number;
  readonly ranges: number;
  readonly first: number;
  readonly last: number;
}

interface Hole {
  first: number;
  last: number;
  readonly sinceNs: bigint;
}

/** How many numbers a datagram may be late before it counts as lost. */
export const REORDER_WINDOW = 64;
/** How long a missing number may be late before it counts as lost, nanoseconds. */
export const REORDER_TIME_NS = 2_000_000_000n;
/** A larger jump is not accepted from a sender without authentication. */
export const MAX_JUMP = 1_000_000;

const UNSEEN = -1;

/**
 * The numbers of one stream of datagrams: which are new, late, duplicated or missing. It holds the last
 * {@link REORDER_WINDOW} numbers and the missing ones among them, for any input.
 */
export class SequenceWindow {
  #highest = UNSEEN;
  #first = UNSEEN;
  readonly #seen = new Float64Array(REORDER_WINDOW).fill(UNSEEN);
  #holes: Hole[] = [];
  #lost: LostNumbers | undefined;
  readonly #maxJump: number;

  /** @param maxJump a number that is further ahead counts as another numbering. */
  constructor(maxJump = MAX_JUMP) {
    this.#maxJump = maxJump;
  }

  get highest(): number {
    return this.#highest;
  }

  /** Classifies a number without adding it. */
  look(sequence: number): Arrival {
    if (this.#highest === UNSEEN) return 'first';
    if (sequence > this.#highest) return sequence - this.#highest > this.#maxJump ? 'jump' : 'next';
    if (this.#highest - sequence >= REORDER_WINDOW) return 'old';
    if (this.#seen[sequence % REORDER_WINDOW] === sequence) return 'duplicate';
    // Before the first received number nothing is missing: it was overtaken by it.
    if (sequence < this.#first || this.#holeOf(sequence) !== undefined) return 'reordered';
    return 'late';
  }

  /** Adds a number; `old`, `duplicate` and `jump` change nothing. */
  take(sequence: number, monotonicNs: bigint): Arrival {
    const arrival = this.look(sequence);
    if (arrival === 'old' || arrival === 'duplicate' || arrival === 'jump') return arrival;
    this.#seen[sequence % REORDER_WINDOW] = sequence;
    if (arrival === 'reordered') this.#fill(sequence);
    if (arrival === 'first') this.#first = sequence;
    if (arrival === 'next' && sequence > this.#highest + 1) {
      this.#holes.push({ first: this.#highest + 1, last: sequence - 1, sinceNs: monotonicNs });
    }
    if (arrival === 'first' || arrival === 'next') {
      this.#highest = sequence;
      this.#settle((hole) => Math.min(hole.last, sequence - REORDER_WINDOW));
    }
    return arrival;
  }

  /** Numbers that have been missing for too long count as lost; returns those not reported yet. */
  expire(monotonicNs: bigint): LostNumbers | undefined {
    this.#settle((hole) => (monotonicNs - hole.sinceNs >= REORDER_TIME_NS ? hole.last : -1));
    return this.#tell();
  }

  /** Stops waiting for missing numbers. */
  finish(): LostNumbers | undefined {
    this.#settle((hole) => hole.last);
    return this.#tell();
  }

  #tell(): LostNumbers | undefined {
    const lost = this.#lost;
    this.#lost = undefined;
    return lost;
  }

  /** Counts the part of each hole up to `through` as lost. */
  #settle(through: (hole: Hole) => number): void {
    if (this.#holes.length === 0) return;
    this.#holes = this.#holes.filter((hole) => {
      const last = through(hole);
      if (last < hole.first) return true;
      const { count = 0, ranges = 0, first = hole.first } = this.#lost ?? {};
      this.#lost = { count: count + last - hole.first + 1, ranges: ranges + 1, first, last };
      hole.first = last + 1;
      return hole.first <= hole.last;
    });
  }

  #holeOf(sequence: number): Hole | undefined {
    return this.#holes.find((hole) => hole.first <= sequence && sequence <= hole.last);
  }

  #fill(sequence: number): void {
    const hole = this.#holeOf(sequence);
    if (hole === undefined) return;
    const rest: Hole[] = [
      { first: hole.first, last: sequence - 1, sinceNs: hole.sinceNs },
      { first: sequence + 1, last: hole.last, sinceNs: hole.sinceNs },
    ];
    const parts = rest.filter(({ first, last }) => first <= last);
    this.#holes.splice(this.#holes.indexOf(hole), 1, ...parts);
  }
}
