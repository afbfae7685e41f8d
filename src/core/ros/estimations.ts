import { NS_PER_S } from '../clock.js';
import { CdrWriter } from './cdr-writer.js';
import { messageSchema } from './message-schema.js';
import { fleetEstimation, localEstimation } from './vehicle-messages.js';

/** Position (metres), heading (radians) and speed (m/s) of a vehicle. */
export interface EstimatedPose {
  /** Position, metres. */
  readonly x: number;
  /** Position, metres. */
  readonly y: number;
  /** Heading, radians. */
  readonly theta: number;
  /** Speed, metres per second. */
  readonly v: number;
}

/** The estimating vehicle, and the time. */
export interface EstimationHead {
  /** On the sender's clock, seconds. */
  readonly timestamp: number;
  /** When this vehicle received it, nanoseconds since the Unix epoch. */
  readonly receiveNs: bigint;
  readonly senderId: string;
}

export const localEstimationSchema = messageSchema(localEstimation);
export const fleetEstimationSchema = messageSchema(fleetEstimation);

const writer = new CdrWriter();

function begin({ timestamp, receiveNs, senderId }: EstimationHead): CdrWriter {
  return writer
    .begin()
    .f64(timestamp)
    .i32(Number(receiveNs / NS_PER_S))
    .u32(Number(receiveNs % NS_PER_S))
    .string(senderId);
}

function writePose(w: CdrWriter, { x, y, theta, v }: EstimatedPose): CdrWriter {
  return w.f64(x).f64(y).f64(theta).f64(v);
}

/** `holdfast/msg/LocalEstimation` as CDR. `acceleration`: m/s2, NaN if not known. */
export function encodeLocalEstimation(
  head: EstimationHead,
  pose: EstimatedPose,
  acceleration: number,
): Uint8Array {
  return writePose(begin(head), pose).f64(acceleration).finish();
}

/** `holdfast/msg/FleetEstimation` as CDR. */
export function encodeFleetEstimation(
  head: EstimationHead,
  states: readonly (EstimatedPose & { readonly vehicleId: string })[],
): Uint8Array {
  const w = begin(head).u32(states.length);
  for (const state of states) writePose(w.string(state.vehicleId), state);
  return w.finish();
}
