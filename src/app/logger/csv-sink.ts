import { rowsOfMessage, type RowTable } from '../../exporters/text/vehicle-csv.js';
import type { RingEntry } from '../../sources/logger/ring.js';
import type { CsvFile } from './csv-file.js';
import { PendingGaps, type DrainedChannel, type EntryGap, type EntrySink } from './entry-sink.js';

/** What is missing, as a table. */
export const GAPS: RowTable = {
  file: 'gaps',
  columns: ['log', 'reason', 'count', 'first_time', 'last_time'],
};

/** The rows of one channel, on their way into their file. */
export class CsvSink implements EntrySink {
  rows: string[] = [];
  /** The file is there, whole, with its header. */
  isPrepared = false;
  /** Monotonic ms of the oldest row that waits. */
  oldest = 0;

  constructor(
    readonly loggerId: number,
    readonly channel: DrainedChannel,
    readonly table: RowTable,
    readonly file: CsvFile,
    readonly gaps: GapSink,
    private readonly limit: number,
    private readonly now: () => number,
    private readonly decode: (data: Uint8Array) => unknown,
  ) {}

  get canTake(): boolean {
    return this.rows.length < this.limit;
  }

  take({ receivedUs, data }: RingEntry): void {
    const value = this.decode(data) as Readonly<Record<string, unknown>>;
    if (this.rows.length === 0) this.oldest = this.now();
    const time = secondsOf(receivedUs);
    this.rows.push(rowsOfMessage(this.table, { receive_time: time, ...value }));
  }

  lose({ receivedUs }: RingEntry): void {
    this.channel.ring.add('csvLost', 1);
    this.gap({ reason: 'queue_full_drop_newest', count: 1, firstUs: receivedUs, lastUs: receivedUs });
  }

  gap(gap: EntryGap): void {
    this.gaps.pending.add(this.channel.name, gap);
  }
}

/** What is missing from the files of one vehicle: a file of its own, since no reader of tables skips comments. */
export class GapSink {
  readonly pending = new PendingGaps();

  constructor(readonly file: CsvFile) {}

  async write(): Promise<void> {
    const taken = this.pending.take();
    if (taken.length === 0) return;
    const lines = taken.map(([log, { reason, count, firstUs, lastUs }]) => {
      const times = { first_time: secondsOf(firstUs), last_time: secondsOf(lastUs) };
      return rowsOfMessage(GAPS, { log, reason, count, ...times });
    });
    try {
      await this.file.append(Buffer.from(lines.join('')));
    } catch (error) {
      for (const [log, gap] of taken) this.pending.add(log, gap);
      throw error;
    }
  }
}

function secondsOf(us: number): { sec: number; nanosec: number } {
  const sec = Math.floor(us / 1e6);
  return { sec, nanosec: (us - sec * 1e6) * 1e3 };
}
