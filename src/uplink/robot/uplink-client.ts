import type { Clock, Timer } from '../../core/clock.js';
import { NS_PER_MS } from '../../core/clock.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import { isAborted } from '../../core/is-aborted.js';
import type { Logger } from '../../core/logger.js';
import type { Channel, Message } from '../../core/message.js';
import type { TransformRule } from '../../core/transform/rule.js';
import type { FieldRule } from '../../settings/field-rule.js';
import type { UplinkConnection, UplinkTransport } from '../link/uplink-transport.js';
import type { Catalogue, FieldSpec } from '../protocol/field-spec.js';
import type { FetchUpdate } from '../protocol/fetch-update.js';
import { TelemetryEncoder } from '../protocol/telemetry-encoder.js';
import { SampleSizes } from '../protocol/sample-bytes.js';
import type { TelemetryFrame } from '../protocol/telemetry-frame.js';
import {
  decodeGroundMessage,
  encodeRobotMessage,
  UPLINK_PROTOCOL,
  type RobotMessage,
} from '../protocol/uplink-messages.js';
import { CommandAnswerer, type Obey } from './command-answerer.js';
import { FetchRelay, type FetchDesk } from './fetch-relay.js';
import { ReportSender, type RobotFacts } from './report-sender.js';
import { TelemetrySampler, type SampleTaker } from './telemetry-sampler.js';
import type { Outbox } from './outbox.js';
import { OutboxSender } from './outbox-sender.js';
import { Redaction, type RedactedFields } from './redaction.js';
import { CONFIRM_TICKS, defaultPace, OUTBOX_PACE_MS, TICK_NS } from './uplink-pace.js';
import type { UplinkStatus } from './uplink-status.js';

export interface UplinkClientOptions {
  /** Name of the robot, as it was enrolled. */
  readonly robot: string;
  /** Vehicle identification number, as far as it is known; absent: not a vehicle. */
  readonly vin?: () => string;
  /** Version of Holdfast. */
  readonly version: string;
  /** The first rule that matches a path counts. */
  readonly rules: readonly FieldRule[];
  /** Time between two batches of the outbox, milliseconds. Default: 100. */
  readonly outboxPaceMs?: number;
}

export interface UplinkClientPorts {
  readonly transport: UplinkTransport;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly randomBytes: (count: number) => Uint8Array;
  /** What the robot says about itself, once per second; absent: nothing. */
  readonly facts?: () => RobotFacts;
  /** Does what the ground asks; resolves with what was done, in words. Absent: every command is refused. */
  readonly obey?: Obey;
  /** Keeps requests of the ground for segments. Absent: the robot takes none over the uplink. */
  readonly requests?: FetchDesk;
  /** Keeps samples until the ground confirms them; opened for the run. Absent: samples of an outage are left out. */
  readonly outbox?: Outbox | undefined;
  /** The rules of `sync.transform`; undefined: they are not known yet, and no value leaves. Absent: there are none. */
  readonly transform?: () => readonly TransformRule[] | undefined;
  /** Random number of this run of the process. */
  readonly run?: bigint;
}

const REPORT_MS = 1_000;
/** Robots of a process of the ground that died are with another one within 5 s. */
const FIRST_WAIT_MS = 400;
const MAX_WAIT_MS = 30_000;
/** The ground answers a Hello within this time. */
const WELCOME_PATIENCE_MS = 10_000;
/** More bytes than this wait only if the link is slower than the telemetry; samples are then left out. */
const WAITING_MAX_BYTES = 256 * 1024;
/** Messages of a tick may be queued so long after its time. */
const GRACE_NS = 20n * NS_PER_MS;

/**
 * Sends the telemetry of one robot to the ground, and keeps trying while the ground is out of reach. It never
 * delays recording: a message is copied, and decoded at the next tick if it is still the last one.
 */
export class UplinkClient implements AsyncDisposable, SampleTaker {
  readonly #options: UplinkClientOptions;
  readonly #ports: UplinkClientPorts;
  readonly #sampler: TelemetrySampler;
  readonly #run: bigint;
  readonly #stop = new AbortController();
  readonly #timer: Timer;
  readonly #reportTimer: Timer;
  readonly #running: Promise<void>;
  /** The last message: its own time, and when it came. */
  #heard: { readonly timeNs: bigint; readonly monotonic: bigint } | undefined;
  /** Those that are sampled, and what leaves of them. */
  #sampled: readonly FieldSpec[] = [];
  #redacted: RedactedFields;
  readonly #redaction: Redaction;
  #fields: readonly FieldSpec[] = [];
  /** Of the samples; empty: no channel has said it, yet. */
  #vin = '';
  #connection: UplinkConnection | undefined;
  /** From the Welcome of the connection. */
  #epoch: number | undefined;
  #encoder: TelemetryEncoder | undefined;
  #outboxSender: OutboxSender | undefined;
  /** First tick that was sent live over this connection. */
  #liveFrom: number | undefined;
  #nextTick = 0;
  #reports: ReportSender | undefined;
  #commands: CommandAnswerer | undefined;
  #requests: FetchRelay | undefined;
  #sentReports = 0;
  #state: UplinkStatus['state'] = 'connecting';
  #reason = '';
  #connections = 0;
  #sentFrames = 0;
  #sentBytes = 0;
  #telemetryBytes = 0;
  #full = { protobuf: 0, json: 0 };
  #sizes = new SampleSizes([]);
  #unsentTicks = 0;

  /** Connects at once. */
  constructor(options: UplinkClientOptions, ports: UplinkClientPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#redaction = new Redaction(ports.transform === undefined ? [] : ports.transform());
    this.#redacted = this.#redaction.of([]);
    this.#sampler = new TelemetrySampler({ rules: options.rules, tickNs: TICK_NS }, this, ports.logger);
    this.#run = ports.run ?? Buffer.from(ports.randomBytes(8)).readBigUInt64LE();
    this.#timer = ports.clock.every(TICK_NS / 1e6, () => this.#tick(), { background: true });
    const report = (): void => {
      if (this.#fields.length > 0 && this.#learnVin()) this.#announceFields();
      this.#report();
    };
    this.#reportTimer = ports.clock.every(REPORT_MS, report, { background: true });
    this.#running = this.#keepConnected();
  }

  status(): UplinkStatus {
    return {
      ...this.#sampler.stats(),
      withheldFields: this.#sampled.length - this.#fields.length,
      ...{ robot: this.#options.robot, state: this.#state, reason: this.#reason },
      ...{ connections: this.#connections, sentFrames: this.#sentFrames, sentBytes: this.#sentBytes },
      ...{ telemetryBytes: this.#telemetryBytes, fullBytes: this.#full.protobuf, jsonBytes: this.#full.json },
      unsentTicks: this.#unsentTicks,
      sentReports: this.#sentReports,
      ...(this.#ports.outbox?.status() ?? { waitingSamples: 0, waitingBytes: 0, lostSamples: 0 }),
    };
  }

  /** Takes a message of the robot, when it is queued for recording. */
  take(message: Message): void {
    this.#heard = { timeNs: message.receivedAt, monotonic: this.#ports.clock.monotonic() };
    this.#see(message.channel);
    this.#sampler.take(message);
  }

  fields(specs: readonly FieldSpec[]): void {
    this.#sampled = specs;
    this.#redact();
  }

  sample(tick: number, timeNs: bigint, sampled: Float64Array): void {
    const connection = this.#connection;
    this.#nextTick = tick + 1;
    if (this.#fields.length === 0) return;
    const values = this.#redacted.values(sampled);
    // A ground without a history confirms nothing.
    if (this.#epoch === undefined || this.#outboxSender !== undefined)
      this.#ports.outbox?.append(tick, timeNs, values);
    if (
      connection === undefined ||
      this.#epoch === undefined ||
      connection.waitingBytes > WAITING_MAX_BYTES
    ) {
      // After a tick that was left out, the encoder sends a full frame.
      this.#unsentTicks++;
      return;
    }
    this.#encoder ??= this.#openEncoder(this.#epoch);
    this.#liveFrom ??= tick;
    const { protobuf, json } = this.#sizes.of(timeNs, values);
    this.#full = { protobuf: this.#full.protobuf + protobuf, json: this.#full.json + json };
    this.#send(this.#encoder.sample(tick, timeNs, values));
  }

  /** Sends what waits, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer.cancel();
    this.#reportTimer.cancel();
    if (this.#encoder !== undefined) this.#send(this.#encoder.flush());
    this.#stop.abort(new Error('the uplink is closed'));
    this.#connection?.close('the recorder ends');
    await this.#running;
    await this.#ports.outbox?.[Symbol.asyncDispose]();
  }

  /** A rule that does not fit the type of a topic keeps it from leaving, as it keeps segments. */
  #see(channel: Channel): void {
    const { version } = this.#redaction;
    const reason = this.#redaction.see(channel);
    if (reason !== undefined) {
      const { topic } = channel;
      this.#ports.logger.warn('a rule of sync.transform keeps a topic from the uplink', { topic, reason });
    }
    if (this.#redaction.version !== version) this.#redact();
  }

  /** Finds out again which of the sampled fields leave. */
  #redact(): void {
    this.#redacted = this.#redaction.of(this.#sampled);
    this.#fields = this.#redacted.fields;
    this.#sizes = new SampleSizes(this.#fields);
    this.#learnVin();
    this.#announceFields();
  }

  /** Tells the other end of the uplink, and the outbox, the fields and the vehicle of the next samples. */
  #announceFields(): void {
    this.#ports.outbox?.fields(this.#fields, TICK_NS, this.#vin);
    if (this.#encoder !== undefined) this.#send(this.#encoder.changeFields(this.#catalogue()));
  }

  /** True: the VIN is new. */
  #learnVin(): boolean {
    const vin = this.#options.vin?.() ?? '';
    if (vin === '' || vin === this.#vin) return false;
    this.#vin = vin;
    return true;
  }

  /** Ticks pass by the time of the messages: a replay has another one than the clock. */
  #tick(): void {
    const { transform } = this.#ports;
    if (transform !== undefined && this.#redaction.use(transform())) this.#redact();
    if (this.#heard === undefined) return;
    const since = this.#ports.clock.monotonic() - this.#heard.monotonic;
    this.#sampler.advance(this.#heard.timeNs + since - GRACE_NS);
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#stop;
    let waitMs = FIRST_WAIT_MS;
    while (!isAborted(signal)) {
      this.#state = 'connecting';
      const reason = await this.#connectOnce(signal);
      if (isAborted(signal)) break;
      if (this.#epoch !== undefined) waitMs = FIRST_WAIT_MS;
      this.#epoch = undefined;
      if (reason !== this.#reason) this.#ports.logger.warn('the ground is out of reach', { reason });
      this.#state = 'waiting';
      this.#reason = reason;
      const [random = 0] = this.#ports.randomBytes(1);
      // A fleet that lost its ground does not come back in the same moment.
      await this.#ports.clock.sleep(waitMs * (0.5 + random / 512), signal).catch(() => undefined);
      waitMs = Math.min(waitMs * 2, MAX_WAIT_MS);
    }
    this.#state = 'closed';
  }

  /** One connection, until it ends. Returns why. */
  async #connectOnce(signal: AbortSignal): Promise<string> {
    const { transport, clock, outbox, requests } = this.#ports;
    try {
      return await new Promise<string>((resolve, reject) => {
        const events = { message: (bytes: Uint8Array) => this.#receive(bytes), closed: resolve };
        transport
          .connect(events, signal)
          .then((connection) => {
            this.#connection = connection;
            const { robot, version, vin } = this.#options;
            const keeps = outbox === undefined ? {} : { outbox: true as const };
            const takes = requests === undefined ? {} : { requests: true as const };
            const hello = { robot, version, vin: vin?.() ?? '', ...keeps, ...takes };
            this.#sendMessage({ kind: 'hello', protocol: UPLINK_PROTOCOL, ...hello });
            clock.after(WELCOME_PATIENCE_MS, () => this.#checkWelcome(connection), { background: true });
          })
          .catch(reject);
      });
    } catch (error) {
      return isHoldfastError(error, 'GROUND_REFUSED')
        ? `${describeError(error)}: the token is not accepted`
        : describeError(error);
    } finally {
      this.#connection = undefined;
      this.#encoder = undefined;
      this.#reports = undefined;
      this.#commands = undefined;
      this.#requests = undefined;
      this.#outboxSender?.[Symbol.dispose]();
      this.#outboxSender = undefined;
      this.#liveFrom = undefined;
      if (outbox !== undefined) outbox.isOffline = true;
    }
  }

  #checkWelcome(connection: UplinkConnection): void {
    if (this.#connection === connection && this.#epoch === undefined) connection.close('no Welcome');
  }

  #receive(bytes: Uint8Array): void {
    const message = decodeGroundMessage(bytes);
    if (message.kind === 'full_request') {
      if (message.epoch !== this.#epoch) return;
      this.#encoder?.requestFull(message.catalogue);
      this.#reports?.requestComplete();
    } else if (message.kind === 'command') {
      if (message.epoch === this.#epoch) this.#commands?.take(message.id, message.command);
    } else if (message.kind === 'requests') {
      if (message.epoch === this.#epoch) this.#requests?.take(message.requests);
    } else if (message.kind === 'stored') {
      this.#outboxSender?.confirmed(message.run, message.firstTick, message.ticks);
    } else if (message.kind === 'unusable' || message.protocol !== UPLINK_PROTOCOL) {
      this.#connection?.close('an unusable message');
    } else if (this.#epoch === undefined) {
      this.#epoch = message.epoch;
      this.#reports = new ReportSender(message.epoch, this.#ports.clock);
      this.#commands = new CommandAnswerer(message.epoch, this.#ports.obey, (answer) => {
        if (answer.epoch === this.#epoch) this.#sendMessage(answer);
      });
      this.#requests = this.#openRelay(message.epoch);
      if (message.history === true) this.#emptyOutbox();
      this.#connections++;
      this.#state = 'open';
      this.#reason = '';
      this.#ports.logger.info('connected to the ground', { address: this.#ports.transport.address });
    }
  }

  #emptyOutbox(): void {
    const { outbox, clock, logger } = this.#ports;
    const connection = this.#connection;
    if (outbox === undefined || connection === undefined) return;
    outbox.isOffline = false;
    this.#outboxSender = new OutboxSender({
      ...{ outbox, connection, clock, logger, paceMs: this.#options.outboxPaceMs ?? OUTBOX_PACE_MS },
      send: (batch) => this.#sendMessage(batch),
      redaction: this.#redaction,
      // Ticks of the live stream get their time to be confirmed.
      beforeTick: () => Math.max(this.#liveFrom ?? this.#nextTick, this.#nextTick - CONFIRM_TICKS),
    });
  }

  #openRelay(epoch: number): FetchRelay | undefined {
    const { requests: desk, clock, logger } = this.#ports;
    if (desk === undefined) return undefined;
    const send = (update: FetchUpdate): void => {
      if (epoch === this.#epoch) this.#sendMessage({ kind: 'fetch', update });
    };
    return new FetchRelay({ desk, clock, logger, send });
  }

  #report(): void {
    const { facts } = this.#ports;
    this.#requests?.look();
    if (facts === undefined || this.#reports === undefined) return;
    if ((this.#connection?.waitingBytes ?? Infinity) > WAITING_MAX_BYTES) return;
    const report = this.#reports.next(facts());
    if (report === undefined) return;
    this.#sentReports++;
    this.#sendMessage({ kind: 'report', report });
  }

  #openEncoder(epoch: number): TelemetryEncoder {
    return new TelemetryEncoder({ run: this.#run, epoch, catalogue: this.#catalogue(), pace: defaultPace });
  }

  #catalogue(): Omit<Catalogue, 'version'> {
    return { tickNs: TICK_NS, fields: this.#fields, vin: this.#vin };
  }

  #send(frames: readonly TelemetryFrame[]): void {
    for (const frame of frames) {
      this.#sentFrames++;
      this.#telemetryBytes += this.#sendMessage({ kind: 'telemetry', frame });
    }
  }

  /** Returns its bytes. */
  #sendMessage(message: RobotMessage): number {
    const bytes = encodeRobotMessage(message);
    this.#sentBytes += bytes.byteLength;
    this.#connection?.send(bytes);
    return bytes.byteLength;
  }
}
