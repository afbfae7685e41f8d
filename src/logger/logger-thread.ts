import type { HoldfastError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import { messageSchema } from '../core/ros/message-schema.js';
import type { OwnTopic } from './source/in-process-source.js';
import { RingReader } from './source/ring.js';
import { systemPorts } from '../host/ports.js';
import { ChannelDrain, type DrainTarget } from './channel-drain.js';
import { CsvFolder } from './csv-folder.js';
import type { DrainedChannel, SinkFolder } from './entry-sink.js';
import type { ChannelSpec, FromThread, LoggerSpec, ProblemReport } from './logger-protocol.js';
import { WalFolder } from './wal-folder.js';
import type { Timer } from '../core/clock.js';
import { systemTimers } from '../host/system-clock.js';

/** Interval of reading the rings: ten entries at 1 kHz. A kill loses what is in them. */
const TURN_MS = 10;

interface OpenLogger {
  readonly spec: LoggerSpec;
  readonly drains: ChannelDrain[];
  readonly wal: WalFolder | undefined;
  readonly csv: CsvFolder | undefined;
  closing: Promise<void> | undefined;
}

export interface ThreadPorts {
  readonly post: (message: FromThread) => void;
  /** Monotonic, ms. */
  readonly monotonicMs: () => number;
  /** Microseconds since the Unix epoch, like the loggers' own times. */
  readonly nowUs: () => number;
  readonly logger: Logger;
}

/** All loggers of a process: moves the entries of their rings into folders, which several may share. */
export class LoggerThread {
  readonly #loggers = new Map<number, OpenLogger>();
  readonly #wals = new Map<string, WalFolder>();
  readonly #csvs = new Map<string, CsvFolder>();
  readonly #ticker: Timer;

  readonly #ports: ThreadPorts;

  constructor(ports: ThreadPorts) {
    this.#ports = ports;
    this.#ticker = systemTimers.every(TURN_MS, () => this.#turn());
  }

  open(spec: LoggerSpec): void {
    const wal = spec.wal && this.#walFolder(spec.wal);
    const csv = spec.csv && this.#csvFolder(spec.csv);
    this.#loggers.set(spec.id, { spec, drains: [], wal, csv, closing: undefined });
    this.#changed([spec.id]);
  }

  addChannel(id: number, { name, definition, ring, queueEntries }: ChannelSpec): void {
    const open = this.#loggers.get(id);
    if (open === undefined) return;
    const { vehicleId } = open.spec;
    const topic: OwnTopic = Object.freeze({
      topic: `/vehicle_${vehicleId}/${name}`,
      schema: messageSchema(definition),
      metadata: Object.freeze({ offered_qos_profiles: '', topic_type_hash: '' }),
    });
    const reader = new RingReader(ring);
    const channel: DrainedChannel = { vehicleId, name, definition, ring: reader, topic, queueEntries };
    const targets: DrainTarget[] = [];
    if (open.wal)
      targets.push({ sink: open.wal.attach(id, channel), written: 'walWritten', lost: 'walLost' });
    if (open.csv)
      targets.push({ sink: open.csv.attach(id, channel), written: 'csvWritten', lost: 'csvLost' });
    const report = (what: 'dropped' | 'rejected', { count }: { readonly count: number }): void => {
      const problem: ProblemReport =
        what === 'dropped'
          ? {
              code: 'LOGGER_QUEUE_FULL',
              message: `${count} entries of ${name} of vehicle ${vehicleId} had no room: the disk is slower than the loop`,
              facts: { channel: name, vehicleId, count },
            }
          : {
              code: 'LOGGER_INPUT_INVALID',
              message: `${count} entries of ${name} of vehicle ${vehicleId} could not be taken`,
              facts: { channel: name, vehicleId, count },
            };
      this.#ports.post({ kind: 'problem', id, problem });
    };
    open.drains.push(new ChannelDrain(reader, targets, report, this.#ports.nowUs()));
  }

  close(id: number, withinMs?: number): Promise<void> {
    const open = this.#loggers.get(id);
    if (open === undefined) {
      this.#ports.post({ kind: 'closed', id });
      return Promise.resolve();
    }
    open.closing ??= this.#closeNow(open, withinMs ?? open.spec.closeMs).catch(() => undefined);
    return open.closing;
  }

  /** Closes everything that can be closed within the time. */
  async end(withinMs: number): Promise<void> {
    await Promise.all([...this.#loggers.keys()].map((id) => this.close(id, withinMs)));
    this.#ticker.cancel();
  }

  #turn(): void {
    const now = this.#ports.monotonicMs();
    for (const { drains } of this.#loggers.values()) for (const drain of drains) drain.drain(now, false);
    for (const folder of this.#wals.values()) folder.tick(now);
    for (const folder of this.#csvs.values()) folder.tick(now);
  }

  async #closeNow(open: OpenLogger, withinMs: number): Promise<void> {
    const { spec, drains, wal, csv } = open;
    const { clock } = this.#systemPorts;
    const until = this.#ports.monotonicMs() + withinMs;
    const left = (): number => Math.max(0, until - this.#ports.monotonicMs());
    while (drains.some((drain) => !drain.isEmpty) && left() > 0) {
      for (const drain of drains) drain.drain(this.#ports.monotonicMs(), false);
      await clock.sleep(1);
    }
    for (const drain of drains) drain.drain(this.#ports.monotonicMs(), true);
    // One after the other if they share a folder: its lock ends with the recorder.
    await csv?.detach(spec.id, left());
    await wal?.detach(spec.id, left());
    this.#loggers.delete(spec.id);
    const others = [...this.#loggers.values()];
    if (csv && !others.some((other) => other.csv === csv)) await this.#closeFolder(this.#csvs, csv, left());
    if (wal && !others.some((other) => other.wal === wal)) await this.#closeFolder(this.#wals, wal, left());
    this.#tellState(spec.id, wal, csv);
    this.#ports.post({ kind: 'closed', id: spec.id });
  }

  async #closeFolder<T extends SinkFolder>(
    folders: Map<string, T>,
    folder: T,
    withinMs: number,
  ): Promise<void> {
    for (const [key, one] of folders) if (one === folder) folders.delete(key);
    await folder.close(withinMs);
  }

  get #systemPorts(): ReturnType<typeof systemPorts> {
    return systemPorts(this.#ports.logger);
  }

  #walFolder(options: NonNullable<LoggerSpec['wal']>): WalFolder {
    let folder = this.#wals.get(options.data);
    if (folder === undefined) {
      folder = new WalFolder(options, this.#systemPorts, this.#listener, this.#ports.monotonicMs);
      this.#wals.set(options.data, folder);
    }
    return folder;
  }

  #csvFolder(options: NonNullable<LoggerSpec['csv']>): CsvFolder {
    let folder = this.#csvs.get(options.dir);
    if (folder === undefined) {
      // A recorder in the same folder holds the lock for both.
      const othersLock = (): boolean | undefined => this.#wals.get(options.dir)?.isHeld;
      folder = new CsvFolder(options, othersLock, this.#systemPorts, this.#listener, this.#ports.monotonicMs);
      this.#csvs.set(options.dir, folder);
    }
    return folder;
  }

  readonly #listener = {
    problem: ({ code, message, facts }: HoldfastError, ids: readonly number[]): void => {
      for (const id of ids) this.#ports.post({ kind: 'problem', id, problem: { code, message, facts } });
    },
    changed: (ids: readonly number[]): void => this.#changed(ids),
  };

  #changed(ids: readonly number[]): void {
    for (const id of ids) {
      const open = this.#loggers.get(id);
      if (open) this.#tellState(id, open.wal, open.csv);
    }
  }

  #tellState(id: number, wal: WalFolder | undefined, csv: CsvFolder | undefined): void {
    if (wal) this.#ports.post({ kind: 'wal', id, state: wal.state });
    if (csv) this.#ports.post({ kind: 'csv', id, state: csv.state, files: csv.filesOf(id) });
  }
}
