import { rowsOfMessage, type RowTable } from '../exporters/text/vehicle-csv.js';
import type { RingEntry } from './source/ring.js';
import type { CsvFile } from './csv-file.js';
import { PendingGaps, type DrainedChannel, type EntryGap, type EntrySink } from './entry-sink.js';

/** Missing entries, as a table. */
export const GAPS: RowTable = {
  file: 'gaps',
  columns: ['log', 'reason', 'count', 'first_time', 'last_time'],
};

/** The rows of one channel, on their way into their file. */
export class CsvSink implements EntrySink {
  rows: string[] = [];
  /** The file exists and is complete, with its header. */
  isPrepared = false;
  /** Monotonic ms of the oldest waiting row. */
  oldest = 0;

  readonly #limit: number;
  readonly #guardFormulas: boolean;
  readonly #now: () => number;
  readonly #decode: (data: Uint8Array) => unknown;

  constructor(
    readonly loggerId: number,
    readonly channel: DrainedChannel,
    readonly table: RowTable,
    readonly file: CsvFile,
    readonly gaps: GapSink,
    limit: number,
    guardFormulas: boolean,
    now: () => number,
    decode: (data: Uint8Array) => unknown,
  ) {
    this.#limit = limit;
    this.#guardFormulas = guardFormulas;
    this.#now = now;
    this.#decode = decode;
  }

  get canTake(): boolean {
    return this.rows.length < this.#limit;
  }

  take({ receivedUs, data }: RingEntry): void {
    const value = this.#decode(data) as Readonly<Record<string, unknown>>;
    if (this.rows.length === 0) this.oldest = this.#now();
    const time = secondsOf(receivedUs);
    this.rows.push(rowsOfMessage(this.table, { receive_time: time, ...value }, this.#guardFormulas));
  }

  lose({ receivedUs }: RingEntry): void {
    this.channel.ring.add('csvLost', 1);
    this.gap({ reason: 'queue_full_drop_newest', count: 1, firstUs: receivedUs, lastUs: receivedUs });
  }

  gap(gap: EntryGap): void {
    this.gaps.pending.add(this.channel.name, gap);
  }
}

/** Missing entries of one vehicle: a separate file, because no reader of tables skips comments. */
export class GapSink {
  readonly pending = new PendingGaps();

  constructor(readonly file: CsvFile) {}

  async write(): Promise<void> {
    const taken = this.pending.take();
    if (taken.length === 0) return;
    const lines = taken.map(([log, { reason, count, firstUs, lastUs }]) => {
      const times = { first_time: secondsOf(firstUs), last_time: secondsOf(lastUs) };
      return rowsOfMessage(GAPS, { log, reason, count, ...times }, true);
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
