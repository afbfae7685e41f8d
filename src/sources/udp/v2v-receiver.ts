import type { RemoteInfo } from 'node:dgram';
import { NS_PER_MS, NS_PER_S } from '../../core/clock.js';
import type { GapReason } from '../../core/gap.js';
import type { Channel } from '../../core/message.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { GapCollector } from '../gap-collector.js';
import { decodeDatagram, type V2vBody, type V2vDatagram } from './datagram.js';
import type { UdpOptions } from './udp-options.js';
import { V2vChannels } from './v2v-channels.js';
import { VehicleLink, type LinkLoss } from './vehicle-link.js';

/** Why a datagram is not recorded, and as what it is counted. */
const faultReasons = {
  malformed: 'invalid_message',
  oversized: 'message_too_large',
  unauthenticated: 'invalid_message',
  forged: 'invalid_message',
  replayed: 'invalid_message',
  outside_time_window: 'invalid_message',
  too_many_vehicles: 'invalid_message',
} as const satisfies Record<string, GapReason>;

export type Fault = keyof typeof faultReasons;

/** One kind of fault is logged this often at most. */
const LOG_INTERVAL_NS = 60_000_000_000n;

type ReceiverOptions = Pick<UdpOptions, 'maxDatagramBytes' | 'maxVehicles' | 'maxSkewMs' | 'key'>;

/** Datagrams in, messages, gaps and link messages out; knows no socket. */
export class V2vReceiver {
  readonly #context: SourceContext;
  readonly #emit: (event: SourceEvent) => void;
  readonly #options: ReceiverOptions;
  readonly #links = new Map<string, VehicleLink>();
  readonly #channels: V2vChannels;
  readonly #faults: Readonly<Record<Fault, GapCollector>>;
  readonly #loggedAt = new Map<string, bigint>();
  #reportedAt: bigint;

  constructor(options: ReceiverOptions, context: SourceContext, emit: (event: SourceEvent) => void) {
    this.#options = options;
    this.#context = context;
    this.#emit = emit;
    this.#channels = new V2vChannels(context, emit);
    const collector = (): GapCollector => new GapCollector(context.clock, emit);
    this.#faults = {
      ...{ malformed: collector(), oversized: collector(), unauthenticated: collector() },
      ...{ forged: collector(), replayed: collector(), outside_time_window: collector() },
      too_many_vehicles: collector(),
    };
    this.#reportedAt = context.clock.monotonic();
  }

  /** The topics that are wanted may have changed. */
  filterChanged(): void {
    this.#channels.reconsider();
  }

  /** One datagram; never throws for what is in it. */
  receive(bytes: Uint8Array, from: Pick<RemoteInfo, 'address' | 'port' | 'family'>): void {
    const { clock } = this.#context;
    const receivedNs = clock.now();
    const monotonicNs = clock.monotonic();
    const sender = from.family === 'IPv6' ? `[${from.address}]:${from.port}` : `${from.address}:${from.port}`;
    const decoded = decodeDatagram(bytes, this.#options.maxDatagramBytes, this.#options.key);
    if ('fault' in decoded) return this.#refuse(decoded.fault, bytes, sender, decoded.detail);
    const { datagram, encoding, authenticated } = decoded;
    if (authenticated && datagram.session === '') {
      return this.#refuse('unauthenticated', bytes, sender, 'it has no session');
    }
    const link = this.#linkOf(datagram.vehicle);
    if (link === undefined) {
      const detail = `${datagram.vehicle}: ${this.#options.maxVehicles} others were heard before it`;
      return this.#refuse('too_many_vehicles', bytes, sender, detail);
    }
    const wasInConflict = link.isInConflict;
    const verdict = link.take({ datagram, sender, authenticated, receivedNs, monotonicNs });
    if (link.isInConflict && !wasInConflict) {
      this.#warn(`two vehicles with one name ${datagram.vehicle}`, { vehicle: datagram.vehicle, sender });
    }
    if (verdict.kind === 'refused') return this.#refuse(verdict.fault, bytes, sender, verdict.detail);
    if (verdict.kind === 'duplicate') return;
    const { order } = verdict;
    this.#give(datagram, { sender, encoding, authenticated, order }, receivedNs);
  }

  /** To be called about once a second: tells what is missing by now. */
  tick(isLast = false): void {
    const { clock } = this.#context;
    for (const [vehicle, link] of this.#links) {
      for (const loss of link.losses(clock.monotonic(), isLast)) this.#tellLoss(vehicle, loss);
    }
    for (const faults of Object.values(this.#faults)) faults.flush();
  }

  /** One link message per vehicle that was heard since the last. */
  report(): void {
    const { clock } = this.#context;
    const monotonicNs = clock.monotonic();
    const interval_s = Number(monotonicNs - this.#reportedAt) / 1e9;
    this.#reportedAt = monotonicNs;
    for (const [vehicle, link] of this.#links) {
      const report = link.report();
      if (report === undefined) continue;
      const now = clock.now();
      this.#send(vehicle, 'link', { vehicle, time: timeOf(now), interval_s, ...report }, now, now);
    }
  }

  #linkOf(vehicle: string): VehicleLink | undefined {
    const known = this.#links.get(vehicle);
    if (known !== undefined) return known;
    // Names are never forgotten: whoever invents them could else fill the recording with robots.
    if (this.#links.size >= this.#options.maxVehicles) return undefined;
    const link = new VehicleLink({ maxSkewNs: BigInt(Math.round(this.#options.maxSkewMs)) * NS_PER_MS });
    this.#links.set(vehicle, link);
    return link;
  }

  #give(
    { vehicle, session, sequence, sentNs, body }: V2vDatagram,
    how: Readonly<Record<string, unknown>>,
    receivedNs: bigint,
  ): void {
    const { kind, ...content } = body;
    const message = {
      ...{ vehicle, session, sequence, sent: timeOf(sentNs), received: timeOf(receivedNs) },
      ...how,
      ...content,
    };
    this.#send(vehicle, kind, message, receivedNs, sentNs);
  }

  #send(
    vehicle: string,
    kind: V2vBody['kind'] | 'link',
    message: object,
    receivedAt: bigint,
    publishedAt: bigint,
  ): void {
    const channel = this.#channels.of(vehicle, kind);
    if (channel === undefined) return;
    const data = new TextEncoder().encode(JSON.stringify(message));
    this.#emit({ kind: 'message', channel, data, receivedAt, publishedAt });
  }

  #tellLoss(vehicle: string, { kind, session, sender, lost }: LinkLoss): void {
    const channel: Channel | undefined = this.#channels.of(vehicle, kind);
    if (channel === undefined) return;
    const { count, ranges, first, last } = lost;
    const where =
      ranges === 1 ? `numbers ${first} to ${last}` : `in ${ranges} places from ${first} to ${last}`;
    const named = session === '' ? '' : ` of session ${session}`;
    this.#emit({
      kind: 'gap',
      gap: {
        ...{ reason: 'source_lost', robot: channel.robot, topic: channel.topic, count },
        lastTime: this.#context.clock.now(),
        ...(ranges === 1 ? { firstSourceSequence: first, lastSourceSequence: last } : {}),
        detail: `datagrams from ${sender}${named} did not arrive: ${where}`,
      },
    });
  }

  #refuse(fault: Fault, bytes: Uint8Array, sender: string, detail: string): void {
    const text = `datagram ${fault.replaceAll('_', ' ')}, from ${sender}: ${detail}`;
    this.#faults[fault].add(
      faultReasons[fault],
      this.#context.robotOf(''),
      undefined,
      bytes.length,
      text.slice(0, 240),
    );
    this.#warn(`datagrams are refused: ${fault.replaceAll('_', ' ')}`, { sender, detail });
  }

  #warn(event: string, fields: Readonly<Record<string, unknown>>): void {
    const now = this.#context.clock.monotonic();
    const before = this.#loggedAt.get(event);
    if (before !== undefined && now - before < LOG_INTERVAL_NS) return;
    this.#loggedAt.set(event, now);
    this.#context.logger.warn(event, fields);
  }
}

function timeOf(ns: bigint): { sec: number; nsec: number } {
  return { sec: Number(ns / NS_PER_S), nsec: Number(ns % NS_PER_S) };
}
