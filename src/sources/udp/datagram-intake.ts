import { NS_PER_MS } from '../../core/clock.js';
import { decodeDatagram, type DatagramFault, type V2vDatagram, type V2vEncoding } from './datagram.js';
import { VehicleLink, type LinkLoss, type LinkReport } from './vehicle-link.js';

export interface IntakeOptions {
  /** Larger datagrams are refused, bytes. */
  readonly maxDatagramBytes: number;
  /** Maximum number of vehicle names; further ones are refused. */
  readonly maxVehicles: number;
  /** Maximum difference between the sending time of an authenticated datagram and now, milliseconds. */
  readonly maxSkewMs: number;
  /** Only datagrams with the HMAC of this key are accepted. */
  readonly key?: Uint8Array;
}

/** Why a datagram is refused. */
export type IntakeFault = DatagramFault | 'replayed' | 'outside_time_window' | 'too_many_vehicles';

/** An accepted datagram, and how it arrived. */
export interface AcceptedDatagram {
  readonly kind: 'accepted';
  readonly datagram: V2vDatagram;
  readonly encoding: V2vEncoding;
  /** Its HMAC was checked. */
  readonly authenticated: boolean;
  readonly order: 'next' | 'reordered' | 'late';
  /** This datagram is the first to show that two vehicles use this name. */
  readonly isNewConflict: boolean;
}

export type IntakeVerdict =
  | AcceptedDatagram
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'refused'; readonly fault: IntakeFault; readonly detail: string };

/** When a datagram was read from the socket: nanoseconds since the Unix epoch, and monotonic. */
export interface IntakeTimes {
  readonly receivedNs: bigint;
  readonly monotonicNs: bigint;
}

/**
 * Decides about datagrams: decodes them, and follows the numbers of each vehicle. It has no socket and no
 * clock.
 */
export class DatagramIntake {
  readonly #options: IntakeOptions;
  readonly #links = new Map<string, VehicleLink>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** One datagram from `sender` (`address:port`); never throws, for any content. */
  take(bytes: Uint8Array, sender: string, times: IntakeTimes): IntakeVerdict {
    const { maxDatagramBytes, maxVehicles, key } = this.#options;
    const decoded = decodeDatagram(bytes, maxDatagramBytes, key);
    if ('fault' in decoded) return { kind: 'refused', ...decoded };
    const { datagram, encoding, authenticated } = decoded;
    const refuse = (fault: IntakeFault, detail: string): IntakeVerdict => ({
      kind: 'refused',
      fault,
      detail,
    });
    if (authenticated && datagram.session === '') return refuse('unauthenticated', 'it has no session');
    const link = this.#linkOf(datagram.vehicle);
    if (link === undefined) {
      return refuse('too_many_vehicles', `${datagram.vehicle}: ${maxVehicles} others were heard before it`);
    }
    const wasInConflict = link.isInConflict;
    const verdict = link.take({ datagram, sender, authenticated, ...times });
    if (verdict.kind !== 'record') return verdict;
    const isNewConflict = link.isInConflict && !wasInConflict;
    return { kind: 'accepted', datagram, encoding, authenticated, order: verdict.order, isNewConflict };
  }

  /** Numbers that count as lost now and were not reported before, by vehicle. */
  *losses(monotonicNs: bigint, isLast = false): Generator<readonly [vehicle: string, loss: LinkLoss]> {
    for (const [vehicle, link] of this.#links) {
      for (const loss of link.losses(monotonicNs, isLast)) yield [vehicle, loss];
    }
  }

  /** How the datagrams of each vehicle arrived since the last report. */
  *reports(): Generator<readonly [vehicle: string, report: LinkReport]> {
    for (const [vehicle, link] of this.#links) {
      const report = link.report();
      if (report !== undefined) yield [vehicle, report];
    }
  }

  /** Vehicles received so far. */
  get vehicles(): readonly string[] {
    return [...this.#links.keys()];
  }

  #linkOf(vehicle: string): VehicleLink | undefined {
    const known = this.#links.get(vehicle);
    if (known !== undefined) return known;
    // Names are never forgotten: otherwise an attacker who invents names could fill the recording with
    // robots.
    if (this.#links.size >= this.#options.maxVehicles) return undefined;
    const maxSkewNs = BigInt(Math.round(this.#options.maxSkewMs)) * NS_PER_MS;
    const link = new VehicleLink({ maxSkewNs });
    this.#links.set(vehicle, link);
    return link;
  }
}

/** `address:port` of the sender of a datagram. */
export function senderText(from: {
  readonly address: string;
  readonly port: number;
  readonly family: string;
}): string {
  return from.family === 'IPv6' ? `[${from.address}]:${from.port}` : `${from.address}:${from.port}`;
}
