import { Random } from '../core/random.js';

/** One stretch of road. */
interface Stretch {
  readonly state: 'city' | 'stop_and_go' | 'ramp' | 'highway' | 'tunnel' | 'exit' | 'parking';
  readonly lengthM: number;
  readonly limitKmh: number;
  /** Change of heading over the whole stretch, degrees clockwise. */
  readonly turnDeg?: number;
  readonly gradePct?: number;
  /** The car stops at the end for this many seconds. */
  readonly stopS?: number;
}

/** From a street with lights through a jam onto a highway with a tunnel, and off it: about six minutes. */
const route: readonly Stretch[] = [
  { state: 'city', lengthM: 220, limitKmh: 50, turnDeg: 8, stopS: 9 },
  { state: 'city', lengthM: 160, limitKmh: 50, turnDeg: -80, gradePct: 1 },
  { state: 'city', lengthM: 260, limitKmh: 50, turnDeg: 12, stopS: 6 },
  { state: 'stop_and_go', lengthM: 420, limitKmh: 50, turnDeg: 20 },
  { state: 'ramp', lengthM: 280, limitKmh: 80, turnDeg: 70, gradePct: 2 },
  { state: 'highway', lengthM: 1_700, limitKmh: 120, turnDeg: -25, gradePct: 0.5 },
  { state: 'tunnel', lengthM: 1_500, limitKmh: 100, turnDeg: 15, gradePct: -1.5 },
  { state: 'highway', lengthM: 1_300, limitKmh: 120, turnDeg: 10 },
  { state: 'exit', lengthM: 350, limitKmh: 60, turnDeg: 60, gradePct: -1, stopS: 4 },
  { state: 'parking', lengthM: 90, limitKmh: 20, turnDeg: -40, stopS: 5 },
];

/** One row of the log of a drive, in the units of its columns. */
export type DriveRow = Readonly<Record<string, number | string>>;

/** Seconds of one step of the simulation. */
export const STEP_S = 0.02;
const ROWS_PER_S = 10;
const STEPS_PER_ROW = 5;
const WHEELBASE_M = 2.7;
const MASS_KG = 1_500;
const POWER_W = 85_000;
const MAX_ACCELERATION_M_S2 = 2.4;
const COMFORTABLE_BRAKING_M_S2 = 1.9;
const MAX_BRAKING_M_S2 = 4;
/** Maximum sideways acceleration in a bend, m/s2. */
const COMFORTABLE_BEND_M_S2 = 2.2;
/** Speed per engine revolution by gear, m/s per rpm. */
const GEARS = [0.0021, 0.0039, 0.0059, 0.0083, 0.0108, 0.0133];
const IDLE_RPM = 780;
/** A receiver needs this long after a tunnel. */
const REACQUIRE_S = 2.4;
const START = { latitude: 47.39774, longitude: 8.54559, altitude: 452, heading: 40 };
const METRES_PER_DEGREE = 111_320;

/**
 * A car and its driver on the route above: it accelerates as its power allows, brakes in time for limits,
 * bends and stops, and moves in waves in the jam. The same seed gives the same rows on every machine.
 */
export function* driveOnRoad(seed: number): Generator<DriveRow> {
  const car = new RoadCar(new Random(seed));
  for (let row = 0; !car.hasArrived; row++) {
    yield car.row(row / ROWS_PER_S);
    for (let i = 0; i < STEPS_PER_ROW; i++) car.step(STEP_S);
  }
}

/** How a car moves at a moment. */
export interface CarMotion {
  /** Metres per second, and per second squared. */
  readonly speed: number;
  readonly acceleration: number;
  /** Radians clockwise from north. */
  readonly heading: number;
  readonly latitude: number;
  readonly longitude: number;
  /** Rise of the road, 0.01 is one percent. */
  readonly grade: number;
  /** Whether the receiver has a position. */
  readonly hasFix: boolean;
  /** `standing`, or the kind of road. */
  readonly state: string;
}

/** The car of {@link driveOnRoad}. */
export class RoadCar {
  hasArrived = false;
  readonly #random: Random;
  #stretch = 0;
  /** Metres within the stretch, and in total. */
  #at = 0;
  #odometer = 23_481_200;
  #speed = 0;
  #acceleration = 0;
  #target = 0;
  #curvature = 0;
  #heading = (START.heading * Math.PI) / 180;
  #east = 0;
  #north = 0;
  #altitude = START.altitude;
  #stopLeft = 3;
  #wave = { isGo: true, leftS: 6, speed: 7 };
  #gear = 1;
  #fuel = 0.62;
  #coolant = 64;
  #blindS = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  step(dt: number): void {
    const stretch = route[this.#stretch]!;
    this.#target = this.#targetSpeed(stretch, dt);
    this.#accelerate(dt);
    this.#steer(stretch, dt);
    this.#move(stretch, dt);
    this.#consume(dt);
    if (stretch.state === 'tunnel') this.#blindS = REACQUIRE_S;
    else this.#blindS -= dt;
  }

  row(timeS: number): DriveRow {
    const isBlind = this.#blindS > 0;
    const noise = (deviation: number): number => deviation * this.#random.noise();
    const north = METRES_PER_DEGREE;
    const east = north * Math.cos((START.latitude * Math.PI) / 180);
    const [eastM, northM] = [this.#east + noise(0.4), this.#north + noise(0.4)];
    const braking = Math.max(0, -this.#acceleration - 0.3);
    const demand = (MASS_KG * Math.max(0, this.#acceleration) * Math.max(3, this.#speed)) / POWER_W;
    const rolling = this.#speed > 0.1 ? 0.04 + (this.#speed / 60) ** 2 : 0;
    const isPushing = this.#acceleration > -0.3 && this.#stopLeft <= 0;
    const degrees = (radians: number): number => (radians * 180) / Math.PI;
    const heading = ((degrees(this.#heading + noise(0.002)) % 360) + 360) % 360;
    return {
      time_s: timeS.toFixed(1),
      latitude_deg: isBlind ? '' : (START.latitude + northM / north).toFixed(7),
      longitude_deg: isBlind ? '' : (START.longitude + eastM / east).toFixed(7),
      altitude_m: isBlind ? '' : (this.#altitude + noise(0.6)).toFixed(1),
      fix: isBlind ? 0 : 1,
      speed_kmh: (this.#speed * 3.6).toFixed(2),
      heading_deg: heading.toFixed(2),
      yaw_rate_deg_s: degrees(-this.#speed * this.#curvature).toFixed(3),
      acceleration_m_s2: (this.#acceleration + (this.#speed > 0 ? noise(0.03) : 0)).toFixed(3),
      steering_deg: degrees(-Math.atan(WHEELBASE_M * this.#curvature)).toFixed(3),
      throttle_pct: (isPushing ? Math.min(100, 100 * (demand + rolling)) : 0).toFixed(0),
      brake_pct: Math.min(100, this.#stopLeft > 0 ? 20 : 25 * braking).toFixed(0),
      target_speed_kmh: (this.#target * 3.6).toFixed(1),
      engine_speed_rpm: this.#engineSpeed().toFixed(0),
      gear: this.#gear,
      fuel_pct: (this.#fuel * 100).toFixed(2),
      temperature_c: (this.#coolant + noise(0.1)).toFixed(1),
      odometer_km: (this.#odometer / 1_000).toFixed(3),
      state: this.#stopLeft > 0 ? 'standing' : route[this.#stretch]!.state,
    };
  }

  get motion(): CarMotion {
    const east = METRES_PER_DEGREE * Math.cos((START.latitude * Math.PI) / 180);
    const stretch = route[this.#stretch]!;
    return {
      ...{ speed: this.#speed, acceleration: this.#acceleration, heading: this.#heading },
      latitude: START.latitude + this.#north / METRES_PER_DEGREE,
      longitude: START.longitude + this.#east / east,
      grade: (stretch.gradePct ?? 0) / 100,
      hasFix: this.#blindS <= 0,
      state: this.#stopLeft > 0 ? 'standing' : stretch.state,
    };
  }

  /** The target speed of the driver: limits and bends, here and ahead, stops, and the car ahead. */
  #targetSpeed(stretch: Stretch, dt: number): number {
    if (this.#stopLeft > 0) {
      this.#stopLeft -= dt;
      if (this.#stopLeft <= 0 && this.#stretch === route.length - 1 && this.#at > 1) this.hasArrived = true;
      return 0;
    }
    let target = stretch.limitKmh / 3.6;
    let distance = -this.#at;
    for (const one of route.slice(this.#stretch)) {
      const curvature = Math.abs(curvatureOf(one));
      const through = Math.min(
        one.limitKmh / 3.6,
        Math.sqrt(COMFORTABLE_BEND_M_S2 / Math.max(1e-4, curvature)),
      );
      // v² = u² + 2 a s: slow enough here to be slow enough there.
      target = Math.min(
        target,
        Math.sqrt(through ** 2 + 2 * COMFORTABLE_BRAKING_M_S2 * Math.max(0, distance)),
      );
      distance += one.lengthM;
      if (one.stopS !== undefined) {
        target = Math.min(target, Math.sqrt(2 * COMFORTABLE_BRAKING_M_S2 * Math.max(0, distance - 0.3)));
        break;
      }
    }
    return stretch.state === 'stop_and_go' ? Math.min(target, this.#inJam(dt)) : target;
  }

  #inJam(dt: number): number {
    this.#wave.leftS -= dt;
    if (this.#wave.leftS <= 0) {
      const isGo = !this.#wave.isGo;
      this.#wave = {
        isGo,
        leftS: isGo ? this.#random.between(6, 11) : this.#random.between(4, 8),
        speed: isGo ? this.#random.between(5, 9) : 0,
      };
    }
    return this.#wave.speed;
  }

  #accelerate(dt: number): void {
    const byPower = POWER_W / MASS_KG / Math.max(5, this.#speed);
    const most = Math.min(MAX_ACCELERATION_M_S2, byPower);
    const wanted = Math.max(-MAX_BRAKING_M_S2, Math.min(most, 0.9 * (this.#target - this.#speed)));
    // A foot does not jump: the jerk is limited.
    const change = Math.max(-6 * dt, Math.min(3 * dt, wanted - this.#acceleration));
    this.#acceleration += change;
    this.#speed += this.#acceleration * dt;
    if (this.#speed < 0.05 && this.#target < 0.4) {
      this.#speed = 0;
      this.#acceleration = 0;
    }
    this.#speed = Math.max(0, this.#speed);
  }

  #steer(stretch: Stretch, dt: number): void {
    this.#curvature +=
      (curvatureOf(stretch) - this.#curvature) * Math.min(1, 0.8 * dt * Math.min(1, this.#speed));
    this.#heading += this.#speed * this.#curvature * dt;
  }

  #move(stretch: Stretch, dt: number): void {
    const metres = this.#speed * dt;
    this.#east += metres * Math.sin(this.#heading);
    this.#north += metres * Math.cos(this.#heading);
    this.#altitude += (metres * (stretch.gradePct ?? 0)) / 100;
    this.#odometer += metres;
    this.#at += metres;
    const isAtStop = stretch.stopS !== undefined && stretch.lengthM - this.#at < 0.6 && this.#speed < 0.3;
    if (isAtStop && this.#stopLeft <= 0) {
      this.#speed = this.#acceleration = 0;
      this.#stopLeft = stretch.stopS;
    }
    const isLast = this.#stretch === route.length - 1;
    if (!isLast && (this.#at >= stretch.lengthM || isAtStop)) {
      this.#at = isAtStop ? 0 : this.#at - stretch.lengthM;
      this.#stretch++;
    }
  }

  #engineSpeed(): number {
    return Math.max(IDLE_RPM, this.#speed / GEARS[this.#gear - 1]!);
  }

  #consume(dt: number): void {
    const rpm = this.#engineSpeed();
    if (rpm > 2_600 && this.#gear < GEARS.length) this.#gear++;
    else if (rpm < 1_300 && this.#gear > 1) this.#gear--;
    const power = MASS_KG * Math.max(0, this.#acceleration) * this.#speed + 0.4 * this.#speed ** 3 + 2_000;
    this.#fuel -= (power * dt) / (34.2e6 * 0.3 * 50);
    this.#coolant += ((90 - this.#coolant) / 150) * dt;
  }
}

function curvatureOf({ turnDeg = 0, lengthM }: Stretch): number {
  return (turnDeg * Math.PI) / 180 / lengthM;
}

/** The log of a drive as CSV, header first. */
export function* driveAsCsv(rows: Iterable<DriveRow>): Generator<string> {
  let isFirst = true;
  for (const row of rows) {
    if (isFirst) yield `${Object.keys(row).join(',')}\n`;
    isFirst = false;
    yield `${Object.values(row).join(',')}\n`;
  }
}
