/** What a vehicle knows of itself. What is left out is NaN in the log (`state`: empty). */
export interface TelemetrySample {
  /** On the program's own clock, seconds. */
  readonly timestamp: number;
  /** Position, metres. */
  readonly x: number;
  readonly y: number;
  /** Heading, radians. */
  readonly theta: number;
  /** Speed, metres per second. */
  readonly v: number;
  /** Radians per second. */
  readonly yawRate?: number;
  /** Metres per second squared. */
  readonly acceleration?: number;
  /** Angle of the front wheels as measured, radians. */
  readonly steering?: number;
  /** And as commanded. */
  readonly steeringCommand?: number;
  /** -1 to 1. */
  readonly throttle?: number;
  /** 0 to 1. */
  readonly brake?: number;
  /** Speed the controller aims at, metres per second. */
  readonly vRef?: number;
  /** What the controller does, up to 64 bytes. */
  readonly state?: string;
}

/** Position (metres), heading (radians) and speed (metres per second) of a vehicle. */
export interface VehiclePose {
  readonly x: number;
  readonly y: number;
  readonly theta: number;
  readonly v: number;
}

/** A whole number, or a text of up to 64 bytes. */
export type VehicleName = number | string;

/** States of the fleet: a list, or by vehicle. At most 256. */
export type FleetStates =
  | readonly (VehiclePose & { readonly vehicleId: VehicleName })[]
  | ReadonlyMap<VehicleName, VehiclePose>
  | Readonly<Record<string, VehiclePose>>;

export interface LocalState extends VehiclePose {
  /** Metres per second squared. */
  readonly acceleration?: number;
}
