import { join } from 'node:path';
import { describeError, HoldfastError, systemCode } from '../core/errors.js';
import { dataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably } from '../core/durable-files.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import { rowHeader, vehicleFileName, vehicleTables, type RowTable } from '../exporters/text/vehicle-csv.js';
import { acquireRoleLock, type RoleLock } from '../host/role-lock.js';
import { MessageDecoder } from '../recordings/message-decoder.js';
import type { SystemPorts } from '../host/ports.js';
import { CsvFile } from './csv-file.js';
import { CsvSink, GAPS, GapSink } from './csv-sink.js';
import type { DrainedChannel, EntrySink, SinkFolder } from './entry-sink.js';
import type { CompiledCsv } from './logger-options.js';
import type { CsvFileState, SinkState } from './logger-protocol.js';

/** Delay of the next attempt after a failure; it doubles up to the second value. */
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5_000;
/**
 * Rows waiting in memory: at most this many times the allowed loss, or a full queue. Beyond that, the ring
 * holds them.
 */
const WAITING_FACTOR = 2;
/** How long to wait for files to close. */
const CLOSE_FILES_MS = 500;

/** Receives the events of the files of one logger. */
export interface CsvFolderListener {
  problem(error: HoldfastError, loggerIds: readonly number[]): void;
  changed(loggerIds: readonly number[]): void;
}

/**
 * The CSV files of one folder. One write at a time: a hanging disk then blocks one of the process's I/O
 * threads, not all of them.
 */
export class CsvFolder implements SinkFolder {
  readonly #sinks = new Set<CsvSink>();
  readonly #gapSinks = new Map<string, GapSink>();
  readonly #decoder = new MessageDecoder();
  #lock: RoleLock | undefined;
  #busy: Promise<void> | undefined;
  #retryAt = 0;
  #retryMs = FIRST_RETRY_MS;
  #lastError: string | undefined;
  /** The folder existed at the last write. */
  #isMade = false;
  #closed = false;

  readonly #othersLock: () => boolean | undefined;
  readonly #ports: SystemPorts;
  readonly #listener: CsvFolderListener;
  readonly #monotonicMs: () => number;

  /**
   * @param othersLock If a recorder of this process has the same folder: whether it holds the lock, which is
   * enough. Undefined without such a recorder: then the folder takes its own lock.
   */
  constructor(
    readonly options: CompiledCsv,
    othersLock: () => boolean | undefined,
    ports: SystemPorts,
    listener: CsvFolderListener,
    monotonicMs: () => number,
  ) {
    this.#othersLock = othersLock;
    this.#ports = ports;
    this.#listener = listener;
    this.#monotonicMs = monotonicMs;
  }

  attach(loggerId: number, channel: DrainedChannel): EntrySink {
    const { dir, maxBytes, kept, maxEntries, guardFormulas } = this.options;
    const { vehicleId } = channel;
    const fileOf = (table: RowTable): CsvFile => {
      const path = join(dir, vehicleFileName(table, vehicleId));
      return new CsvFile({ path, header: rowHeader(table), maxBytes, kept }, this.#ports.fs);
    };
    let gaps = this.#gapSinks.get(vehicleId);
    if (gaps === undefined) this.#gapSinks.set(vehicleId, (gaps = new GapSink(fileOf(GAPS))));
    const { schema } = channel.topic;
    const { topic, metadata } = channel.topic;
    const known: McapChannel = { id: 0, topic, encoding: 'cdr', metadata, schema, carried: false };
    const table = vehicleTables[schema.name] ?? {
      file: channel.name,
      columns: ['receive_time', ...channel.definition.fields.map(({ name }) => name)],
    };
    const sink = new CsvSink(
      loggerId,
      channel,
      table,
      fileOf(table),
      gaps,
      Math.max(WAITING_FACTOR * maxEntries, channel.queueEntries),
      guardFormulas,
      this.#monotonicMs,
      (data) => {
        const decoded = this.#decoder.decode(known, data);
        return decoded.ok ? decoded.value : {};
      },
    );
    this.#sinks.add(sink);
    return sink;
  }

  get state(): SinkState {
    const lastError = this.#lastError;
    const closed = this.#closed;
    const isReady = this.#isReady;
    return {
      folder: this.options.dir,
      state: closed ? 'closed' : lastError !== undefined ? 'failing' : isReady ? 'open' : 'opening',
      lastError,
    };
  }

  filesOf(loggerId: number): CsvFileState[] {
    return [...this.#sinks]
      .filter((sink) => sink.loggerId === loggerId)
      .map(({ file }) => ({ path: file.options.path, bytes: file.bytes, rotations: file.rotations }));
  }

  tick(now: number): void {
    if (this.#busy || this.#closed || now < this.#retryAt || this.#othersLock() === false) return;
    if (this.#isReady && !this.#isDue(now)) return;
    this.#busy = this.#work(false)
      .catch(() => undefined)
      .finally(() => (this.#busy = undefined));
  }

  async detach(loggerId: number, withinMs: number): Promise<void> {
    const mine = [...this.#sinks].filter((sink) => sink.loggerId === loggerId);
    const isDone = ({ isPrepared, rows, gaps }: CsvSink): boolean =>
      isPrepared && rows.length === 0 && gaps.pending.isEmpty;
    await this.#flush(withinMs, () => mine.every(isDone));
    this.#listener.changed([loggerId]);
    const closed = (async () => {
      await this.#busy;
      await Promise.all(mine.flatMap(({ file, gaps }) => [file.close(), gaps.file.close()]));
    })();
    // A hanging disk would block the caller of close.
    await Promise.race([closed, this.#ports.clock.sleep(CLOSE_FILES_MS)]);
    for (const sink of mine) {
      sink.channel.ring.add('csvLost', sink.rows.length);
      this.#sinks.delete(sink);
      this.#gapSinks.delete(sink.channel.vehicleId);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.close().catch(() => undefined);
  }

  get #isReady(): boolean {
    return this.#isMade && (this.#othersLock() ?? this.#lock !== undefined);
  }

  /** At half of the allowed loss, because more entries arrive while it writes. */
  #isDue(now: number): boolean {
    const { maxEntries, maxMs } = this.options;
    for (const { rows, oldest, gaps, isPrepared } of this.#sinks) {
      if (!isPrepared || !gaps.pending.isEmpty) return true;
      if (rows.length > 0 && (rows.length >= maxEntries / 2 || now - oldest >= maxMs / 2)) return true;
    }
    return false;
  }

  async #flush(withinMs: number, isDone: () => boolean): Promise<void> {
    const until = this.#monotonicMs() + withinMs;
    for (;;) {
      if (isDone()) return;
      const left = until - this.#monotonicMs();
      if (left <= 0) return;
      const turn = (this.#busy ??= this.#work(true)
        .catch(() => this.#ports.clock.sleep(FIRST_RETRY_MS))
        .finally(() => (this.#busy = undefined)));
      await Promise.race([turn.catch(() => undefined), this.#ports.clock.sleep(left)]);
    }
  }

  /** One round over all files; rejects if one failed, after the others had their turn. */
  async #work(everything: boolean): Promise<void> {
    const now = this.#monotonicMs();
    const { maxEntries, maxMs } = this.options;
    let failure: unknown;
    const grown = new Set<number>();
    try {
      await this.#takeFolder();
    } catch (error) {
      this.#failed(error, undefined);
      throw error;
    }
    for (const sink of [...this.#sinks]) {
      const { rows, oldest, file, gaps, loggerId, channel } = sink;
      const isDue = everything || rows.length >= maxEntries / 4 || now - oldest >= maxMs / 4;
      try {
        if (!sink.isPrepared) {
          await file.prepare(true);
          await gaps.file.prepare(false);
          sink.isPrepared = true;
        }
        if (rows.length > 0 && isDue) {
          const count = rows.length;
          await file.append(Buffer.from(rows.join('')));
          // Others may have come meanwhile.
          rows.splice(0, count);
          sink.oldest = now;
          channel.ring.add('csvWritten', count);
          grown.add(loggerId);
        }
        await gaps.write();
      } catch (error) {
        failure ??= error;
        this.#failed(error, loggerId);
      }
    }
    // Once per round: the size of the files is reported together with the rows that caused it.
    if (grown.size > 0) this.#listener.changed([...grown]);
    if (failure !== undefined) throw failure as Error;
    const hadFailed = this.#lastError !== undefined;
    this.#lastError = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    if (hadFailed) this.#listener.changed(this.#loggers());
  }

  async #takeFolder(): Promise<void> {
    const { fs } = this.#ports;
    const { dir } = this.options;
    const held = this.#othersLock();
    if (held === false) {
      throw new HoldfastError('DATA_FOLDER_UNUSABLE', `${dir} is not in the recorder's hands yet`);
    }
    if (!this.#isMade) await makeDirectoryDurably(fs, dir);
    if (held === undefined) this.#lock ??= await acquireRoleLock(fs, dataFolder(dir), 'recorder');
    const isNew = !this.#isMade;
    this.#isMade = true;
    if (isNew) this.#listener.changed(this.#loggers());
  }

  #failed(error: unknown, loggerId: number | undefined): void {
    this.#retryAt = this.#monotonicMs() + this.#retryMs;
    this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    this.#lastError = describeError(error);
    this.#isMade = false;
    const of = loggerId === undefined ? this.#loggers() : [loggerId];
    const facts = { folder: this.options.dir, system: systemCode(error) };
    const problem =
      error instanceof HoldfastError
        ? error
        : new HoldfastError(
            'LOGGER_CSV_FAILED',
            `CSV files in ${this.options.dir} cannot be written: ${this.#lastError}`,
            { facts },
          );
    this.#listener.problem(problem, of);
    this.#listener.changed(of);
  }

  #loggers(): number[] {
    return [...new Set([...this.#sinks].map(({ loggerId }) => loggerId))];
  }
}
