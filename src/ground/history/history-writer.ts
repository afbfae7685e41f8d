import { nextTurn, NS_PER_S, type Clock, type Timer } from '../../core/clock.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { Logger } from '../../core/logger.js';
import type { Database } from '../database/database.js';
import { historyTables } from './history-tables.js';
import { insertNewSamples, insertSamples } from './insert-samples.js';
import { KnownIds } from './known-ids.js';
import { LateRows } from './late-rows.js';
import { createMonth, dropMonths, monthOf } from './months.js';
import { rowsOf, ticksOf, type HistorySink, type SampleBatch } from './sample-batch.js';
import { SampleRows } from './sample-rows.js';

export interface HistoryOptions {
  /** Samples are kept for so long, days. */
  readonly sampleDays: number;
  /** Roll-ups are kept for so long, days. */
  readonly rollUpDays: number;
}

export interface HistoryPorts {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What the history did since the start. */
export interface HistoryStatus {
  /** New rows that are durable. */
  readonly stored: number;
  /** Rows that came a second time. */
  readonly repeated: number;
  /** Rows that cannot be stored: their time is not allowed, or their robot has too many fields. */
  readonly refused: number;
  /** Rows that came while too many waited; a robot with an outbox sends them again. */
  readonly dropped: number;
  readonly waiting: number;
  /** Why nothing can be stored now; empty: it can. */
  readonly problem: string;
}

interface Waiting {
  readonly batch: SampleBatch;
  readonly onDurable: () => void;
}

const FLUSH_MS = 250;
/** Rows of one statement. The more of one second come together, the less its roll-ups and its index cost. */
const MAX_ROWS = 100_000;
/** So many rows wait for those of a second; fewer are stored at once. */
const MANY_ROWS = 5_000;
const MANY_NS = NS_PER_S;
/** About 45 MB. */
const MAX_WAITING_ROWS = 300_000;
/** Rows are prepared so many at once: then robots and pages have their turn. */
const ROWS_AT_ONCE = 10_000;
const RETRY_MS = 1_000;
/** After a row that came a second time, more of them are likely: a robot sends again what was not confirmed. */
const REPEATS_NS = 10n * NS_PER_S;
const CHECK_MS = 3_600_000;
const NS_PER_DAY = 86_400n * NS_PER_S;
/** Clocks of robots may be hours ahead. */
const AHEAD_NS = 2n * NS_PER_DAY;
const MAX_TICK = 2 ** 31 - 1;

interface BatchRows {
  readonly rows: SampleRows;
  readonly refused: number;
}

/** What one statement stores. */
interface Prepared {
  readonly taken: readonly Waiting[];
  readonly building: Promise<BatchRows>;
}

/**
 * Stores samples in batches: each once, durable before it is reported so. If the next batch is full, it is prepared while
 * the database stores the one before.
 */
export class HistoryWriter implements HistorySink, AsyncDisposable {
  readonly #database: Database;
  readonly #options: HistoryOptions;
  readonly #ports: HistoryPorts;
  readonly #ids: KnownIds;
  readonly #months = new Set<string>();
  readonly #timers: readonly Timer[];
  #queue: Waiting[] = [];
  /** Of what follows in the queue; absent: not yet. */
  #prepared: Prepared | undefined;
  #waiting = 0;
  readonly #late = new LateRows();
  #running: Promise<void> | undefined;
  #retryAt = 0n;
  #flushedAt = 0n;
  /** Until then, rows that come a second time are likely. */
  #repeatsUntil = 0n;
  /** After a statement that failed: batches go alone, to find the one that cannot be stored. */
  #isAlone = false;
  #problem = '';
  #stored = 0;
  #repeated = 0;
  #refused = 0;
  #dropped = 0;

  constructor(database: Database, options: HistoryOptions, ports: HistoryPorts) {
    this.#database = database;
    this.#options = options;
    this.#ports = ports;
    this.#ids = new KnownIds(database);
    this.#timers = [
      ports.clock.every(FLUSH_MS, () => this.#flushIfDue(), { background: true }),
      ports.clock.every(CHECK_MS, () => void this.removeOld(), { background: true }),
    ];
    void this.removeOld();
  }

  status(): HistoryStatus {
    return {
      ...{ stored: this.#stored, repeated: this.#repeated, refused: this.#refused, dropped: this.#dropped },
      ...{ waiting: this.#waiting, problem: this.#problem },
    };
  }

  store(batch: SampleBatch, onDurable: () => void): void {
    const rows = rowsOf(batch);
    if (
      this.#waiting + rows > MAX_WAITING_ROWS ||
      (batch.late === true && !this.#late.add(batch.robot, rows))
    ) {
      this.#dropped += rows;
      return;
    }
    this.#waiting += rows;
    this.#queue.push({ batch, onDurable });
    if (this.#waiting >= MAX_ROWS) this.#flushSoon();
  }

  /** Removes the months that are too old. Never rejects. */
  async removeOld(): Promise<void> {
    try {
      for (const table of historyTables) {
        const days = table === 'samples' ? this.#options.sampleDays : this.#options.rollUpDays;
        const names = await dropMonths(
          this.#database,
          table,
          this.#ports.clock.now() - BigInt(days) * NS_PER_DAY,
        );
        if (names.length > 0) this.#ports.logger.info('the history removed old months', { names });
      }
      this.#months.clear();
    } catch (error) {
      this.#ports.logger.warn('the history cannot remove old months', { error: describeError(error) });
    }
  }

  /** Stores what waits, if the database is there. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    await this.#running;
    this.#retryAt = 0n;
    while (this.#queue.length > 0 && this.#problem === '') await this.#flush();
  }

  #flushIfDue(): void {
    const sinceNs = this.#ports.clock.monotonic() - this.#flushedAt;
    if (this.#waiting < MANY_ROWS || sinceNs >= MANY_NS) this.#flushSoon();
  }

  #flushSoon(): void {
    if (this.#running !== undefined || this.#queue.length === 0) return;
    if (this.#ports.clock.monotonic() < this.#retryAt) return;
    this.#flushedAt = this.#ports.clock.monotonic();
    this.#running = this.#flush().finally(() => {
      this.#running = undefined;
      if (this.#waiting >= MAX_ROWS) this.#flushSoon();
    });
  }

  async #flush(): Promise<void> {
    const { taken, building } = this.#prepared ?? this.#prepare(this.#take(0));
    this.#prepared = undefined;
    try {
      const { rows, refused } = await building;
      const storing = this.#insert(rows);
      if (!this.#isAlone && this.#waiting - countOf(taken) >= MAX_ROWS)
        this.#prepared = this.#prepare(this.#take(taken.length));
      const stored = await storing;
      this.#stored += stored;
      this.#repeated += rows.count - stored;
      this.#refused += refused;
      this.#finish(taken);
      if (this.#problem !== '') this.#ports.logger.info('the history is stored again');
      this.#problem = '';
    } catch (error) {
      this.#prepared = undefined;
      this.#fail(taken, error);
    }
  }

  async #insert(rows: SampleRows): Promise<number> {
    const now = this.#ports.clock.monotonic();
    const insert = now < this.#repeatsUntil ? insertSamples : insertNewSamples;
    const stored = await insert(this.#database, rows);
    if (stored < rows.count) this.#repeatsUntil = now + REPEATS_NS;
    return stored;
  }

  #prepare(taken: readonly Waiting[]): Prepared {
    const building = this.#rowsOf(taken);
    // Its error counts when its turn comes.
    building.catch(() => undefined);
    return { taken, building };
  }

  /** Up to a full batch of what waits behind the first `from`. */
  #take(from: number): Waiting[] {
    let rows = 0;
    let end = from;
    for (; end < this.#queue.length; end++) {
      rows += rowsOf(this.#queue[end]!.batch);
      if (end > from && (rows > MAX_ROWS || this.#isAlone)) break;
    }
    return this.#queue.slice(from, end);
  }

  #finish(taken: readonly Waiting[]): void {
    this.#queue = this.#queue.slice(taken.length);
    for (const { batch, onDurable } of taken) {
      const rows = rowsOf(batch);
      this.#waiting -= rows;
      if (batch.late === true) this.#late.remove(batch.robot, rows);
      onDurable();
    }
    this.#isAlone &&= this.#queue.length > 0;
  }

  #fail(taken: readonly Waiting[], error: unknown): void {
    const { clock, logger } = this.#ports;
    // A month may have been removed, by age or by hand.
    this.#months.clear();
    this.#retryAt = clock.monotonic() + BigInt(RETRY_MS) * 1_000_000n;
    const reason = describeError(error);
    if (this.#problem === '') logger.warn('the history cannot be stored, and waits', { error: reason });
    this.#problem = reason;
    if (!isHoldfastError(error, 'GROUND_DATABASE_FAILED') || error.retryable) return;
    if (!this.#isAlone || taken.length > 1) {
      this.#isAlone = true;
      return;
    }
    for (const { batch } of taken) {
      this.#refused += rowsOf(batch);
      logger.error('the database refuses samples of a robot', { robot: batch.robot, error: reason });
    }
    this.#problem = '';
    this.#finish(taken);
  }

  async #rowsOf(taken: readonly Waiting[]): Promise<BatchRows> {
    const { clock } = this.#ports;
    const rows = new SampleRows(countOf(taken));
    let refused = 0;
    let pauseAt = 0;
    const now = clock.now();
    const [oldest, newest] = [now - BigInt(this.#options.sampleDays) * NS_PER_DAY, now + AHEAD_NS];
    await this.#ids.learn(taken.map(({ batch }) => batch));
    for (const { batch } of taken) {
      if (rows.count >= pauseAt) {
        await nextTurn(clock);
        pauseAt = rows.count + ROWS_AT_ONCE;
      }
      const ids = await this.#ids.fieldsOf(batch);
      const run = await this.#ids.runOf(batch);
      for (const { tick, timeNs, first, fields } of ticksOf(batch)) {
        if (tick > MAX_TICK || timeNs < oldest || timeNs > newest) {
          refused += fields.length;
          continue;
        }
        await this.#needMonth(timeNs);
        rows.setTime(timeNs);
        for (const field of fields) {
          const id = ids[field];
          const value = batch.values[first + field]!;
          if (id === undefined) refused++;
          else rows.add(id, run, tick, Number.isFinite(value) ? value : null);
        }
      }
    }
    return { rows, refused };
  }

  async #needMonth(timeNs: bigint): Promise<void> {
    const month = monthOf(timeNs);
    if (this.#months.has(month)) return;
    await createMonth(this.#database, month);
    this.#months.add(month);
  }
}

const countOf = (waiting: readonly Waiting[]): number =>
  waiting.reduce((sum, { batch }) => sum + rowsOf(batch), 0);
