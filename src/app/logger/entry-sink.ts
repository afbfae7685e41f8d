import type { GapReason } from '../../core/gap.js';
import type { RingEntry, RingReader } from '../../sources/logger/ring.js';
import type { MessageDefinition } from '../../sources/logger/field.js';
import type { OwnTopic } from '../../sources/logger/in-process-source.js';

/** One channel of one vehicle, as the thread knows it. */
export interface DrainedChannel {
  readonly vehicleId: string;
  readonly name: string;
  readonly definition: MessageDefinition;
  readonly ring: RingReader;
  readonly topic: OwnTopic;
  /** Entries its ring holds at most. */
  readonly queueEntries: number;
}

/** Entries that are missing, and why; times are microseconds since the Unix epoch. */
export interface EntryGap {
  readonly reason: GapReason;
  readonly count: number;
  readonly firstUs: number;
  readonly lastUs: number;
  readonly detail?: string;
}

/** Where entries of a channel go. It counts what became of each in the ring's counters. */
export interface EntrySink {
  /** False: give it nothing now. */
  readonly canTake: boolean;
  take(entry: RingEntry): void;
  gap(gap: EntryGap): void;
  /** An entry that another sink took and this one had no room for. */
  lose(entry: RingEntry): void;
}

/** Everything that goes to one folder, of all loggers of the process. */
export interface SinkFolder {
  /** Takes a channel in; a later one of the same name goes on in the same place. */
  attach(loggerId: number, channel: DrainedChannel): EntrySink;
  /** Regular work; never throws. `now`: monotonic, ms. */
  tick(now: number): void;
  /** Makes durable what was taken, as long as the disk lets it within `withinMs`; resolves in any case. */
  detach(loggerId: number, withinMs: number): Promise<void>;
  /** Gives the folder back. Idempotent; never rejects. */
  close(withinMs: number): Promise<void>;
}

/** Gaps that wait for a disk; those of one kind become one. */
export class PendingGaps {
  private readonly waiting = new Map<string, readonly [log: string, gap: EntryGap]>();

  get isEmpty(): boolean {
    return this.waiting.size === 0;
  }

  add(log: string, gap: EntryGap): void {
    const key = JSON.stringify([log, gap.reason]);
    const before = this.waiting.get(key)?.[1];
    const merged =
      before === undefined
        ? gap
        : {
            ...gap,
            count: before.count + gap.count,
            firstUs: Math.min(before.firstUs, gap.firstUs),
            lastUs: Math.max(before.lastUs, gap.lastUs),
          };
    this.waiting.set(key, [log, merged]);
  }

  /** All of them; there are none afterwards. */
  take(): (readonly [log: string, gap: EntryGap])[] {
    const taken = [...this.waiting.values()];
    this.waiting.clear();
    return taken;
  }
}
