import { Random, seedOf } from '../core/random.js';
import type { Pillar } from './world.js';

/** Limits of the vehicle: a small differential-drive base. */
export const VEHICLE_RADIUS_M = 0.3;
export const MAX_SPEED_M_S = 2;
export const MAX_ACCELERATION_M_S2 = 1;
export const MAX_TURN_RATE_RAD_S = 1.6;
const MAX_TURN_ACCELERATION_RAD_S2 = 6;
const TURN_GAIN_PER_S = 3;
/** A waypoint counts as reached within this distance. */
const REACHED_M = 0.45;
const FOLLOWING_DISTANCE_M = 1.4;
const FOLLOWING_CONE_RAD = 0.5;

const LANES = 4;
const WAYPOINTS_PER_LAP = 16;
/** Every so many waypoints there is a station, where the vehicle stops for a while. */
const STATION_EVERY = 8;

export type Mode = 'driving' | 'stopped' | 'blocked';

interface Waypoint {
  readonly x: number;
  readonly y: number;
  readonly stopS: number;
}

/**
 * One wheeled vehicle that drives laps around its lane: it turns towards the next waypoint, slows down in
 * bends and before stations, stops there, and never exceeds its limits of speed and acceleration.
 */
export class Vehicle {
  readonly lane: number;
  x: number;
  y: number;
  /** Heading, radians, from -π to π. */
  heading: number;
  /** Along the heading, m/s. */
  speed = 0;
  /** rad/s. */
  turnRate = 0;
  /** The real motion in the last step, for the IMU, m/s². */
  acceleration = 0;
  /** The command of the controller (cmd_vel). */
  commandedSpeed = 0;
  commandedTurnRate = 0;
  mode: Mode = 'driving';
  lap = 0;
  waypoint: number;
  distanceM = 0;
  /** 0 to 1; it recharges at a station when low. */
  battery: number;
  readonly #waypoints: readonly Waypoint[];
  readonly #firstWaypoint: number;
  #stopLeftS = 0;

  constructor(seed: number, index: number, count: number) {
    const random = new Random(seedOf(seed, index, 0x7e41));
    this.lane = index % LANES;
    this.#waypoints = laneWaypoints(this.lane, random);
    // Vehicles of one lane start evenly spread, and no two lanes start side by side.
    const share = Math.floor(index / LANES) / Math.max(1, Math.ceil(count / LANES)) + this.lane * 0.17;
    const start = Math.floor(share * WAYPOINTS_PER_LAP) % WAYPOINTS_PER_LAP;
    const from = this.#waypoints[start]!;
    this.waypoint = (start + 1) % WAYPOINTS_PER_LAP;
    this.#firstWaypoint = this.waypoint;
    const towards = this.#waypoints[this.waypoint]!;
    this.x = from.x;
    this.y = from.y;
    this.heading = Math.atan2(towards.y - from.y, towards.x - from.x);
    this.battery = random.between(0.6, 1);
  }

  /** The state as the other robots see it. */
  get outline(): Pillar {
    return { x: this.x, y: this.y, radius: VEHICLE_RADIUS_M };
  }

  /** Advances by `dt` seconds. */
  step(dt: number, others: readonly Vehicle[]): void {
    this.#decide(dt, others);
    this.#move(dt);
    this.#arrive();
  }

  #decide(dt: number, others: readonly Vehicle[]): void {
    if (this.#stopLeftS > 0) {
      this.#stopLeftS -= dt;
      this.#command('stopped', 0, 0);
      return;
    }
    const target = this.#waypoints[this.waypoint]!;
    const bearing = Math.atan2(target.y - this.y, target.x - this.x);
    const error = wrapAngle(bearing - this.heading);
    const turn = clamp(TURN_GAIN_PER_S * error, MAX_TURN_RATE_RAD_S);
    if (others.some((other) => this.#isInFront(other))) {
      this.#command('blocked', 0, turn * Math.min(1, this.speed));
      return;
    }
    const bend = Math.max(0.15, Math.cos(error)) ** 2;
    const distance = Math.hypot(target.x - this.x, target.y - this.y);
    // v² = 2 a s, with a reserve, so that it stops at the station and not after it.
    const approach = target.stopS > 0 ? Math.sqrt(1.4 * MAX_ACCELERATION_M_S2 * distance) : Infinity;
    this.#command('driving', Math.min(MAX_SPEED_M_S * bend, approach), turn);
  }

  #command(mode: Mode, speed: number, turnRate: number): void {
    this.mode = mode;
    this.commandedSpeed = speed;
    this.commandedTurnRate = turnRate;
  }

  #isInFront(other: Vehicle): boolean {
    if (other === this) return false;
    const dx = other.x - this.x;
    const dy = other.y - this.y;
    if (dx * dx + dy * dy > FOLLOWING_DISTANCE_M ** 2) return false;
    const sameWay = Math.cos(other.heading - this.heading) > 0;
    return sameWay && Math.abs(wrapAngle(Math.atan2(dy, dx) - this.heading)) < FOLLOWING_CONE_RAD;
  }

  #move(dt: number): void {
    const change = clamp(this.commandedSpeed - this.speed, MAX_ACCELERATION_M_S2 * dt);
    this.acceleration = change / dt;
    const speed = this.speed + change / 2;
    this.speed += change;
    this.turnRate += clamp(this.commandedTurnRate - this.turnRate, MAX_TURN_ACCELERATION_RAD_S2 * dt);
    const middle = this.heading + (this.turnRate * dt) / 2;
    this.x += speed * Math.cos(middle) * dt;
    this.y += speed * Math.sin(middle) * dt;
    this.heading = wrapAngle(this.heading + this.turnRate * dt);
    this.distanceM += Math.abs(speed) * dt;
    const charging = this.mode === 'stopped' && this.battery < 0.3;
    this.battery = charging ? 1 : Math.max(0.05, this.battery - (4e-5 + 1e-4 * Math.abs(speed)) * dt);
  }

  #arrive(): void {
    const target = this.#waypoints[this.waypoint]!;
    if (this.#stopLeftS > 0 || Math.hypot(target.x - this.x, target.y - this.y) > REACHED_M) return;
    this.#stopLeftS = target.stopS;
    this.waypoint = (this.waypoint + 1) % WAYPOINTS_PER_LAP;
    if (this.waypoint === this.#firstWaypoint) this.lap++;
  }
}

/** An ellipse per lane, the waypoints a little off it. Metres. */
function laneWaypoints(lane: number, random: Random): Waypoint[] {
  const halfLength = 9.6 - 1.4 * lane;
  const halfWidth = 5.9 - 1.05 * lane;
  return Array.from({ length: WAYPOINTS_PER_LAP }, (_, i) => {
    const angle = (2 * Math.PI * i) / WAYPOINTS_PER_LAP;
    const scale = 1 + random.between(-0.015, 0.015);
    return {
      x: halfLength * scale * Math.cos(angle),
      y: halfWidth * scale * Math.sin(angle),
      stopS: i % STATION_EVERY === 0 ? random.between(1, 2.5) : 0,
    };
  });
}

export function wrapAngle(angle: number): number {
  return angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
