import type { RemoteInfo } from 'node:dgram';
import { NS_PER_S } from '../../core/clock.js';
import type { GapReason } from '../../core/gap.js';
import type { Channel } from '../../core/message.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { GapCollector } from '../gap-collector.js';
import type { V2vBody, V2vDatagram } from './datagram.js';
import { DatagramIntake, senderText, type IntakeFault, type IntakeOptions } from './datagram-intake.js';
import { ReceivedEstimations } from './received-estimations.js';
import type { UdpOptions } from './udp-options.js';
import { V2vChannels } from './v2v-channels.js';
import type { LinkLoss } from './vehicle-link.js';

/** Why a datagram is not recorded, and how it is counted. */
const faultReasons = {
  malformed: 'invalid_message',
  oversized: 'message_too_large',
  unauthenticated: 'invalid_message',
  forged: 'invalid_message',
  replayed: 'invalid_message',
  outside_time_window: 'invalid_message',
  too_many_vehicles: 'invalid_message',
} as const satisfies Record<IntakeFault, GapReason>;

/** One kind of fault is logged at most this often. */
const LOG_INTERVAL_NS = 60_000_000_000n;

type ReceiverOptions = IntakeOptions & Pick<UdpOptions, 'receiver'>;

/** Turns datagrams into messages, gaps and link messages; it has no socket. */
export class V2vReceiver {
  readonly #context: SourceContext;
  readonly #emit: (event: SourceEvent) => void;
  readonly #intake: DatagramIntake;
  readonly #channels: V2vChannels;
  readonly #estimations: ReceivedEstimations;
  readonly #faults: Readonly<Record<IntakeFault, GapCollector>>;
  readonly #loggedAt = new Map<string, bigint>();
  #reportedAt: bigint;

  constructor(options: ReceiverOptions, context: SourceContext, emit: (event: SourceEvent) => void) {
    this.#context = context;
    this.#emit = emit;
    this.#intake = new DatagramIntake(options);
    this.#channels = new V2vChannels(context, emit);
    this.#estimations = new ReceivedEstimations(options.receiver, context, emit);
    const collector = (): GapCollector => new GapCollector(context.clock, emit);
    this.#faults = {
      ...{ malformed: collector(), oversized: collector(), unauthenticated: collector() },
      ...{ forged: collector(), replayed: collector(), outside_time_window: collector() },
      too_many_vehicles: collector(),
    };
    this.#reportedAt = context.clock.monotonic();
  }

  /** The set of wanted topics may have changed. */
  filterChanged(): void {
    this.#channels.reconsider();
    this.#estimations.reconsider();
  }

  /** One datagram; never throws, for any content. */
  receive(bytes: Uint8Array, from: Pick<RemoteInfo, 'address' | 'port' | 'family'>): void {
    const { clock } = this.#context;
    const receivedNs = clock.now();
    const sender = senderText(from);
    const verdict = this.#intake.take(bytes, sender, { receivedNs, monotonicNs: clock.monotonic() });
    if (verdict.kind === 'refused') {
      this.#refuse(verdict.fault, bytes, sender, verdict.detail);
      return;
    }
    if (verdict.kind === 'duplicate') return;
    const { datagram, encoding, authenticated, order, isNewConflict } = verdict;
    const { vehicle } = datagram;
    if (isNewConflict) this.#warn(`two vehicles with one name ${vehicle}`, { vehicle, sender });
    this.#give(datagram, { sender, encoding, authenticated, order }, receivedNs);
    this.#estimations.give(datagram, receivedNs);
  }

  /** Call it about once a second: it reports what is missing by now. */
  tick(isLast = false): void {
    const { clock } = this.#context;
    for (const [vehicle, loss] of this.#intake.losses(clock.monotonic(), isLast))
      this.#tellLoss(vehicle, loss);
    for (const faults of Object.values(this.#faults)) faults.flush();
  }

  /** One link message per vehicle received since the last. */
  report(): void {
    const { clock } = this.#context;
    const monotonicNs = clock.monotonic();
    const interval_s = Number(monotonicNs - this.#reportedAt) / 1e9;
    this.#reportedAt = monotonicNs;
    for (const [vehicle, report] of this.#intake.reports()) {
      const now = clock.now();
      this.#send(vehicle, 'link', { vehicle, time: timeOf(now), interval_s, ...report }, now, now);
    }
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

  #refuse(fault: IntakeFault, bytes: Uint8Array, sender: string, detail: string): void {
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
