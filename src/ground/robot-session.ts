import { defined } from '../core/defined.js';
import type { SegmentContent } from '../core/monitoring.js';
import type { Clock } from '../core/clock.js';
import { NS_PER_S } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { ConnectionEvents, UplinkConnection } from '../uplink/link/uplink-transport.js';
import type { FetchRequest } from '../core/fetch-request.js';
import type { FetchUpdate } from '../uplink/protocol/fetch-update.js';
import type { RobotCommand } from '../uplink/protocol/robot-command.js';
import { present } from '../core/present.js';
import type { Catalogue } from '../uplink/protocol/field-spec.js';
import type { OutboxBatch, RemovedSamples, Stored } from '../uplink/protocol/outbox-codec.js';
import { TelemetryDecoder, type DecodedTicks } from '../uplink/protocol/telemetry-decoder.js';
import type { RobotReport } from '../uplink/protocol/robot-report.js';
import type { TelemetryFrame } from '../uplink/protocol/telemetry-frame.js';
import {
  decodeRobotMessage,
  encodeGroundMessage,
  UPLINK_PROTOCOL,
  type Hello,
  type RobotMessage,
} from '../uplink/protocol/uplink-messages.js';
import type { CommandOutcome } from './commands.js';
import { PendingCommands } from './pending-commands.js';
import type { HistorySink } from './history/sample-batch.js';
import { batchesOf } from './outbox-batches.js';
import { RobotAllowance } from './robot-allowance.js';
import type { RobotState } from './robot-state.js';
import { StoredTicks } from './stored-ticks.js';

export interface RobotSessionParts {
  readonly state: RobotState;
  readonly connection: UplinkConnection;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A number for this connection, larger than those of all earlier ones. */
  readonly nextEpoch: () => Promise<number>;
  /** Undefined: nothing is kept. */
  readonly history: HistorySink | undefined;
  /** The VIN of the robot if it says this one (empty: none); undefined: it may not say it. */
  readonly vinOf: (said: string) => string | undefined;
  /** A report of the robot, as it came. */
  readonly onReport?: (report: RobotReport) => void;
  /** What the robot says about a request for segments. */
  readonly onFetch?: (update: FetchUpdate) => void;
  /** Samples that the robot no longer has; resolves when this is durable. */
  readonly onRemoved?: (removed: RemovedSamples) => Promise<void>;
  /** The connection has ended. */
  readonly onEnd: () => void;
}

/** One connection of a robot at the ground. */
export class RobotSession implements ConnectionEvents {
  readonly #parts: RobotSessionParts;
  #decoder: TelemetryDecoder | undefined;
  readonly #commands: PendingCommands;
  readonly #stored: StoredTicks;
  #epoch = 0;
  /** The robot keeps samples until they are confirmed. */
  #confirms = false;
  #takesRequests = false;
  /** The open requests that the robot knows, as JSON. */
  #toldRequests: string | undefined;
  /** What segments hold, by the number that the robot gave it. */
  readonly #contents = new Map<number, SegmentContent>();
  #outboxCatalogue: Catalogue | undefined;
  /** What the robot said on this connection, for catalogues without a VIN; empty: nothing. */
  #vin = '';
  /** Of the live telemetry; undefined: there was none. */
  #run: bigint | undefined;
  #hasSaidHello = false;
  #isClosed = false;
  #lastRequestAt: bigint | undefined;
  readonly #allowance: RobotAllowance;

  constructor(parts: RobotSessionParts) {
    this.#parts = parts;
    this.#commands = new PendingCommands(parts.clock);
    this.#stored = new StoredTicks(parts.clock, (stored) => this.#confirm(stored));
    this.#allowance = new RobotAllowance(parts.clock.monotonic());
  }

  /** The number of this connection; 0: the robot has not said Hello. */
  get epoch(): number {
    return this.#epoch;
  }

  message(bytes: Uint8Array): void {
    const { state, clock } = this.#parts;
    if (this.#isClosed) return;
    state.heardAtNs = clock.now();
    state.counters.messages++;
    state.counters.bytes += bytes.byteLength;
    if (!this.#allowance.takeMessage(bytes.byteLength, clock.monotonic())) {
      this.end('more messages than one robot may send');
      return;
    }
    const message = decodeRobotMessage(bytes);
    if (message.kind === 'unusable') this.#lose(message.reason);
    else if (message.kind === 'hello') this.#greet(message);
    else if (message.kind === 'report') this.#note(message.report);
    else if (message.kind === 'answer') this.#answered(message);
    else if (message.kind === 'outbox') this.#empty(message);
    else if (message.kind === 'fetch') this.#fetched(message.update);
    else if (message.kind === 'removed') this.#missed(message);
    else {
      state.counters.telemetryBytes += bytes.byteLength;
      this.#apply(message.frame);
    }
  }

  closed(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#commands.end();
    this.#parts.logger.info('a robot has disconnected', { robot: this.#parts.state.robot, reason });
    this.#parts.onEnd();
  }

  /** Ends the connection for a reason of the ground. */
  end(reason: string): void {
    this.#parts.connection.close(reason);
    this.closed(reason);
  }

  #greet({ protocol, robot, version, vin, outbox, requests }: Hello): void {
    const { state, connection, nextEpoch, history } = this.#parts;
    if (this.#hasSaidHello) {
      this.end('a second Hello');
      return;
    }
    this.#hasSaidHello = true;
    if (robot !== state.robot) {
      this.end(`the token belongs to ${state.robot}`);
      return;
    }
    if (protocol !== UPLINK_PROTOCOL) {
      this.end(`protocol ${protocol}, allowed: ${UPLINK_PROTOCOL}`);
      return;
    }
    state.version = version;
    this.#vin = this.#vinOf(vin);
    if (this.#vin !== '' || vin !== '') state.vin = this.#vin;
    this.#confirms = outbox === true;
    this.#takesRequests = requests === true;
    const keeps = history === undefined ? {} : { history: true as const };
    nextEpoch().then(
      (epoch) => {
        if (this.#isClosed) return;
        this.#epoch = epoch;
        this.#decoder = new TelemetryDecoder(epoch);
        state.begin(this.#decoder);
        state.counters.connections++;
        connection.send(encodeGroundMessage({ kind: 'welcome', protocol: UPLINK_PROTOCOL, epoch, ...keeps }));
      },
      (error: unknown) => {
        this.#parts.logger.error('a robot cannot be given an epoch', { robot, error: describeError(error) });
        this.end('the ground cannot write');
      },
    );
  }

  /** Sends a command to the robot; resolves with how it ended. */
  async give(command: RobotCommand): Promise<CommandOutcome> {
    const epoch = this.#epoch;
    if (this.#isClosed || epoch === 0) return { state: 'offline', message: 'the robot is not connected' };
    return await this.#commands.give((id) => {
      this.#parts.connection.send(encodeGroundMessage({ kind: 'command', epoch, id, command }));
    });
  }

  /** Tells the robot its open requests for segments, if they have changed. False: it takes none. */
  tellRequests(requests: readonly FetchRequest[]): boolean {
    if (this.#isClosed || this.#epoch === 0) return true;
    if (!this.#takesRequests) return false;
    const text = JSON.stringify(requests);
    if (text === this.#toldRequests) return true;
    this.#toldRequests = text;
    const message = { kind: 'requests' as const, epoch: this.#epoch, requests };
    this.#parts.connection.send(encodeGroundMessage(message));
    return true;
  }

  #fetched(update: FetchUpdate): void {
    if (this.#epoch === 0) this.end('an update of a request before the Welcome');
    else this.#parts.onFetch?.(update);
  }

  #answered({ epoch, id, answer }: Extract<RobotMessage, { kind: 'answer' }>): void {
    if (this.#epoch === 0) this.end('an answer before the Welcome');
    else if (epoch === this.#epoch) this.#commands.answered(id, answer);
  }

  #note(said: RobotReport): void {
    const { state, clock } = this.#parts;
    const { vin } = said.figures;
    const report =
      vin === undefined ? said : { ...said, figures: { ...said.figures, vin: this.#vinOf(vin) } };
    if (this.#epoch === 0) this.end('a report before the Welcome');
    else if (report.epoch !== this.#epoch) this.#lose(`epoch ${report.epoch}, allowed: ${this.#epoch}`);
    else if (!state.reported.apply(report, clock.now())) this.#requestFull(false);
    if (report.epoch === this.#epoch) this.#parts.onReport?.(this.#withContents(report));
    // Robots learn it from the metadata of their channels, after the Hello.
    if (report.epoch === this.#epoch) this.#vin = report.figures.vin ?? this.#vin;
    state.vin = state.reported.figures?.vin ?? state.vin;
  }

  /** The same, with what its segments hold. */
  #withContents(report: RobotReport): RobotReport {
    for (const { number, vin, ...content } of report.contents ?? [])
      this.#contents.set(number, { ...content, ...defined({ vin: vin && this.#vinOf(vin) }) });
    const segments = report.segments.map((one) => ({
      ...one,
      ...defined({ holds: one.content === undefined ? undefined : this.#contents.get(one.content) }),
    }));
    return { ...report, segments };
  }

  #apply(frame: TelemetryFrame): void {
    const { state } = this.#parts;
    if (this.#decoder === undefined) {
      this.end('telemetry before the Welcome');
      return;
    }
    if (frame.epoch !== this.#epoch) {
      this.#lose(`epoch ${frame.epoch}, allowed: ${this.#epoch}`);
      return;
    }
    // Before it is decoded, which takes memory for every value.
    if (!this.#allowance.takeValues(this.#valuesIn(frame))) {
      this.end('more values than one robot may send');
      return;
    }
    const decoded = this.#decoder.apply(frame);
    if (decoded.kind === 'ticks') {
      state.took(decoded.ticks);
      this.#keep(decoded.ticks);
    } else if (decoded.kind === 'unknown') {
      state.counters.gaps++;
      this.#requestFull(decoded.needsCatalogue);
    }
  }

  #keep({ catalogue, run, firstTick, ticks, timeNs, values, full }: DecodedTicks): void {
    const { fields, tickNs } = catalogue;
    this.#run = run;
    const { robot, vin } = this.#vehicleOf(catalogue, run);
    // Without a spread: a fleet sends thousands of these in a second.
    const batch = { robot, vin, run, fields, tickNs, firstTick, ticks, timeNs, values, full };
    this.#parts.history?.store(batch, () => this.#stored.add(run, firstTick, ticks));
  }

  /** A robot of an earlier version says in no catalogue in which vehicle it was: only its present run has a vehicle. */
  #vehicleOf({ vin }: Catalogue, run: bigint): { readonly robot: string; readonly vin: string } {
    const known = vin === undefined ? (run === this.#run ? this.#vin : '') : this.#vinOf(vin);
    return { robot: this.#parts.state.robot, vin: known };
  }

  /** Empty: the robot has none, or may not say this one. */
  #vinOf(said: string): string {
    const { state, logger, vinOf } = this.#parts;
    const vin = vinOf(said);
    if (vin !== undefined && state.refusedVin === said) state.refusedVin = '';
    if (vin === undefined && state.refusedVin !== said) {
      state.refusedVin = said;
      logger.warn('a robot says a VIN that it may not say', { robot: state.robot, vin: said });
    }
    return vin ?? '';
  }

  /** Stores what waited on the robot. Without a history nobody asked for it. */
  #empty(message: OutboxBatch): void {
    const { history, state } = this.#parts;
    if (this.#epoch === 0) {
      this.end('an outbox before the Welcome');
      return;
    }
    const catalogue = message.catalogue ?? this.#outboxCatalogue;
    const [first, last] = [present(message.samples[0]), present(message.samples.at(-1))];
    if (catalogue === undefined || catalogue.fields.length !== first.values.length) {
      this.end('an outbox without its fields');
      return;
    }
    this.#outboxCatalogue = catalogue;
    state.counters.outboxSamples += message.samples.length;
    const batches = batchesOf(this.#vehicleOf(catalogue, message.run), message, catalogue);
    let open = batches.length;
    for (const batch of batches) {
      history?.store(batch, () => {
        if (--open > 0) return;
        const ticks = last.tick - first.tick + 1;
        this.#confirm({ kind: 'stored', run: message.run, firstTick: first.tick, ticks });
      });
    }
  }

  /** Notes what is to be filled in from segments. The robot repeats what cannot be noted now. */
  #missed(removed: RemovedSamples): void {
    const { onRemoved, logger, state } = this.#parts;
    if (this.#epoch === 0) {
      this.end('removed samples before the Welcome');
      return;
    }
    const { run, firstTick, ticks, catalogue } = removed;
    const { vin } = catalogue;
    const noted =
      vin === undefined ? removed : { ...removed, catalogue: { ...catalogue, vin: this.#vinOf(vin) } };
    onRemoved?.(noted).then(
      () => this.#confirm({ kind: 'stored', run, firstTick, ticks }),
      (error: unknown) => {
        const reason = describeError(error);
        logger.warn('removed samples of a robot cannot be noted', { robot: state.robot, error: reason });
      },
    );
  }

  #confirm(stored: Stored): void {
    if (this.#confirms && !this.#isClosed) this.#parts.connection.send(encodeGroundMessage(stored));
  }

  #lose(reason: string): void {
    const { state, logger } = this.#parts;
    if (state.counters.unusable++ === 0)
      logger.warn('a message of a robot is unusable; further ones are only counted', {
        ...{ robot: state.robot, reason },
      });
    if (!this.#hasSaidHello) {
      this.end('the first message is no Hello');
      return;
    }
    this.#decoder?.lose();
    this.#requestFull(false);
  }

  /** At most once per second: the robot does not answer more often. */
  #requestFull(catalogue: boolean): void {
    const now = this.#parts.clock.monotonic();
    if (this.#epoch === 0) return;
    if (this.#lastRequestAt !== undefined && now - this.#lastRequestAt < NS_PER_S) return;
    this.#lastRequestAt = now;
    const message = encodeGroundMessage({ kind: 'full_request', epoch: this.#epoch, catalogue });
    this.#parts.connection.send(message);
  }

  #valuesIn({ ticks, full }: TelemetryFrame): number {
    return ticks * (full?.values.length ?? this.#decoder?.catalogue?.fields.length ?? 0);
  }
}
