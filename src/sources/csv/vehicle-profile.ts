import type { Row } from './row-reader.js';

/** How a kind of vehicle differs from the car that drove the log. */
export interface VehicleProfile {
  /** Its speed anywhere on the route, as a multiple. The route takes it longer or shorter. */
  readonly pace: number;
  /** Power at a place, as a multiple. */
  readonly power: number;
  /** What its tank or battery holds, as a multiple. */
  readonly capacity: number;
}

/** The kinds by their names in `profiles=`. */
export const vehicleProfiles = {
  car: { pace: 1, power: 1, capacity: 1 },
  small_car: { pace: 0.98, power: 0.78, capacity: 0.7 },
  suv: { pace: 0.97, power: 1.3, capacity: 1.4 },
  sports_car: { pace: 1.06, power: 1.2, capacity: 1.25 },
  van: { pace: 0.93, power: 1.55, capacity: 1.2 },
} as const satisfies Record<string, VehicleProfile>;

export type ProfileName = keyof typeof vehicleProfiles;

/** Turns the rows of a log into those of another kind of vehicle on the same route. */
export class ProfiledRows {
  readonly #profile: VehicleProfile;
  #first: { readonly battery: number | undefined; readonly fuel: number | undefined } | undefined;

  constructor(profile: VehicleProfile) {
    this.#profile = profile;
  }

  /** A time since the start of the log, as this vehicle takes it, nanoseconds. */
  stretched(ns: bigint): bigint {
    const { pace } = this.#profile;
    return pace === 1 ? ns : BigInt(Math.round(Number(ns) / pace));
  }

  of(row: Row): Row {
    const { pace, power, capacity } = this.#profile;
    const values = { ...row.values };
    const scale = (factor: number, ...names: readonly (keyof Row['values'])[]): void => {
      for (const name of names) if (values[name] !== undefined) values[name] *= factor;
    };
    scale(pace, 'speed', 'target_speed', 'yaw_rate', 'engine_speed');
    scale(pace ** 2, 'acceleration', 'lateral_acceleration');
    scale(power, 'power');
    // Energy is power times time, and the time on each metre is 1 / pace.
    scale(power / pace, 'consumption');
    const start = (this.#first ??= { battery: values.battery, fuel: values.fuel });
    for (const name of ['battery', 'fuel'] as const) {
      const [first, now] = [start[name], values[name]];
      if (first !== undefined && now !== undefined) {
        values[name] = Math.max(0, first - ((first - now) * power) / pace / capacity);
      }
    }
    return { ...row, values };
  }
}
