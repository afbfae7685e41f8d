import {
  encodeDatagram,
  type FleetMember,
  type V2vBody,
  type V2vEncoding,
  type VehicleState,
} from './datagram.js';

/** Options of a {@link V2vSender}. */
export interface V2vSenderOptions {
  /** Name of the vehicle: letters, digits, `_`, `.`, `-`. */
  readonly vehicle: string;
  /** Chosen again at each start, such as 16 random hex digits. */
  readonly session: string;
  /** Default `msgpack`. */
  readonly encoding?: V2vEncoding;
  /** Shared with the receivers: every datagram is authenticated. */
  readonly key?: Uint8Array;
}

/** Numbers and encodes the datagrams of one vehicle; the caller sends them. */
export class V2vSender {
  readonly #options: V2vSenderOptions;
  readonly #now: () => bigint;
  readonly #sequences = { state: 0, fleet: 0 };

  /** @param now wall clock, nanoseconds since the Unix epoch. */
  constructor(options: V2vSenderOptions, now: () => bigint) {
    this.#options = options;
    this.#now = now;
  }

  /** The next datagram with the vehicle's own state. */
  state(state: VehicleState): Uint8Array {
    return this.#encode({ kind: 'state', state });
  }

  /** The next datagram with the vehicle's estimates of the fleet. */
  fleet(fleet: readonly FleetMember[]): Uint8Array {
    return this.#encode({ kind: 'fleet', fleet });
  }

  #encode(body: V2vBody): Uint8Array {
    const { vehicle, session, encoding = 'msgpack', key } = this.#options;
    const sequence = ++this.#sequences[body.kind];
    const datagram = { vehicle, session, sequence, sentNs: this.#now(), body };
    return encodeDatagram(datagram, encoding, key);
  }
}
