import { HoldfastError } from '../../core/errors.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import type { Manifest, ManifestChannel } from '../../core/manifest.js';
import { noteMessage, restOfChannel, tallyTimes } from '../../recordings/manifest-part.js';
import { channelName, type ChannelTally } from '../../recordings/survey-object.js';

/** Counts the messages of a derived file, for the channels of its manifest. */
export class OutputChannels {
  /** By topic. */
  readonly #isMade = new Map<string, boolean>();
  readonly #byName = new Map<string, ChannelTally>();
  readonly #byChannel = new Map<McapChannel, ChannelTally>();

  /**
   * Counts a message that is written. Throws `TRANSFORM_FAILED` if a rule writes on a topic that is recorded as well:
   * nobody could tell the two apart.
   *
   * @param isMade - A rule has made the channel.
   */
  note(message: McapMessage, isMade: boolean): void {
    noteMessage(this.#byChannel.get(message.channel) ?? this.#tallyOf(message.channel, isMade), message);
  }

  /** The channels of the sealed file that are left, and then new ones, as they came. */
  channels({ channels }: Manifest): ManifestChannel[] {
    const rest = new Map(this.#byName);
    const kept = channels.flatMap((channel) => {
      const { topic, type, encoding, schemaEncoding } = channel;
      const name = channelName(topic, type, encoding, schemaEncoding);
      const tally = rest.get(name);
      rest.delete(name);
      return tally ? [restOfChannel(channel, tally)] : [];
    });
    return [...kept, ...[...rest.values()].map(added)];
  }

  #tallyOf(channel: McapChannel, isMade: boolean): ChannelTally {
    const { topic, schema, encoding } = channel;
    if ((this.#isMade.get(topic) ?? isMade) !== isMade) {
      const message = `a rule of sync.transform writes ${topic}, which is recorded as well; allowed: drop the recorded one first`;
      throw new HoldfastError('TRANSFORM_FAILED', message, { facts: { topic } });
    }
    this.#isMade.set(topic, isMade);
    const name = channelName(topic, schema.name, encoding, schema.encoding);
    const known = this.#byName.get(name);
    const tally = known ?? {
      ...{ channel, count: 0, bytes: 0, carried: 0, firstLogTime: undefined, lastLogTime: undefined },
    };
    this.#byName.set(name, tally);
    this.#byChannel.set(channel, tally);
    return tally;
  }
}

function added(tally: ChannelTally): ManifestChannel {
  const { channel, count, bytes, carried } = tally;
  const { topic, encoding, schema } = channel;
  return {
    ...{ topic, type: schema.name, encoding, schemaEncoding: schema.encoding, latched: false },
    ...{ count, bytes, carried, ...tallyTimes(tally) },
  };
}
