import { ChannelCounter } from './channel-counter.js';
import type { Generator, SimChannel, SimMessage } from './generator.js';
import { defaultQos, qosYaml } from '../core/ros/qos.js';
import { fillRandom, seedOf } from '../core/random.js';
import { ros2Schema, typeHash } from '../core/ros/schemas.js';

export interface FloodOptions {
  /** Number of robots that share the channels in turn. */
  readonly robots: number;
  readonly channels: number;
  /** Payload bytes per message, {@link FLOOD_MIN_BYTES} or more. */
  readonly sizeBytes: number;
  /** Messages per second over all channels; Infinity: as fast as they are taken. */
  readonly ratePerS: number;
  /** Fraction of each payload that no codec can compress, 0 to 1; the rest is zeros. */
  readonly entropy: number;
  readonly seed: number;
  readonly startNs: bigint;
}

/** CDR header, an empty layout, the length, and the message's number. */
export const FLOOD_MIN_BYTES = 24;
const DATA_OFFSET = 16;
const NUMBER_BYTES = 8;
const STEP_US = 1_000;
const US_PER_S = 1_000_000;
/** Messages per step at unlimited rate: small enough to stay bounded, large enough to be fast. */
const BURST_MESSAGES = 128;
const BURST_BYTES = 8 * 1024 * 1024;

/**
 * Messages of one size at one rate for load tests, one channel after the other: std_msgs/UInt8MultiArray in
 * CDR, whose first eight data bytes are the message's number (little endian).
 */
export class Flood implements Generator {
  readonly channels: readonly SimChannel[];
  elapsedUs = 0;
  readonly #options: FloodOptions;
  readonly #counters: readonly ChannelCounter[];
  readonly #perStep: number;
  /** Where the random part of a payload ends. */
  readonly #randomUntil: number;
  #owed = 0;
  #next = 0;

  constructor(options: FloodOptions) {
    this.#options = options;
    const { sizeBytes, ratePerS } = options;
    const burst = Math.max(1, Math.min(BURST_MESSAGES, Math.floor(BURST_BYTES / sizeBytes)));
    this.#perStep = ratePerS === Infinity ? burst : (ratePerS * STEP_US) / US_PER_S;
    const free = sizeBytes - DATA_OFFSET - NUMBER_BYTES;
    this.#randomUntil = DATA_OFFSET + NUMBER_BYTES + Math.round(free * options.entropy);
    const schema = ros2Schema('std_msgs/UInt8MultiArray');
    const metadata = Object.freeze({
      offered_qos_profiles: qosYaml(defaultQos),
      topic_type_hash: typeHash('std_msgs/UInt8MultiArray'),
    });
    this.channels = Array.from({ length: options.channels }, (_, i) => ({
      topic: `/robot${(i % options.robots) + 1}/flood/channel${i + 1}`,
      ...{ encoding: 'cdr', schema, metadata, latched: false },
    }));
    this.#counters = this.channels.map(() => new ChannelCounter());
  }

  get nextUs(): number {
    return this.elapsedUs + STEP_US;
  }

  step(wanted: (channel: number) => boolean = () => true): SimMessage[] {
    this.elapsedUs += STEP_US;
    const stamp = this.#options.startNs + BigInt(this.elapsedUs) * 1_000n;
    this.#owed += this.#perStep;
    const messages: SimMessage[] = [];
    for (; this.#owed >= 1; this.#owed--) {
      const channel = this.#next;
      this.#next = (channel + 1) % this.channels.length;
      const sequence = this.#counters[channel]!.next(stamp);
      if (wanted(channel))
        messages.push({ channel, sequence, stamp, data: this.#payload(channel, sequence) });
    }
    return messages;
  }

  republish(): SimMessage[] {
    return [];
  }

  produced(channel: number): number {
    return this.#counters[channel]!.sequence;
  }

  stamps(channel: number): { readonly first: bigint; readonly last: bigint } | undefined {
    return this.#counters[channel]!.stamps();
  }

  #payload(channel: number, sequence: number): Uint8Array {
    const { sizeBytes, seed } = this.#options;
    const bytes = new Uint8Array(sizeBytes);
    const length = sizeBytes - DATA_OFFSET;
    bytes[1] = 1;
    for (let i = 0; i < 4; i++) bytes[DATA_OFFSET - 4 + i] = length >>> (8 * i);
    let number = sequence;
    for (let at = DATA_OFFSET; number > 0; at++, number = Math.floor(number / 256)) bytes[at] = number;
    fillRandom(bytes, DATA_OFFSET + NUMBER_BYTES, this.#randomUntil, seedOf(seed, channel, sequence));
    return bytes;
  }
}
