import { randomBytes } from 'node:crypto';
import { defined } from '../core/defined.js';
import { HoldfastError } from '../core/errors.js';
import { vehicleIdOf, vehicleRobot } from '../core/vehicle-name.js';
import { systemClock } from '../host/system-clock.js';
import type { FleetMember, V2vDatagram } from '../sources/udp/datagram.js';
import { DatagramIntake, senderText, type IntakeFault } from '../sources/udp/datagram-intake.js';
import { V2vSender } from '../sources/udp/v2v-sender.js';
import { MulticastRadio } from './multicast-radio.js';
import {
  parseManagerOptions,
  type FleetEstimate,
  type KnownVehicle,
  type LocalEstimate,
  type ManagerOptions,
  type V2vManagerOptions,
} from './v2v-manager-options.js';
import type { V2vStats } from './v2v-stats.js';

/** Larger datagrams are refused, bytes. */
const MAX_DATAGRAM_BYTES = 16_384;
/** Maximum difference between the sending time of an authenticated datagram and now. */
const MAX_SKEW_MS = 30_000;
/** Members of one fleet datagram. */
const MAX_MEMBERS = 256;
/** `onError` receives each code at most this often. */
const TELL_INTERVAL_NS = 10_000_000_000n;

/**
 * The radio of one vehicle. It sends the vehicle's own state and its estimates of the fleet to a multicast
 * group, and passes received ones to a logger, to callbacks, or to both. It opens the network by itself and
 * again after every failure. Sending never waits and never throws. docs/udp.md has an example.
 *
 * The constructor throws `CONFIG_INVALID` with all faults of the options. Close it (`await using`) when done.
 */
export class V2vManager implements AsyncDisposable {
  readonly #options: ManagerOptions;
  readonly #name: string;
  readonly #session = randomBytes(8).toString('hex');
  readonly #sender: V2vSender;
  readonly #intake: DatagramIntake;
  readonly #radio: MulticastRadio;
  readonly #refused = new Map<IntakeFault, number>();
  readonly #toldAt = new Map<string, bigint>();
  readonly #vehicles = new Set<string>();
  readonly #waiting = new Set<() => void>();
  #state: V2vStats['state'] = 'opening';
  #reason: string | undefined;
  #sent = 0;
  #notSent = 0;
  #received = 0;
  #lost = 0;
  #duplicates = 0;

  constructor(options: V2vManagerOptions) {
    this.#options = parseManagerOptions(options);
    const { vehicleId, group, port, family, iface, hops, encoding, key, maxVehicles } = this.#options;
    this.#name = vehicleRobot(vehicleId);
    const own = { vehicle: this.#name, session: this.#session, encoding, ...defined({ key }) };
    this.#sender = new V2vSender(own, () => systemClock.now());
    this.#intake = new DatagramIntake({
      ...{ maxDatagramBytes: MAX_DATAGRAM_BYTES, maxVehicles, maxSkewMs: MAX_SKEW_MS },
      ...defined({ key }),
    });
    this.#radio = new MulticastRadio({ group, port, family, iface, hops }, systemClock, {
      onDatagram: (bytes, from) => this.#receive(bytes, senderText(from)),
      onState: (state, reason) => this.#stateIs(state, reason),
      onTick: () => this.#countLosses(false),
    });
  }

  /** Sends the vehicle's own state. Returns false if it was not sent; `stats()` counts that. */
  sendLocalEstimation(state: LocalEstimate): boolean {
    if (!isPose(state)) return this.#refuseOwn('x, y, theta and v must be finite numbers');
    const { x, y, theta, v, acceleration } = state;
    const isKnown = acceleration !== undefined && Number.isFinite(acceleration);
    return this.#send(this.#sender.state({ x, y, theta, v, ...(isKnown && { acceleration }) }));
  }

  /**
   * Sends the vehicle's estimates of up to 256 vehicles. Returns false if they were not sent; `stats()`
   * counts that.
   */
  sendFleetEstimation(states: readonly KnownVehicle[]): boolean {
    if (!Array.isArray(states) || states.length > MAX_MEMBERS) {
      return this.#refuseOwn(`states must be a list of up to ${MAX_MEMBERS} vehicles`);
    }
    const all: readonly KnownVehicle[] = states;
    if (!all.every((one) => isPose(one) && isId(one.vehicleId))) {
      return this.#refuseOwn('each state needs a vehicleId, and x, y, theta and v that are finite numbers');
    }
    const fleet = all.map(({ vehicleId, x, y, theta, v }): FleetMember => {
      return { vehicle: vehicleRobot(String(vehicleId)), x, y, theta, v };
    });
    return this.#send(this.#sender.fleet(fleet));
  }

  /**
   * Resolves once it receives, after the first failed attempt (`stats()` says why; it retries), or when it is
   * closed.
   */
  async ready(): Promise<V2vStats> {
    while (this.#state === 'opening') await new Promise<void>((resolve) => this.#waiting.add(resolve));
    return this.stats();
  }

  /** The present state and counters; never waits. */
  stats(): V2vStats {
    return {
      ...{ state: this.#state, reason: this.#reason, sent: this.#sent, notSent: this.#notSent },
      ...{ received: this.#received, lost: this.#lost, duplicates: this.#duplicates },
      refused: Object.fromEntries(this.#refused),
      vehicles: [...this.#vehicles],
    };
  }

  /** Stops sending and listening. Idempotent; never rejects. */
  async close(): Promise<V2vStats> {
    await this.#radio.close();
    if (this.#state !== 'closed') {
      this.#countLosses(true);
      this.#stateIs('closed');
    }
    return this.stats();
  }

  /** As {@link V2vManager.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #receive(bytes: Uint8Array, sender: string): void {
    const times = { receivedNs: systemClock.now(), monotonicNs: systemClock.monotonic() };
    const verdict = this.#intake.take(bytes, sender, times);
    if (verdict.kind === 'duplicate') this.#duplicates++;
    else if (verdict.kind === 'refused') {
      this.#refused.set(verdict.fault, (this.#refused.get(verdict.fault) ?? 0) + 1);
      const why = `a datagram from ${sender} was refused: ${verdict.fault.replaceAll('_', ' ')}, ${verdict.detail}`;
      this.#tell('V2V_DATAGRAM_REFUSED', why, { sender, fault: verdict.fault });
    } else this.#accept(verdict.datagram, sender);
  }

  #accept({ vehicle, session, sentNs, body }: V2vDatagram, sender: string): void {
    if (vehicle === this.#name) {
      // The group returns what this vehicle sent itself.
      if (session === this.#session) return;
      const why = `another vehicle at ${sender} sends under the name ${vehicle} of this one`;
      this.#tell('V2V_NAME_TAKEN', why, { sender, vehicle });
      return;
    }
    const senderId = vehicleIdOf(vehicle);
    this.#vehicles.add(senderId);
    this.#received++;
    const { logger, onLocalEstimation, onFleetEstimation } = this.#options;
    const timestamp = Number(sentNs) / 1e9;
    if (body.kind === 'state') {
      const { x, y, theta, v, acceleration } = body.state;
      const state = { x, y, theta, v, ...(typeof acceleration === 'number' && { acceleration }) };
      this.#pass(() => logger?.logLocalEstimation(senderId, timestamp, state));
      this.#pass(() => onLocalEstimation?.(senderId, timestamp, state));
      return;
    }
    const states = body.fleet.map(({ vehicle: about, x, y, theta, v }): FleetEstimate => {
      return { vehicleId: vehicleIdOf(about), x, y, theta, v };
    });
    this.#pass(() => logger?.logFleetEstimation(senderId, timestamp, states));
    this.#pass(() => onFleetEstimation?.(senderId, timestamp, states));
  }

  /** An error of a callback must not end the program, and must not be hidden either. */
  #pass(call: () => unknown): void {
    try {
      call();
    } catch (cause) {
      this.#tell('V2V_CALLBACK_FAILED', 'a logger or callback of V2vManager threw', {}, cause);
    }
  }

  #send(bytes: Uint8Array): boolean {
    const isHanded = this.#radio.send(bytes, (error) => {
      if (error === null) return;
      this.#sent--;
      this.#notSent++;
      this.#tell('V2V_SEND_FAILED', `a datagram could not be sent: ${error.message}`, {}, error);
    });
    if (isHanded) this.#sent++;
    else {
      this.#notSent++;
      const why =
        this.#state === 'open' ? 'too many datagrams are on their way' : `the network is ${this.#state}`;
      this.#tell('V2V_SEND_FAILED', `a datagram was not sent: ${why}`, { state: this.#state });
    }
    return isHanded;
  }

  #refuseOwn(allowed: string): false {
    this.#notSent++;
    this.#tell('V2V_SEND_FAILED', `an estimation was not sent: ${allowed}`, {});
    return false;
  }

  #stateIs(state: V2vStats['state'], reason?: string): void {
    this.#state = state;
    this.#reason = reason;
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
    if (state !== 'waiting') return;
    const { group, port } = this.#options;
    this.#tell(
      'SOURCE_DISCONNECTED',
      `${group}:${port} is not heard: ${reason ?? 'unknown'}; it is tried again`,
      {
        ...{ group, port, reason },
      },
    );
  }

  #countLosses(isLast: boolean): void {
    for (const [vehicle, { lost }] of this.#intake.losses(systemClock.monotonic(), isLast)) {
      if (vehicle !== this.#name) this.#lost += lost.count;
    }
  }

  #tell(code: HoldfastError['code'], message: string, facts: HoldfastError['facts'], cause?: unknown): void {
    const now = systemClock.monotonic();
    const toldAt = this.#toldAt.get(code);
    if (toldAt !== undefined && now - toldAt < TELL_INTERVAL_NS) return;
    this.#toldAt.set(code, now);
    try {
      this.#options.onError?.(new HoldfastError(code, message, { facts, cause }));
    } catch {
      // An error of the error callback must not end the program; it has received the first error.
    }
  }
}

/** Whether the value names a vehicle; accepts any value. */
function isId(value: unknown): boolean {
  return (typeof value === 'string' || typeof value === 'number') && /^\w{1,40}$/.test(String(value));
}

/** Whether the values are four finite numbers; accepts any value. */
function isPose(value: unknown): value is LocalEstimate {
  if (typeof value !== 'object' || value === null) return false;
  const { x, y, theta, v } = value as Readonly<Record<string, unknown>>;
  return [x, y, theta, v].every((one) => Number.isFinite(one));
}
