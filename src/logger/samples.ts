/** The state of a vehicle, by its own estimate. A missing number is NaN in the log (`state`: empty). */
export interface TelemetrySample {
  /** On the program's own clock, seconds. */
  readonly timestamp: number;
  /** Position, metres. */
  readonly x: number;
  /** Position, metres. */
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
  /** Target speed of the controller, metres per second. */
  readonly vRef?: number;
  /** State of the controller, up to 64 bytes. */
  readonly state?: string;
}

/** Position (metres), heading (radians) and speed (metres per second) of a vehicle. */
export interface VehiclePose {
  /** Position, metres. */
  readonly x: number;
  /** Position, metres. */
  readonly y: number;
  /** Heading, radians. */
  readonly theta: number;
  /** Speed, metres per second. */
  readonly v: number;
}

/** The pose of one vehicle of the fleet. */
export interface FleetPose extends VehiclePose {
  /** The vehicle that it is about. */
  readonly vehicleId: VehicleName;
}

/** A whole number, or a text of up to 64 bytes. */
export type VehicleName = number | string;

/** States of the fleet: a list, or keyed by vehicle. At most 256. */
export type FleetStates =
  readonly FleetPose[] | ReadonlyMap<VehicleName, VehiclePose> | Readonly<Record<string, VehiclePose>>;

/** A vehicle's own estimate of itself. */
export interface LocalState extends VehiclePose {
  /** Metres per second squared. */
  readonly acceleration?: number;
}
