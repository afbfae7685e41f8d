interface Enrolled {
  readonly robot: string;
  readonly vin?: string;
}

/** The VINs that robots were enrolled with. Only its robot may say a bound VIN, and that robot no other one. */
export class BoundVins {
  readonly #robots: ReadonlyMap<string, string>;

  constructor(robots: readonly Enrolled[]) {
    this.#robots = new Map(robots.flatMap(({ robot, vin = '' }) => (vin === '' ? [] : [[vin, robot]])));
  }

  /** By robot. */
  all(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#robots].map(([vin, robot]) => [robot, vin]));
  }

  /** The robot that a VIN is bound to; undefined: it is bound to none. */
  robotOf(vin: string): string | undefined {
    return this.#robots.get(vin);
  }
}

/**
 * The VIN of a robot that says this one (empty: none).
 *
 * @param own - The VIN that the robot was enrolled with; empty: none.
 * @param bound - Undefined: they are not known, so that any other VIN may be bound to another robot.
 * @returns undefined if the robot may not say it.
 */
export function vinOf(said: string, own: string, bound: BoundVins | undefined): string | undefined {
  if (said === '' || said === own) return own;
  return own !== '' || bound === undefined || bound.robotOf(said) !== undefined ? undefined : said;
}
