import { formatTime } from '../core/clock.js';
import type { FieldSpec } from '../uplink/protocol/field-spec.js';

/** The state of a field, with its value and time. */
export interface FieldReading {
  readonly spec: FieldSpec;
  /** `known`: `value` is within the threshold. `absent`: the robot has no value. `unknown`: frames are missing. */
  readonly state: 'known' | 'absent' | 'unknown';
  readonly value: number | null;
  /** When it was measured, on the robot's clock; null if it is unknown. */
  readonly timeNs: bigint | null;
}

/** A field as the API shows it. */
export interface FieldView {
  readonly topic: string;
  readonly path: string;
  readonly unit: string;
  /** The value is within this of what was measured. */
  readonly threshold: number;
  /** `known`: `value` is within the threshold. `absent`: the robot has no value. `unknown`: frames are missing. */
  readonly state: FieldReading['state'];
  readonly value: number | null;
  /** When it was measured, on the robot's clock; null if it is unknown. */
  readonly measuredAt: string | null;
}

/** A reading as the API shows it. */
export function viewOf({ spec, state, value, timeNs }: FieldReading): FieldView {
  const { topic, path, unit, threshold } = spec;
  const measuredAt = timeNs === null ? null : formatTime(timeNs);
  return { topic, path, unit, threshold, state, value, measuredAt };
}
