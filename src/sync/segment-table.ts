import type { Priority } from '../core/message.js';
import type { ProgressRecord } from './progress-record.js';
import type { SyncOptions } from './sync-options.js';

/** `skipped`: the sink does not take this segment. `held`: the upload policy keeps it here. */
export type SegmentState = 'pending' | 'active' | 'verified' | 'parked' | 'skipped' | 'held';

/** What sync keeps in memory per sealed segment. It is small, because there may be tens of thousands. */
export interface SegmentEntry {
  /** The sealed file's name without `.mcap`. Sorts by age. */
  readonly name: string;
  readonly robot: string;
  readonly bytes: number;
  readonly priority: Priority;
  /** Decimal nanoseconds since the Unix epoch. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  /** Appeared while this process was running, so nothing of it can be in the store yet. */
  readonly fresh: boolean;
  /** It overlaps a marked event, as far as that was known when its manifest was read. */
  readonly hasEvents?: boolean;
  state: SegmentState;
  record?: ProgressRecord;
  /** Turns that ended without success; they delay the next ones. */
  turns: number;
  /** Rounds in which the store answered and refused it. */
  refusals?: number;
  /** When this process began to send it, monotonic nanoseconds. */
  begunAt?: bigint;
  alarm?: { readonly code: string; readonly message: string };
  /** SHA-256 of a file whose manifest has none, once this process has read it. Lower-case hex. */
  sha256?: string;
}

interface Total {
  segments: number;
  bytes: number;
}

const RANK: Readonly<Record<Priority, number>> = { high: 0, normal: 1, low: 2 };
const byName = (a: SegmentEntry, b: SegmentEntry): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** Negative: `a` comes first. */
const orders: Readonly<Record<SyncOptions['order'], (a: SegmentEntry, b: SegmentEntry) => number>> = {
  'oldest-first': byName,
  'newest-first': (a, b) => byName(b, a),
  priority: (a, b) => RANK[a.priority] - RANK[b.priority] || byName(a, b),
};

/** All sealed segments by state, and the queue of the pending ones. */
export class SegmentTable {
  readonly totals: Readonly<Record<SegmentState, Total>> = {
    pending: { segments: 0, bytes: 0 },
    active: { segments: 0, bytes: 0 },
    verified: { segments: 0, bytes: 0 },
    parked: { segments: 0, bytes: 0 },
    skipped: { segments: 0, bytes: 0 },
    held: { segments: 0, bytes: 0 },
  };
  readonly #entries = new Map<string, SegmentEntry>();
  #compare: (a: SegmentEntry, b: SegmentEntry) => number = byName;
  readonly #first = new Set<string>();
  /** The next segment is the last element. */
  #ready: SegmentEntry[] = [];
  #sorted = true;
  readonly #delayed = new Map<SegmentEntry, bigint>();

  constructor(order: SyncOptions['order']) {
    this.setOrder(order);
  }

  setOrder(order: SyncOptions['order']): void {
    const compare = orders[order];
    this.#compare = (a, b) =>
      Number(this.#first.has(b.name)) - Number(this.#first.has(a.name)) || compare(a, b);
    this.#sorted = false;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Segments that are not uploaded yet. */
  get unfinished(): number {
    return this.totals.pending.segments + this.totals.active.segments;
  }

  get(name: string): SegmentEntry | undefined {
    return this.#entries.get(name);
  }

  values(): IterableIterator<SegmentEntry> {
    return this.#entries.values();
  }

  add(entry: SegmentEntry): void {
    this.#entries.set(entry.name, entry);
    this.#count(entry, 1);
    if (entry.state === 'pending') this.#enqueue(entry);
  }

  remove(entry: SegmentEntry): void {
    if (!this.#entries.delete(entry.name)) return;
    this.#count(entry, -1);
    this.#first.delete(entry.name);
    this.#delayed.delete(entry);
    if (entry.state === 'pending') this.#ready = this.#ready.filter((other) => other !== entry);
  }

  /** With `dueAt` (monotonic nanoseconds) a pending segment waits until then. */
  move(entry: SegmentEntry, state: SegmentState, dueAt?: bigint): void {
    if (!this.#entries.has(entry.name)) return;
    this.#count(entry, -1);
    entry.state = state;
    this.#count(entry, 1);
    if (state === 'verified' || state === 'parked') this.#first.delete(entry.name);
    if (state !== 'pending') return;
    if (dueAt === undefined) this.#enqueue(entry);
    else this.#delayed.set(entry, dueAt);
  }

  /** Makes segments that were parked with this code pending again, as if they had never been tried. */
  unpark(code: string): void {
    for (const entry of [...this.#entries.values()]) {
      if (entry.state !== 'parked' || entry.alarm?.code !== code) continue;
      delete entry.alarm;
      delete entry.record;
      entry.turns = 0;
      this.move(entry, 'pending');
    }
  }

  /** Takes pending segments out of the queue: the upload policy keeps them here. */
  hold(entries: ReadonlySet<SegmentEntry>): void {
    if (entries.size === 0) return;
    this.#ready = this.#ready.filter((entry) => !entries.has(entry));
    for (const entry of entries) {
      this.#delayed.delete(entry);
      this.#first.delete(entry.name);
      this.move(entry, 'held');
    }
  }

  /** Puts these before all others, in their usual order among themselves, until they are settled. */
  putFirst(names: Iterable<string>): void {
    for (const name of names) {
      const state = this.#entries.get(name)?.state;
      if ((state !== 'pending' && state !== 'active') || this.#first.has(name)) continue;
      this.#first.add(name);
      this.#sorted = false;
    }
  }

  /** Takes the next due segment that may be sent out of the queue; it becomes active. */
  takeNext(now: bigint, mayBegin: (entry: SegmentEntry) => boolean = () => true): SegmentEntry | undefined {
    for (const [entry, dueAt] of this.#delayed) if (dueAt <= now) this.#release(entry);
    if (!this.#sorted) {
      this.#ready.sort((a, b) => this.#compare(b, a));
      this.#sorted = true;
    }
    const at = this.#ready.findLastIndex(mayBegin);
    const [entry] = at < 0 ? [] : this.#ready.splice(at, 1);
    if (!entry) return undefined;
    this.move(entry, 'active');
    return entry;
  }

  /** When the first waiting segment is due. */
  get nextDueAt(): bigint | undefined {
    let first: bigint | undefined;
    for (const dueAt of this.#delayed.values()) if (first === undefined || dueAt < first) first = dueAt;
    return first;
  }

  /** Ends all waiting. */
  releaseDelayed(): void {
    for (const entry of this.#delayed.keys()) this.#release(entry);
  }

  clear(): void {
    for (const entry of this.#entries.values()) this.#count(entry, -1);
    this.#entries.clear();
    this.#delayed.clear();
    this.#first.clear();
    this.#ready = [];
  }

  #release(entry: SegmentEntry): void {
    this.#delayed.delete(entry);
    this.#enqueue(entry);
  }

  #enqueue(entry: SegmentEntry): void {
    const next = this.#ready.at(-1);
    if (next && this.#compare(entry, next) > 0) this.#sorted = false;
    this.#ready.push(entry);
  }

  #count(entry: SegmentEntry, sign: 1 | -1): void {
    const total = this.totals[entry.state];
    total.segments += sign;
    total.bytes += sign * entry.bytes;
  }
}
