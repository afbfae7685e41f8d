import { CdrWriter } from '../core/ros/cdr-writer.js';
import { ChannelCounter } from './channel-counter.js';
import type { Generator, SimChannel, SimMessage } from './generator.js';
import { qosYaml } from '../core/ros/qos.js';
import { seedOf } from '../core/random.js';
import { robotTopics, type RobotTopic, type TopicKind } from './robot-topics.js';
import { Robot } from './robot.js';
import { ros2Schema, typeHash } from '../core/ros/schemas.js';
import { present } from '../core/present.js';

export interface FleetOptions {
  /** Vehicles, 1 to 200. */
  readonly robots: number;
  /** The same seed gives the same world, drives and bytes. */
  readonly seed: number;
  /** Time of the first step, nanoseconds since the Unix epoch. */
  readonly startNs: bigint;
  /** Multiplies every rate. */
  readonly scale: number;
  readonly imuHz: number;
  /** Size of a camera picture, kilobytes. */
  readonly cameraKb: number;
  readonly topics: readonly TopicKind[];
}

/** Time step of physics and schedule, microseconds. */
const STEP_US = 5_000;
const US_PER_S = 1_000_000;

interface Slot {
  readonly index: number;
  readonly topic: RobotTopic;
  readonly robot: Robot;
  readonly rateHz: number;
  /** When the first message is due; the others follow at the rate, without drift. */
  readonly phaseUs: number;
  count: number;
  dueUs: number;
  readonly counter: ChannelCounter;
}

/** A fleet of vehicles in one arena, and every message of their sensors. */
export class Fleet implements Generator {
  readonly channels: readonly SimChannel[];
  readonly robots: readonly Robot[];
  elapsedUs = 0;
  readonly #options: FleetOptions;
  readonly #slots: readonly Slot[];
  readonly #writer = new CdrWriter();

  constructor(options: FleetOptions) {
    this.#options = options;
    const { robots: count, seed, cameraKb } = options;
    this.robots = Array.from({ length: count }, (_, i) => new Robot(seed, i, count, cameraKb));
    const topics = robotTopics.filter((topic) => options.topics.includes(topic.kind));
    const pairs = this.robots.flatMap((robot) => topics.map((topic) => ({ robot, topic })));
    this.#slots = pairs.map(({ robot, topic }, index) => slotOf(index, robot, topic, options));
    const schemas = new Map(topics.map(({ type }) => [type, ros2Schema(type)]));
    this.channels = pairs.map(({ robot, topic: { name, type, qos } }) => ({
      topic: `/${robot.name}/${name}`,
      encoding: 'cdr',
      schema: present(schemas.get(type)),
      metadata: Object.freeze({ offered_qos_profiles: qosYaml(qos), topic_type_hash: typeHash(type) }),
      latched: qos.durability === 'transient_local',
    }));
  }

  get nextUs(): number {
    return this.elapsedUs + STEP_US;
  }

  step(wanted: (channel: number) => boolean = () => true): SimMessage[] {
    this.elapsedUs += STEP_US;
    const vehicles = this.robots.map((robot) => robot.vehicle);
    for (const robot of this.robots) robot.step(STEP_US / US_PER_S, vehicles);
    const due: { slot: Slot; atUs: number }[] = [];
    for (const slot of this.#slots) {
      while (slot.dueUs <= this.elapsedUs) {
        due.push({ slot, atUs: slot.dueUs });
        slot.count++;
        slot.dueUs = slot.rateHz > 0 ? slot.phaseUs + (slot.count * US_PER_S) / slot.rateHz : Infinity;
      }
    }
    due.sort((a, b) => a.atUs - b.atUs);
    return due.flatMap(({ slot, atUs }) => this.#publish(slot, Math.floor(atUs), wanted));
  }

  republish(wanted: (channel: number) => boolean = () => true): SimMessage[] {
    const latched = this.#slots.filter((slot) => slot.rateHz === 0);
    return latched.flatMap((slot) => this.#publish(slot, this.elapsedUs, wanted));
  }

  produced(channel: number): number {
    return this.#slots[channel]!.counter.sequence;
  }

  stamps(channel: number): { readonly first: bigint; readonly last: bigint } | undefined {
    return this.#slots[channel]!.counter.stamps();
  }

  #publish(slot: Slot, atUs: number, wanted: (channel: number) => boolean): SimMessage[] {
    const stamp = this.#options.startNs + BigInt(atUs) * 1_000n;
    const sequence = slot.counter.next(stamp);
    const { robot, rateHz, topic, index } = slot;
    // Robots receive each other's messages even without other subscribers.
    if (!wanted(index) && topic.name !== 'fleet/state') return [];
    const writer = this.#writer.begin();
    topic.write(writer, { stamp, sequence, rateHz, robot, fleet: this.robots });
    return wanted(index) ? [{ channel: index, sequence, stamp, data: writer.finish() }] : [];
  }
}

function slotOf(index: number, robot: Robot, topic: RobotTopic, options: FleetOptions): Slot {
  const baseHz = topic.kind === 'imu' ? options.imuHz : (topic.rateHz ?? 0);
  const rateHz = baseHz * options.scale;
  // Channels with the same rate are spread over the period, so that the load is even.
  const share = seedOf(options.seed, index, 0x9ace) / 0x1_0000_0000;
  const phaseUs = rateHz > 0 ? Math.floor((share * US_PER_S) / rateHz) : 0;
  return { index, topic, robot, rateHz, phaseUs, count: 0, dueUs: phaseUs, counter: new ChannelCounter() };
}
