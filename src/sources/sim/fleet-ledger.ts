import type { Generator } from '../../simulation/generator.js';

/** What the fleet knows about one channel. Times are nanoseconds since the Unix epoch, as text. */
export interface ChannelLedger {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
  readonly latched: boolean;
  /** Messages produced; also the number of the last. */
  readonly produced: number;
  /** Messages whose arrival a listener confirmed. */
  readonly delivered: number;
  /** Number of the last confirmed message; 0: none. */
  readonly lastDelivered: number;
  /** Messages not sent to a connected listener because it was too slow. */
  readonly skipped: number;
  readonly firstStamp?: string;
  readonly lastStamp?: string;
}

export interface FleetLedger {
  readonly fleetId: string;
  readonly state: 'waiting' | 'running' | 'stopped';
  /** Simulated time that has passed, milliseconds. */
  readonly elapsedMs: number;
  /** Number of listeners so far. */
  readonly connections: number;
  readonly connected: boolean;
  readonly produced: number;
  readonly delivered: number;
  readonly skipped: number;
  readonly channels: readonly ChannelLedger[];
}

/** Counts what happened to the messages, independent of any connection. */
export class LedgerBook {
  readonly delivered: number[];
  readonly lastDelivered: number[];
  readonly lastDeliveredAt: bigint[];
  readonly skipped: number[];
  readonly #generator: Generator;

  constructor(generator: Generator) {
    this.#generator = generator;
    this.delivered = generator.channels.map(() => 0);
    this.lastDelivered = generator.channels.map(() => 0);
    this.lastDeliveredAt = generator.channels.map(() => 0n);
    this.skipped = generator.channels.map(() => 0);
  }

  confirm(channel: number, sequence: number, stamp: bigint): void {
    this.delivered[channel]!++;
    this.lastDelivered[channel] = sequence;
    this.lastDeliveredAt[channel] = stamp;
  }

  skip(channel: number): void {
    this.skipped[channel]!++;
  }

  read(rest: Pick<FleetLedger, 'fleetId' | 'state' | 'connections' | 'connected'>): FleetLedger {
    const channels = this.#generator.channels.map((_, i) => this.#channel(i));
    const sum = (pick: (channel: ChannelLedger) => number): number =>
      channels.reduce((total, channel) => total + pick(channel), 0);
    return {
      ...rest,
      elapsedMs: this.#generator.elapsedUs / 1_000,
      produced: sum((channel) => channel.produced),
      delivered: sum((channel) => channel.delivered),
      skipped: sum((channel) => channel.skipped),
      channels,
    };
  }

  #channel(index: number): ChannelLedger {
    const { topic, schema, latched } = this.#generator.channels[index]!;
    const stamps = this.#generator.stamps(index);
    return {
      robot: topic.split('/')[1] ?? '',
      topic,
      type: schema.name,
      latched,
      produced: this.#generator.produced(index),
      delivered: this.delivered[index]!,
      lastDelivered: this.lastDelivered[index]!,
      skipped: this.skipped[index]!,
      ...(stamps && { firstStamp: String(stamps.first), lastStamp: String(stamps.last) }),
    };
  }
}
