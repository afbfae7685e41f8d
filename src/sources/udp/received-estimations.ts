import type { Channel, Schema } from '../../core/message.js';
import {
  encodeFleetEstimation,
  encodeLocalEstimation,
  fleetEstimationSchema,
  localEstimationSchema,
  type EstimationHead,
} from '../../core/ros/estimations.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { vehicleIdOf, vehicleRobot } from '../../core/vehicle-name.js';
import type { V2vBody, V2vDatagram } from './datagram.js';

interface Topic {
  readonly name: string;
  readonly schema: Schema;
}

const topics: Readonly<Record<V2vBody['kind'], Topic>> = {
  state: { name: 'received_local_estimations', schema: localEstimationSchema },
  fleet: { name: 'received_fleet_estimations', schema: fleetEstimationSchema },
};

/**
 * Estimates of other vehicles as the messages that a vehicle's logger records: `LocalEstimation` of their
 * states and `FleetEstimation` of their fleets, on topics of the receiving robot.
 */
export class ReceivedEstimations {
  readonly #context: SourceContext;
  readonly #emit: (event: SourceEvent) => void;
  readonly #robot: string;
  readonly #made = new Map<V2vBody['kind'], Channel>();
  readonly #wanted = new Map<V2vBody['kind'], boolean>();

  /** @param receiver id of the receiving vehicle; undefined: the recorder's own robot. */
  constructor(receiver: string | undefined, context: SourceContext, emit: (event: SourceEvent) => void) {
    this.#context = context;
    this.#emit = emit;
    this.#robot = receiver === undefined ? context.robotOf('') : vehicleRobot(receiver);
  }

  /** Emits the message of a datagram, unless the receiving vehicle sent it itself. */
  give({ vehicle, sentNs, body }: V2vDatagram, receivedNs: bigint): void {
    const senderId = vehicleIdOf(vehicle);
    if (senderId === vehicleIdOf(this.#robot)) return;
    const channel = this.#channelOf(body.kind);
    if (channel === undefined) return;
    const head = { timestamp: Number(sentNs) / 1e9, receiveNs: receivedNs, senderId };
    const data = encodeBody(head, body);
    this.#emit({ kind: 'message', channel, data, receivedAt: receivedNs, publishedAt: sentNs });
  }

  /** Both topics are judged again. */
  reconsider(): void {
    this.#wanted.clear();
  }

  #channelOf(kind: V2vBody['kind']): Channel | undefined {
    const { name, schema } = topics[kind];
    const topic = this.#robot === '' ? `/${name}` : `/${this.#robot}/${name}`;
    const isWanted = this.#wanted.get(kind) ?? this.#context.wanted(topic, schema.name);
    this.#wanted.set(kind, isWanted);
    if (!isWanted) return undefined;
    const known = this.#made.get(kind);
    if (known !== undefined) return known;
    const channel = Object.freeze({
      ...{ robot: this.#context.robotOf(topic), topic, encoding: 'cdr', schema, latched: false },
      metadata: Object.freeze({ offered_qos_profiles: '', topic_type_hash: '' }),
    });
    this.#made.set(kind, channel);
    this.#emit({ kind: 'channel', channel });
    return channel;
  }
}

function encodeBody(head: EstimationHead, body: V2vBody): Uint8Array {
  if (body.kind === 'fleet') {
    const states = body.fleet.map((one) => ({ ...one, vehicleId: vehicleIdOf(one.vehicle) }));
    return encodeFleetEstimation(head, states);
  }
  const { acceleration } = body.state;
  return encodeLocalEstimation(head, body.state, typeof acceleration === 'number' ? acceleration : NaN);
}
