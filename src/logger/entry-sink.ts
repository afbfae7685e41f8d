import type { GapReason } from '../core/gap.js';
import type { RingEntry, RingReader } from './source/ring.js';
import type { MessageDefinition } from '../core/ros/message-definition.js';
import type { OwnTopic } from './source/in-process-source.js';

/** One channel of one vehicle, as the thread knows it. */
export interface DrainedChannel {
  readonly vehicleId: string;
  readonly name: string;
  readonly definition: MessageDefinition;
  readonly ring: RingReader;
  readonly topic: OwnTopic;
  /** Maximum number of entries of its ring. */
  readonly queueEntries: number;
}

/** Missing entries, and why; times are microseconds since the Unix epoch. */
export interface EntryGap {
  readonly reason: GapReason;
  readonly count: number;
  readonly firstUs: number;
  readonly lastUs: number;
  readonly detail?: string;
}

/** The target of a channel's entries. It counts in the ring's counters what happened to each. */
export interface EntrySink {
  /** False: it accepts nothing now. */
  readonly canTake: boolean;
  take(entry: RingEntry): void;
  gap(gap: EntryGap): void;
  /** An entry that another sink accepted and this one had no room for. */
  lose(entry: RingEntry): void;
}

/** Everything that goes to one folder, from all loggers of the process. */
export interface SinkFolder {
  /** Adds a channel; a later one of the same name continues in the same place. */
  attach(loggerId: number, channel: DrainedChannel): EntrySink;
  /** Regular work; never throws. `now`: monotonic, ms. */
  tick(now: number): void;
  /** Makes accepted entries durable, if the disk allows it within `withinMs`; resolves in any case. */
  detach(loggerId: number, withinMs: number): Promise<void>;
  /** Releases the folder. Idempotent; never rejects. */
  close(withinMs: number): Promise<void>;
}

/** Gaps that wait for a disk; those of one kind are merged. */
export class PendingGaps {
  readonly #waiting = new Map<string, readonly [log: string, gap: EntryGap]>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(log: string, gap: EntryGap): void {
    const key = JSON.stringify([log, gap.reason]);
    const before = this.#waiting.get(key)?.[1];
    const merged =
      before === undefined
        ? gap
        : {
            ...gap,
            count: before.count + gap.count,
            firstUs: Math.min(before.firstUs, gap.firstUs),
            lastUs: Math.max(before.lastUs, gap.lastUs),
          };
    this.#waiting.set(key, [log, merged]);
  }

  /** All of them; afterwards there are none. */
  take(): (readonly [log: string, gap: EntryGap])[] {
    const taken = [...this.#waiting.values()];
    this.#waiting.clear();
    return taken;
  }
}
