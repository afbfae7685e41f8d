import { HoldfastError } from '../core/errors.js';
import { LIST_MAX, type MessageDefinition } from '../core/ros/message-definition.js';
import { largestBody } from './source/sample-plan.js';
import { createRing, RECORD_HEAD_BYTES, RingWriter } from './source/ring.js';
import { fleetEstimation, localEstimation, vehicleTelemetry } from '../core/ros/vehicle-messages.js';
import { present } from '../core/present.js';
import { configInvalid, type ConfigFault } from '../settings/fault.js';
import { channelDefinition, type ChannelFields, type LogChannel, type SampleOf } from './log-channel.js';
import { loggerHost, type HostedLogger } from './logger-host.js';
import { parseLoggerOptions, type LoggerOptions, type VehicleLoggerOptions } from './logger-options.js';
import type { ChannelSpec, FromThread, LoggerSpec, ProblemReport, SinkState } from './logger-protocol.js';
import type { CsvStats, LoggerStats, PlaceStats } from './logger-stats.js';
import { OpenLog } from './open-log.js';
import type { FleetStates, LocalState, TelemetrySample, VehicleName } from './samples.js';
import { folderConflicts, isVehicleTaken } from './shared-folders.js';
import type { Timer } from '../core/clock.js';
import { processMs, systemTimers } from '../host/system-clock.js';

/** Maximum number of channels of one logger. */
const MAX_CHANNELS = 32;
/** Maximum size of one queue of a channel, bytes. */
const CHANNEL_MAX_BYTES = 128 * 1024;
/**
 * Shared memory per entry of the three logs that every vehicle has. A telemetry entry takes 128 bytes, a
 * local estimate 80, a fleet estimate of five vehicles 248. The queue of fleet estimates has space for a
 * third of its entries: fleets are estimated far more rarely than the thread reads the queue (every 10 ms),
 * and the thread holds as many waiting entries as the queue. So the queues of a logger stay below 300 kB.
 */
const TELEMETRY_BYTES = 131;
const FLEET_BYTES = 84;
const LOCAL_BYTES = 82;
/** The same problem is reported once within this time. */
const TELL_MS = 1_000;
/** Added to the time that closing may take in the thread, in which the thread reports or gives up. */
const CLOSE_SLACK_MS = 2_000;

/**
 * Logs of one vehicle's control program, into a recording (`wal`), CSV files (`dir`), or both. It is made for
 * loops of 100 to 1,000 Hz: a log call copies its sample into a queue in shared memory and returns. It never
 * waits and never throws. A sample that is not accepted is counted, reported to `onError`, and becomes a gap
 * in the recording. A thread that the loggers of a process share does all other work. docs/logger.md has
 * examples.
 *
 * Only the constructor and {@link channel} throw: `CONFIG_INVALID` with all faults of the options.
 */
export class VehicleLogger implements AsyncDisposable {
  readonly #options: LoggerOptions;
  readonly #host = loggerHost();
  readonly #spec: LoggerSpec;
  readonly #logs = new Map<string, OpenLog>();
  readonly #telemetry: OpenLog;
  readonly #fleet: OpenLog;
  readonly #local: OpenLog;
  readonly #hosted: HostedLogger;
  /** Reused, so that a call allocates nothing. */
  readonly #fleetSample: { senderId: unknown; timestamp: unknown; states: unknown };
  readonly #localSample: { -readonly [Key in keyof LocalState]: unknown } & {
    senderId: unknown;
    timestamp: unknown;
  };
  readonly #tellAt = new Map<string, number>();
  #state: LoggerStats['state'] = 'open';
  #wal: SinkState | undefined;
  #csv: { readonly state: SinkState; readonly files: CsvStats['files'] } | undefined;
  #lastError: HoldfastError | undefined;
  #closing: Promise<LoggerStats> | undefined;
  #onClosed: () => void = () => undefined;
  readonly #waiting = new Set<() => void>();

  constructor(options: VehicleLoggerOptions) {
    this.#options = parseLoggerOptions(options);
    const conflicts = folderConflicts(this.#host, this.#options);
    if (conflicts.length > 0) throw configInvalid(conflicts);
    const { vehicleId, csv, wal, closeMs, exitDrainMs, queueEntries } = this.#options;
    this.#spec = { id: this.#host.newId(), vehicleId, csv, wal, closeMs };
    const whose = { senderId: undefined, timestamp: undefined };
    this.#fleetSample = { ...whose, states: undefined };
    this.#localSample = { ...whose, x: 0, y: 0, theta: 0, v: 0, acceleration: undefined };
    this.#hosted = {
      spec: this.#spec,
      exitDrainMs,
      channels: [],
      onMessage: (message) => this.#receive(message),
      close: () => this.close(),
    };
    this.#telemetry = this.#openLog('telemetry', vehicleTelemetry, TELEMETRY_BYTES * queueEntries);
    const largestFleet = RECORD_HEAD_BYTES + largestBody(fleetEstimation) + LIST_MAX * 128;
    this.#fleet = this.#openLog(
      'received_fleet_estimations',
      fleetEstimation,
      Math.max(FLEET_BYTES * queueEntries, 2 * largestFleet),
    );
    this.#local = this.#openLog('received_local_estimations', localEstimation, LOCAL_BYTES * queueEntries);
    this.#join();
  }

  /** Queues the vehicle's own state. Returns false if it was not accepted. */
  logTelemetry(sample: TelemetrySample): boolean {
    return this.#telemetry.log(sample);
  }

  /** Queues the estimate of the whole fleet by `senderId`. `timestamp`: seconds, on the sender's clock. */
  logFleetEstimation(senderId: VehicleName, timestamp: number, states: FleetStates): boolean {
    const sample = this.#fleetSample;
    sample.senderId = senderId;
    sample.timestamp = timestamp;
    sample.states = states;
    const isTaken = this.#fleet.log(sample);
    sample.states = undefined;
    return isTaken;
  }

  /** Queues the estimate of `senderId` about itself. `timestamp`: seconds, on the sender's clock. */
  logLocalEstimation(senderId: VehicleName, timestamp: number, state: LocalState): boolean {
    const sample = this.#localSample;
    try {
      const { x, y, theta, v, acceleration } = state;
      sample.senderId = senderId;
      sample.timestamp = timestamp;
      sample.x = x;
      sample.y = y;
      sample.theta = theta;
      sample.v = v;
      sample.acceleration = acceleration;
    } catch {
      return this.#local.refuse('state must be an object that can be read');
    }
    return this.#local.log(sample);
  }

  /**
   * Creates a log with fields of your own: `channel('lateral_control', { error: 'float64', mode: 'string'
   * })`. Call it once, before the loop; the same name and fields return the same channel. Throws
   * `CONFIG_INVALID` with all faults.
   */
  channel<const Fields extends ChannelFields>(name: string, fields: Fields): LogChannel<SampleOf<Fields>> {
    const faults: ConfigFault[] = [];
    const definition = channelDefinition(name, fields, faults);
    const known = this.#logs.get(name);
    if (known !== undefined && JSON.stringify(known.definition) !== JSON.stringify(definition)) {
      faults.push({
        where: 'channel',
        path: 'fields',
        value: undefined,
        allowed: `${name} has others already`,
      });
    }
    if (known === undefined && this.#logs.size >= MAX_CHANNELS + 3) {
      faults.push({
        where: 'channel',
        path: 'name',
        value: name,
        allowed: `allowed: ${MAX_CHANNELS} channels`,
      });
    }
    if (faults.length > 0) throw configInvalid(faults);
    if (known !== undefined) return known;
    const entryBytes = RECORD_HEAD_BYTES + largestBody(definition);
    const wanted = Math.min(CHANNEL_MAX_BYTES, entryBytes * this.#options.queueEntries);
    return this.#openLog(name, definition, Math.max(wanted, 8 * entryBytes));
  }

  /** The same as `channel.log(sample)`. */
  log<Sample>(channel: LogChannel<Sample>, sample: Sample): boolean {
    if (channel instanceof OpenLog && this.#logs.get(channel.name) === channel) return channel.log(sample);
    // A channel of another logger: counted as rejected here.
    return this.#telemetry.refuse('a channel of this logger is needed');
  }

  /**
   * Resolves when the folders are taken, when they could not be taken (`stats()` has the reason; the logger
   * tries again), or when the logger was closed. Programs need not wait for it: the queues hold samples until
   * then.
   */
  async ready(): Promise<LoggerStats> {
    const isOpening = (): boolean => {
      const { wal, csv } = this.stats();
      return this.#state === 'open' && (wal?.state === 'opening' || csv?.state === 'opening');
    };
    const release = this.#host.keepAlive();
    while (isOpening()) await new Promise<void>((resolve) => this.#waiting.add(resolve));
    release();
    return this.stats();
  }

  /** The state as far as it is known without waiting. */
  stats(): LoggerStats {
    const logs = [...this.#logs.values()];
    const sum = (count: (log: OpenLog) => number): number =>
      logs.reduce((total, log) => total + count(log), 0);
    const place = (state: SinkState | undefined, kind: 'wal' | 'csv'): PlaceStats | undefined => {
      const options = this.#options[kind];
      if (options === undefined) return undefined;
      const folder = 'dir' in options ? options.dir : options.data;
      const written = sum(({ ring }) => ring.count(`${kind}Written`));
      const lost = sum(({ ring }) => ring.count(`${kind}Lost`));
      const pending = Math.max(0, sum(({ ring }) => ring.count('taken')) - written - lost);
      return { ...(state ?? { folder, state: 'opening', lastError: undefined }), written, lost, pending };
    };
    const wal = place(this.#wal, 'wal');
    const csv = place(this.#csv?.state, 'csv');
    const queues = Object.fromEntries(logs.map((log) => [log.name, log.stats()]));
    return {
      vehicleId: this.#options.vehicleId,
      state: this.#state,
      queues,
      wal,
      csv: csv && { ...csv, files: this.#csv?.files ?? [] },
      logged: sum(({ ring }) => ring.count('logged')),
      dropped: sum(({ ring }) => ring.count('dropped')),
      rejected: sum(({ ring }) => ring.count('rejected')),
      written: Math.min(...[wal, csv].flatMap((one) => (one ? [one.written] : []))),
      lastError: this.#lastError,
      worker: {
        alive: this.#host.isWorkerAlive,
        restarts: this.#host.restarts,
        niceness: this.#host.niceness,
      },
    };
  }

  /**
   * Writes the queued entries, makes them durable and releases the folders. Idempotent; never rejects. The
   * result counts entries that a disk did not accept within `closeMs`. Later log calls count as rejected.
   */
  close(): Promise<LoggerStats> {
    this.#closing ??= this.#closeNow();
    return this.#closing;
  }

  /** The same as {@link VehicleLogger.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #openLog(name: string, definition: MessageDefinition, capacityBytes: number): OpenLog {
    const limit = this.#options.queueEntries;
    const log = new OpenLog(
      name,
      definition,
      new RingWriter(createRing(capacityBytes), limit),
      this.#host.numbers,
    );
    this.#logs.set(name, log);
    if (this.#state !== 'open') log.isOpen = false;
    const channel: ChannelSpec = { name, definition, ring: log.ring.shared, queueEntries: limit };
    this.#hosted.channels.push(channel);
    // The first three belong to the logger itself.
    if (this.#logs.size > 3 && this.#state === 'open') this.#host.addChannel(this.#hosted, channel);
    return log;
  }

  /** Starts, unless another logger of this process has the same files. */
  #join(): void {
    if (!isVehicleTaken(this.#host, this.#options)) {
      this.#host.add(this.#hosted);
      return;
    }
    const { vehicleId, csv, wal } = this.#options;
    this.#state = 'refused';
    for (const log of this.#logs.values()) log.isOpen = false;
    const folder = wal?.data ?? present(csv).dir;
    const message = `another logger of this process logs vehicle ${vehicleId} into ${folder}; close it first`;
    systemTimers.soon(() =>
      this.#report({ code: 'DATA_FOLDER_BUSY', message, facts: { folder, vehicleId } }),
    );
  }

  #receive(message: FromThread): void {
    switch (message.kind) {
      case 'wal':
        this.#wal = message.state;
        this.#stateChanged();
        return;
      case 'csv':
        // A closed logger has no open files; their last state is still useful.
        this.#csv = {
          state: message.state,
          files: message.files.length > 0 ? message.files : (this.#csv?.files ?? []),
        };
        this.#stateChanged();
        return;
      case 'closed':
        this.#onClosed();
        return;
      case 'problem':
        this.#report(message.problem);
    }
  }

  #stateChanged(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #report({ code, message, facts }: ProblemReport): void {
    const channel = facts['channel'];
    const log = typeof channel === 'string' ? this.#logs.get(channel) : undefined;
    const isRejection = code === 'LOGGER_INPUT_INVALID' && log !== undefined;
    const text = isRejection ? `${message}; the latest: ${log.lastRejection ?? 'unknown'}` : message;
    this.#lastError = new HoldfastError(code, text, { facts });
    const key = `${code} ${String(channel)}`;
    const now = processMs();
    if (now - (this.#tellAt.get(key) ?? -Infinity) < TELL_MS) return;
    this.#tellAt.set(key, now);
    try {
      this.#options.onError?.(this.#lastError);
    } catch {
      // An error in the program's own handler must not end the program.
    }
  }

  async #closeNow(): Promise<LoggerStats> {
    if (this.#state === 'refused') return this.stats();
    this.#state = 'closing';
    for (const log of this.#logs.values()) log.isOpen = false;
    const release = this.#host.keepAlive();
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      this.#onClosed = resolve;
      timer = systemTimers.after(this.#options.closeMs + CLOSE_SLACK_MS, resolve);
      this.#host.askClose(this.#spec.id);
    });
    timer?.cancel();
    this.#host.remove(this.#spec.id);
    release();
    this.#state = 'closed';
    this.#stateChanged();
    return this.stats();
  }
}
