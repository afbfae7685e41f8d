import type { Catalogue } from './field-spec.js';

/** Every field at one tick. */
export interface FullState {
  /** Random number of the run of the robot's process. Run and tick name a sample. */
  readonly run: bigint;
  readonly catalogueVersion: number;
  /** Present if the receiver may not know it. */
  readonly catalogue?: Catalogue;
  /** In the order of the catalogue; NaN: the field has no value. */
  readonly values: readonly number[];
}

/** A new value of one field at one tick. */
export type Change = {
  /** (tick - first tick of the frame) * number of fields + field. */
  readonly position: number;
} & (
  | { readonly kind: 'residual'; readonly residual: number }
  | { readonly kind: 'exact'; readonly value: number }
  | { readonly kind: 'absent' }
);

/** Consecutive ticks of one epoch (`TelemetryFrame` of proto/holdfast/uplink.proto). */
export interface TelemetryFrame {
  readonly epoch: number;
  /** Numbered within the epoch, from 1. */
  readonly sequence: number;
  readonly firstTick: number;
  /** How many ticks it covers; 1 in a full frame. */
  readonly ticks: number;
  /** Wall clock of the robot at the first tick, nanoseconds since the Unix epoch. Always in full frames. */
  readonly timeNs?: bigint;
  readonly full?: FullState;
  /** In ascending order of their positions. Empty in full frames. */
  readonly changes: readonly Change[];
}

/** Maximum number of ticks of a frame: it bounds the work of a receiver. */
export const MAX_TICKS = 1_000;
