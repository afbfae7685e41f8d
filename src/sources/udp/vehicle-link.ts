import type { V2vBody, V2vDatagram } from './datagram.js';
import { DatagramStream, merged } from './datagram-stream.js';
import { LinkMeter, type Latency } from './link-meter.js';
import type { LostNumbers } from './sequence-window.js';
import { present } from '../../core/present.js';

/** One datagram as it arrived. */
export interface ReceivedDatagram {
  readonly datagram: V2vDatagram;
  /** `address:port` of its sender. */
  readonly sender: string;
  readonly authenticated: boolean;
  /** Nanoseconds since the Unix epoch, and monotonic. */
  readonly receivedNs: bigint;
  readonly monotonicNs: bigint;
}

export type Verdict =
  | { readonly kind: 'record'; readonly order: 'next' | 'reordered' | 'late' }
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused'; readonly fault: 'replayed' | 'outside_time_window'; readonly detail: string };

/** Numbers of one session and kind that did not arrive. */
export interface LinkLoss {
  readonly kind: V2vBody['kind'];
  readonly session: string;
  readonly sender: string;
  readonly lost: LostNumbers;
}

/** The counters of a link message (v2v-schema.ts). */
export interface LinkReport {
  readonly received: number;
  readonly lost: number;
  readonly reordered: number;
  readonly late: number;
  readonly duplicates: number;
  readonly replayed: number;
  readonly restarts: number;
  readonly clock_steps: number;
  readonly conflict: boolean;
  readonly latency_ms: Latency | null;
  readonly jitter_ms: number | null;
  readonly senders: readonly { sender: string; session: string; received: number }[];
}

export interface VehicleLinkOptions {
  /** Maximum difference between the sending time of an authenticated datagram and now, nanoseconds. */
  readonly maxSkewNs: bigint;
}

/** Maximum number of senders followed per name; the least recent gives way. */
const MAX_SENDERS = 8;
/** Maximum number of authenticated sessions per vehicle remembered against replay. */
const MAX_TRUSTED_SESSIONS = 64;
/** This many changes between senders within this time mean two vehicles with one name, not a restart. */
const CONFLICT_CHANGES = 3;
const CONFLICT_TIME_NS = 10_000_000_000n;

interface Sender {
  readonly key: string;
  readonly session: string;
  sender: string;
  readonly streams: { readonly state: DatagramStream; readonly fleet: DatagramStream };
  readonly meter: LinkMeter;
  receivedAtNs: bigint;
  latestSentNs: bigint;
  received: number;
}

/** Everything received under the name of one vehicle. */
export class VehicleLink {
  #received = 0;
  #lost = 0;
  #reordered = 0;
  #late = 0;
  #duplicates = 0;
  #replayed = 0;
  #restarts = 0;
  #clockSteps = 0;
  #conflict = false;
  /** Losses of forgotten senders, one of each kind. */
  readonly #owed = new Map<LinkLoss['kind'], LinkLoss>();
  readonly #maxSkewNs: bigint;
  /** The least recent first. */
  readonly #senders = new Map<string, Sender>();
  #current: Sender | undefined;
  #changes: bigint[] = [];

  constructor({ maxSkewNs }: VehicleLinkOptions) {
    this.#maxSkewNs = maxSkewNs;
  }

  /** Whether and how a datagram is recorded. */
  take(received: ReceivedDatagram): Verdict {
    const { datagram, authenticated, receivedNs, monotonicNs } = received;
    const skewNs = receivedNs - datagram.sentNs;
    if (authenticated && (skewNs > this.#maxSkewNs || -skewNs > this.#maxSkewNs)) {
      const s = (Number(skewNs) / 1e9).toFixed(1);
      return { kind: 'refused', fault: 'outside_time_window', detail: `sent ${s} s before it was received` };
    }
    const sender = this.#senderOf(received);
    if (sender === undefined) {
      this.#replayed++;
      const detail = `more than ${MAX_TRUSTED_SESSIONS} sessions of one vehicle at a time`;
      return { kind: 'refused', fault: 'replayed', detail };
    }
    const order = sender.streams[datagram.body.kind].take(datagram.sequence, datagram.sentNs, monotonicNs);
    if (order === 'duplicate' || order === 'stale') {
      if (authenticated) {
        this.#replayed++;
        const detail = `number ${datagram.sequence} of session ${datagram.session} was there before`;
        return { kind: 'refused', fault: 'replayed', detail };
      }
      if (order === 'duplicate') {
        this.#duplicates++;
        return { kind: 'duplicate' };
      }
    }
    return { kind: 'record', order: this.#count(order, sender, received) };
  }

  /** Numbers that count as lost now, and were not reported before. */
  losses(monotonicNs: bigint, isLast = false): LinkLoss[] {
    const told = [...this.#owed.values()];
    this.#owed.clear();
    for (const sender of this.#senders.values()) told.push(...lossesOf(sender, monotonicNs, isLast));
    for (const { lost } of told) this.#lost += lost.count;
    return told;
  }

  /** The interval since the last report, and counters since the start; undefined: nothing was received. */
  report(): LinkReport | undefined {
    const active = [...this.#senders.values()].filter(({ received }) => received > 0);
    const [latest] = active.slice(-1);
    if (latest === undefined) return undefined;
    const report = {
      ...{ received: this.#received, lost: this.#lost, reordered: this.#reordered, late: this.#late },
      ...{ duplicates: this.#duplicates, replayed: this.#replayed, restarts: this.#restarts },
      clock_steps: this.#clockSteps + active.reduce((sum, { meter }) => sum + meter.clockSteps, 0),
      conflict: this.#conflict,
      latency_ms: latest.meter.takeLatency(),
      jitter_ms: latest.meter.jitterMs,
      senders: active.map(({ sender, session, received }) => ({ sender, session, received })),
    };
    for (const sender of active) {
      this.#clockSteps += sender.meter.clockSteps;
      sender.meter.clockSteps = 0;
      sender.meter.takeLatency();
      sender.received = 0;
    }
    this.#conflict = false;
    return report;
  }

  /** Two vehicles use this name at the same time, by the datagrams since the last report. */
  get isInConflict(): boolean {
    return this.#conflict;
  }

  #count(order: string, sender: Sender, received: ReceivedDatagram): 'next' | 'reordered' | 'late' {
    this.#received++;
    sender.received++;
    sender.receivedAtNs = received.monotonicNs;
    sender.sender = received.sender;
    if (received.datagram.sentNs > sender.latestSentNs) sender.latestSentNs = received.datagram.sentNs;
    // A map keeps its order of insertion: the most recent sender is last.
    this.#senders.delete(sender.key);
    this.#senders.set(sender.key, sender);
    sender.meter.add(received.datagram.sentNs, received.receivedNs);
    if (order === 'renumbered') this.#restarts++;
    if (order === 'reordered') this.#reordered++;
    if (order === 'late' || order === 'stale') this.#late++;
    if (order === 'next' || order === 'renumbered') this.#noteChange(sender, received.monotonicNs);
    if (order === 'reordered') return 'reordered';
    return order === 'late' || order === 'stale' ? 'late' : 'next';
  }

  #noteChange(sender: Sender, monotonicNs: bigint): void {
    if (this.#current !== undefined && this.#current !== sender) {
      this.#changes = [...this.#changes, monotonicNs].slice(-CONFLICT_CHANGES);
      const [oldest] = this.#changes;
      if (this.#changes.length === CONFLICT_CHANGES && monotonicNs - present(oldest) <= CONFLICT_TIME_NS) {
        this.#conflict = true;
      }
    }
    this.#current = sender;
  }

  #senderOf({
    datagram,
    sender,
    authenticated,
    monotonicNs,
    receivedNs,
  }: ReceivedDatagram): Sender | undefined {
    const { session } = datagram;
    // Only an authenticated sender may change its address: otherwise two senders with one session would look
    // like one that jumps.
    const key = authenticated ? session : JSON.stringify([session, sender]);
    const known = this.#senders.get(key);
    if (known !== undefined) return known;
    if (authenticated) this.#forgetOldSessions(receivedNs);
    if (this.#senders.size >= (authenticated ? MAX_TRUSTED_SESSIONS : MAX_SENDERS)) {
      if (authenticated) return undefined;
      const [oldest] = this.#senders.values();
      this.#giveUp(present(oldest), monotonicNs);
    }
    if (this.#current !== undefined) this.#restarts++;
    const fresh: Sender = {
      ...{
        key,
        session,
        sender,
        meter: new LinkMeter(),
        receivedAtNs: monotonicNs,
        latestSentNs: 0n,
        received: 0,
      },
      streams: { state: new DatagramStream(authenticated), fleet: new DatagramStream(authenticated) },
    };
    this.#senders.set(key, fresh);
    return fresh;
  }

  /** A session is forgotten once its datagrams are refused for their time alone. */
  #forgetOldSessions(receivedNs: bigint): void {
    for (const sender of this.#senders.values()) {
      if (receivedNs - sender.latestSentNs > 2n * this.#maxSkewNs) this.#giveUp(sender, 0n);
    }
  }

  #giveUp(sender: Sender, monotonicNs: bigint): void {
    for (const loss of lossesOf(sender, monotonicNs, true)) {
      const lost = present(merged(this.#owed.get(loss.kind)?.lost, loss.lost));
      this.#owed.set(loss.kind, { ...loss, lost });
    }
    this.#clockSteps += sender.meter.clockSteps;
    this.#senders.delete(sender.key);
  }
}

function lossesOf({ session, sender, streams }: Sender, monotonicNs: bigint, isLast: boolean): LinkLoss[] {
  return (['state', 'fleet'] as const).flatMap((kind) => {
    const lost = isLast ? streams[kind].finish() : streams[kind].lost(monotonicNs);
    return lost === undefined ? [] : [{ kind, session, sender, lost }];
  });
}
