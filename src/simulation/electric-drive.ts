import { Random } from '../core/random.js';
import { RoadCar, STEP_S, type CarMotion, type DriveRow } from './road-drive.js';

const MASS_KG = 1_850;
const GRAVITY_M_S2 = 9.80665;
const ROLLING = 0.011;
/** Half of the density of air times drag coefficient and front, kg/m. */
const DRAG_KG_M = 0.5 * 1.2 * 0.62;
/** From the battery to the road, and back. */
const DRIVING = 0.9;
const CHARGING = 0.65;
const MAX_CHARGING_W = 60_000;
/** Below this speed only the brakes slow the car, m/s. */
const CHARGES_ABOVE_M_S = 2;
/** Heating, lights and computers. */
const AUXILIARY_W = 600;
const BATTERY_J = 58 * 3.6e6;
const START_CHARGE = 0.78;
/** Consumption is that of this distance, metres. */
const WINDOW_M = 1_000;
const WINDOW_STEP_M = 10;
/** Nothing is said about a shorter way. */
const LEAST_M = 50;

/**
 * The drive of road-drive.ts with an electric car: a row every 20 ms, with power, charge and consumption. The same
 * seed gives the same rows on every machine.
 */
export function* driveElectric(seed: number): Generator<DriveRow> {
  const random = new Random(seed);
  const car = new RoadCar(random);
  const battery = new Battery();
  for (let step = 0; !car.hasArrived; step++) {
    const { motion } = car;
    battery.step(motion, STEP_S);
    yield rowOf(step * STEP_S, motion, battery, (deviation) => deviation * random.noise());
    car.step(STEP_S);
  }
}

function rowOf(
  timeS: number,
  { speed, heading, latitude, longitude, hasFix, state }: CarMotion,
  { power, charge, consumption }: Battery,
  noise: (deviation: number) => number,
): DriveRow {
  const degrees = ((heading + noise(0.002)) * 180) / Math.PI;
  return {
    time_s: timeS.toFixed(2),
    latitude_deg: hasFix ? (latitude + noise(4e-6)).toFixed(7) : '',
    longitude_deg: hasFix ? (longitude + noise(4e-6)).toFixed(7) : '',
    fix: hasFix ? 1 : 0,
    speed_kmh: (speed * 3.6).toFixed(2),
    heading_deg: (((degrees % 360) + 360) % 360).toFixed(2),
    power_kw: ((power + noise(80)) / 1e3).toFixed(2),
    battery_pct: (charge * 100).toFixed(3),
    consumption_wh_km: consumption === undefined ? '' : (consumption / 3.6).toFixed(1),
    state,
  };
}

class Battery {
  /** Watts taken; negative while it charges. */
  power = AUXILIARY_W;
  /** Joules taken, and metres driven, since the start. */
  #taken = 0;
  #metres = 0;
  /** Joules taken at each {@link WINDOW_STEP_M}, for one window. */
  readonly #marks: number[] = [0];
  #nextMark = WINDOW_STEP_M;

  /** 0 to 1. */
  get charge(): number {
    return START_CHARGE - this.#taken / BATTERY_J;
  }

  /** Joules per metre of the last kilometre; undefined at the start. */
  get consumption(): number | undefined {
    if (this.#metres < LEAST_M) return undefined;
    const [first = 0] = this.#marks;
    const metres = this.#metres - (this.#nextMark - this.#marks.length * WINDOW_STEP_M);
    return (this.#taken - first) / metres;
  }

  step({ speed, acceleration, grade }: CarMotion, dt: number): void {
    const isMoving = speed > 0;
    const resistance = isMoving ? MASS_KG * GRAVITY_M_S2 * (ROLLING + grade) + DRAG_KG_M * speed ** 2 : 0;
    const atWheels = (MASS_KG * acceleration + resistance) * speed;
    const charged = speed > CHARGES_ABOVE_M_S ? Math.max(-MAX_CHARGING_W, atWheels * CHARGING) : 0;
    this.power = AUXILIARY_W + (atWheels >= 0 ? atWheels / DRIVING : charged);
    this.#taken += this.power * dt;
    this.#metres += speed * dt;
    while (this.#metres >= this.#nextMark) {
      this.#marks.push(this.#taken);
      if (this.#marks.length > WINDOW_M / WINDOW_STEP_M) this.#marks.shift();
      this.#nextMark += WINDOW_STEP_M;
    }
  }
}
