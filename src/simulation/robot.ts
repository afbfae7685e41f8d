import { Camera } from './camera.js';
import { Random, seedOf } from '../core/random.js';
import { Vehicle, wrapAngle } from './vehicle.js';
import { castRay, WALL_HEIGHT_M, type Hit, type Pillar } from './world.js';

/** The reports of the others that the radio delivered. */
export interface PeerReport {
  readonly robot: string;
  readonly at: bigint;
  readonly x: number;
  readonly y: number;
  readonly heading: number;
  readonly speed: number;
  readonly turnRate: number;
  readonly mode: Vehicle['mode'];
  readonly lap: number;
  readonly waypoint: number;
  readonly battery: number;
}

export const SCAN_RAYS = 360;
export const SCAN_RANGE_MAX_M = 20;
const SCAN_NOISE_M = 0.01;
const CLOUD_RINGS = 16;
const CLOUD_LOWEST_RAD = -0.26;
const CLOUD_STEP_RAD = 0.035;
const LIDAR_HEIGHT_M = 0.6;
/** Fraction of radio messages that do not arrive. */
const RADIO_LOSS = 0.05;
/** Odometry drift: its errors per turn and per metre. */
const DRIFT_TURN = 0.01;
const DRIFT_SCALE = 1.005;

/** One robot: the vehicle, its sensors and its estimates. */
export class Robot {
  readonly name: string;
  readonly vehicle: Vehicle;
  readonly camera: Camera;
  /** The position by odometry. */
  readonly odometry = { x: 0, y: 0, heading: 0 };
  /** Last report received of each other robot. */
  readonly peers = new Map<string, PeerReport>();
  lostReports = 0;
  readonly #index: number;
  readonly #seed: number;
  readonly #radio: Random;
  readonly #hit: Hit = { distance: 0, surface: 0 };
  readonly #ranges = new Float32Array(SCAN_RAYS);
  readonly #points = new Float32Array(SCAN_RAYS * CLOUD_RINGS * 4);

  constructor(seed: number, index: number, count: number, cameraKb: number) {
    this.name = `robot${index + 1}`;
    this.#index = index;
    this.#seed = seed;
    this.#radio = new Random(seedOf(seed, index, 0x0a10));
    this.vehicle = new Vehicle(seed, index, count);
    this.camera = new Camera(cameraKb);
    this.odometry.x = this.vehicle.x;
    this.odometry.y = this.vehicle.y;
    this.odometry.heading = this.vehicle.heading;
  }

  step(dt: number, all: readonly Vehicle[]): void {
    const { vehicle, odometry } = this;
    vehicle.step(dt, all);
    odometry.heading = wrapAngle(odometry.heading + vehicle.turnRate * (1 + DRIFT_TURN) * dt);
    odometry.x += vehicle.speed * DRIFT_SCALE * Math.cos(odometry.heading) * dt;
    odometry.y += vehicle.speed * DRIFT_SCALE * Math.sin(odometry.heading) * dt;
  }

  /** Noise that depends only on the seed, the robot, the kind of message and its number. */
  random(kind: number, sequence: number): Random {
    return new Random(this.messageSeed(kind, sequence));
  }

  messageSeed(kind: number, sequence: number): number {
    return seedOf(this.#seed, this.#index, kind, sequence);
  }

  hear(report: PeerReport): void {
    if (this.#radio.unit() < RADIO_LOSS) this.lostReports++;
    else this.peers.set(report.robot, report);
  }

  report(at: bigint): PeerReport {
    const { x, y, heading, speed, turnRate, mode, lap, waypoint, battery } = this.vehicle;
    return { robot: this.name, at, x, y, heading, speed, turnRate, mode, lap, waypoint, battery };
  }

  /** 360 ranges in metres, counter-clockwise from straight ahead; valid until the next call. */
  scan(others: readonly Pillar[], random: Random): Float32Array {
    const { x, y, heading } = this.vehicle;
    for (let i = 0; i < SCAN_RAYS; i++) {
      castRay(x, y, heading + (2 * Math.PI * i) / SCAN_RAYS, others, this.#hit);
      this.#ranges[i] = this.#hit.distance + SCAN_NOISE_M * random.noise();
    }
    return this.#ranges;
  }

  /** x, y, z, intensity of each point in the lidar's own frame; valid until the next call. */
  cloud(others: readonly Pillar[], random: Random): Float32Array {
    const ranges = this.scan(others, random);
    let at = 0;
    for (let ring = 0; ring < CLOUD_RINGS; ring++) {
      const slope = Math.tan(CLOUD_LOWEST_RAD + ring * CLOUD_STEP_RAD);
      const floor = slope < 0 ? -LIDAR_HEIGHT_M / slope : Infinity;
      const ceiling = slope > 0 ? (WALL_HEIGHT_M - LIDAR_HEIGHT_M) / slope : Infinity;
      for (let i = 0; i < SCAN_RAYS; i++) {
        const angle = (2 * Math.PI * i) / SCAN_RAYS;
        const reach = Math.min(ranges[i]!, floor, ceiling) + SCAN_NOISE_M * random.noise();
        this.#points[at++] = reach * Math.cos(angle);
        this.#points[at++] = reach * Math.sin(angle);
        this.#points[at++] = reach * slope;
        this.#points[at++] = Math.max(1, 100 - 4 * reach + 5 * random.noise());
      }
    }
    return this.#points;
  }
}
