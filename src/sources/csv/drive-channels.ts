import { CdrWriter } from '../../core/ros/cdr-writer.js';
import type { Channel } from '../../core/message.js';
import type { SourceContext } from '../../core/source.js';
import { settledBefore, type SourceRun } from '../source-runner.js';
import { metadataOf, type DriveTopic } from './drive-topics.js';
import type { BadRows, ReplayedVehicle, ReplayStep } from './replayed-vehicle.js';

interface DriveChannel {
  readonly topic: DriveTopic;
  readonly channel: Channel;
  isWanted: boolean;
  isAnnounced: boolean;
  sequence: number;
}

/** Turns the steps of a replay into messages and gaps, as fast as they are taken. */
export class DriveChannels {
  readonly #topics: readonly DriveTopic[];
  readonly #isLive: boolean;
  readonly #context: SourceContext;
  readonly #run: SourceRun;
  readonly #writer = new CdrWriter();
  readonly #byVehicle = new Map<ReplayedVehicle, readonly DriveChannel[]>();

  /**
   * @param isLive the log time is the time of the clock; otherwise that of the replay, which would be
   * compressed.
   */
  constructor(topics: readonly DriveTopic[], isLive: boolean, context: SourceContext, run: SourceRun) {
    this.#topics = topics;
    this.#isLive = isLive;
    this.#context = context;
    this.#run = run;
  }

  /** The set of wanted topics may have changed. */
  reconsider(): void {
    for (const one of [...this.#byVehicle.values()].flat()) one.isWanted = this.#isWanted(one.channel);
  }

  /** False: the signal aborted. */
  async give(vehicle: ReplayedVehicle, { moment, bad }: ReplayStep): Promise<boolean> {
    const { flow, clock } = this.#context;
    const { signal, emit } = this.#run;
    const channels = this.#channelsOf(vehicle);
    if (bad !== undefined) this.#tellBad(vehicle, channels, bad);
    if (moment === undefined) return !signal.aborted;
    for (const one of channels) {
      if (!one.isWanted || (one.topic.isLatched === true && one.sequence > 0)) continue;
      const ready = flow.whenReady();
      if (ready !== undefined && !(await settledBefore(ready, signal))) return false;
      if (signal.aborted) return false;
      if (!one.isAnnounced) {
        one.isAnnounced = true;
        emit({ kind: 'channel', channel: one.channel });
      }
      const data = one.topic.write(this.#writer, moment);
      const { stamp } = moment;
      const receivedAt = this.#isLive ? clock.now() : stamp;
      const sourceSequence = ++one.sequence;
      emit({ kind: 'message', channel: one.channel, data, receivedAt, publishedAt: stamp, sourceSequence });
    }
    return !signal.aborted;
  }

  /** One row becomes one message on every topic that is made from rows. */
  #tellBad(vehicle: ReplayedVehicle, channels: readonly DriveChannel[], bad: BadRows): void {
    const { count: rows, bytes, detail, from, to } = bad;
    const [first] = channels;
    const robot = first?.channel.robot ?? this.#context.robotOf(`/${vehicle.name}/telemetry`);
    const perRow = channels.filter(({ topic, isWanted }) => isWanted && topic.isLatched !== true).length;
    const times = { firstTime: from ?? to, lastTime: to ?? from };
    this.#context.logger.warn('rows of the log could not be read', { vehicle: vehicle.name, detail });
    this.#run.emit({
      kind: 'gap',
      gap: {
        ...{ reason: 'source_unreadable', robot, count: rows * perRow, detail },
        // The bytes are those of one file, for any number of vehicles that read it.
        ...(vehicle.isFirst ? { bytes } : {}),
        ...(times.firstTime === undefined || times.lastTime === undefined ? {} : (times as Times)),
      },
    });
  }

  #channelsOf(vehicle: ReplayedVehicle): readonly DriveChannel[] {
    const known = this.#byVehicle.get(vehicle);
    if (known !== undefined) return known;
    const made = this.#topics.map((topic) => {
      const name = `/${vehicle.name}/${topic.name}`;
      const channel: Channel = Object.freeze({
        ...{
          robot: this.#context.robotOf(name),
          topic: name,
          encoding: topic.encoding,
          schema: topic.schema,
        },
        ...{ metadata: metadataOf(topic, vehicle.vin), latched: topic.isLatched === true },
      });
      return { topic, channel, isWanted: this.#isWanted(channel), isAnnounced: false, sequence: 0 };
    });
    this.#byVehicle.set(vehicle, made);
    return made;
  }

  #isWanted({ topic, schema }: Channel): boolean {
    return this.#context.wanted(topic, schema.name);
  }
}

interface Times {
  readonly firstTime: bigint;
  readonly lastTime: bigint;
}
