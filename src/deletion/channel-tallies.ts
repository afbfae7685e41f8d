import type { McapMessage } from '../core/mcap/block.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import type { Manifest, ManifestChannel } from '../core/manifest.js';
import { noteMessage, restOfChannel } from '../recordings/manifest-part.js';
import { channelName, type ChannelTally } from '../recordings/survey-object.js';

/** Counts messages of a segment, by its channels. */
export class ChannelTallies {
  readonly #byName = new Map<string, ChannelTally>();
  readonly #byChannel = new Map<McapChannel, ChannelTally>();

  note(message: McapMessage): void {
    noteMessage(this.#byChannel.get(message.channel) ?? this.#tallyOf(message.channel), message);
  }

  /** All that were noted, carried messages included. */
  get noted(): number {
    return this.#sum(({ count, carried }) => count + carried);
  }

  get messages(): number {
    return this.#sum(({ count }) => count);
  }

  get bytes(): number {
    return this.#sum(({ bytes }) => bytes);
  }

  /** Topics with recorded messages. */
  get topics(): readonly string[] {
    const some = [...this.#byName.values()].filter(({ count }) => count > 0);
    return [...new Set(some.map(({ channel }) => channel.topic))];
  }

  get firstLogTime(): bigint | undefined {
    return extreme(
      [...this.#byName.values()].map((one) => one.firstLogTime),
      (a, b) => a < b,
    );
  }

  get lastLogTime(): bigint | undefined {
    return extreme(
      [...this.#byName.values()].map((one) => one.lastLogTime),
      (a, b) => a > b,
    );
  }

  /** The channels of the manifest with what was counted, without those that have nothing. */
  channels({ channels }: Manifest): ManifestChannel[] {
    const rest = new Map(this.#byName);
    return channels.flatMap((channel) => {
      const { topic, type, encoding, schemaEncoding } = channel;
      const name = channelName(topic, type, encoding, schemaEncoding);
      const tally = rest.get(name);
      rest.delete(name);
      return tally ? [restOfChannel(channel, tally)] : [];
    });
  }

  #tallyOf(channel: McapChannel): ChannelTally {
    const { topic, schema, encoding } = channel;
    const name = channelName(topic, schema.name, encoding, schema.encoding);
    const tally = this.#byName.get(name) ?? {
      ...{ channel, count: 0, bytes: 0, carried: 0, firstLogTime: undefined, lastLogTime: undefined },
    };
    this.#byName.set(name, tally);
    this.#byChannel.set(channel, tally);
    return tally;
  }

  #sum(of: (tally: ChannelTally) => number): number {
    return [...this.#byName.values()].reduce((sum, tally) => sum + of(tally), 0);
  }
}

function extreme(
  times: readonly (bigint | undefined)[],
  isBetter: (a: bigint, b: bigint) => boolean,
): bigint | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.reduce<bigint | undefined>((a, b) => (a !== undefined && !isBetter(b, a) ? a : b), undefined);
}
