/** A field as the API shows it. */
export interface FieldView {
  readonly topic: string;
  readonly path: string;
  readonly unit: string;
  /** The value is within this of what was measured. */
  readonly threshold: number;
  /** `known`: `value` is within the threshold. `absent`: the robot has no value. `unknown`: frames are missing. */
  readonly state: 'known' | 'absent' | 'unknown';
  readonly value: number | null;
  /** When it was measured, on the robot's clock; null if it is unknown. */
  readonly measuredAt: string | null;
}
