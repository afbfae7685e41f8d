import { defined } from '../core/defined.js';
import type { Clock } from '../core/clock.js';
import type { GapReason } from '../core/gap.js';
import type { SourceGap } from '../core/source.js';

interface Pending {
  readonly reason: GapReason;
  readonly robot: string;
  readonly topic: string | undefined;
  readonly detail: string;
  readonly firstTime: bigint;
  lastTime: bigint;
  count: number;
  bytes: number;
}

/** Gaps of one kind on one topic are reported at most this often; in between they are added up. */
const INTERVAL_NS = 1_000_000_000n;
/** Beyond this many different ones all are reported at once, so that a hostile server cannot fill the memory. */
const MAX_PENDING = 1_000;

/** Turns any number of bad messages into few gap events. */
export class GapCollector {
  readonly #clock: Clock;
  readonly #emit: (gap: SourceGap) => void;
  readonly #pending = new Map<string, Pending>();
  readonly #toldAt = new Map<string, bigint>();

  constructor(clock: Clock, emit: (gap: SourceGap) => void) {
    this.#clock = clock;
    this.#emit = emit;
  }

  /** One message was lost; the first of its kind is reported at once. */
  add(reason: GapReason, robot: string, topic: string | undefined, bytes: number, detail: string): void {
    const key = JSON.stringify([reason, robot, topic]);
    const now = this.#clock.now();
    const pending = this.#pending.get(key);
    if (pending === undefined) {
      this.#pending.set(key, {
        reason,
        robot,
        topic,
        detail,
        firstTime: now,
        lastTime: now,
        count: 1,
        bytes,
      });
    } else {
      pending.count++;
      pending.bytes += bytes;
      if (now > pending.lastTime) pending.lastTime = now;
    }
    const toldAt = this.#toldAt.get(key);
    if (toldAt === undefined || this.#clock.monotonic() - toldAt >= INTERVAL_NS) this.#tell(key);
    else if (this.#pending.size >= MAX_PENDING) this.flush();
    if (this.#toldAt.size > MAX_PENDING) this.#toldAt.clear();
  }

  flush(): void {
    for (const key of [...this.#pending.keys()]) this.#tell(key);
  }

  #tell(key: string): void {
    const pending = this.#pending.get(key);
    if (pending === undefined) return;
    this.#pending.delete(key);
    this.#toldAt.set(key, this.#clock.monotonic());
    const { topic, ...rest } = pending;
    this.#emit({ kind: 'gap', gap: { ...rest, ...defined({ topic }) } });
  }
}
