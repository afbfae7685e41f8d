import { channelKey, type Channel } from '../../core/message.js';

/** A channel as the protocol announces it. */
export interface AnnouncedChannel {
  readonly topic: string;
  readonly encoding: string;
  readonly schemaName: string;
  readonly schema: string;
  readonly schemaEncoding?: string;
}

/**
 * Recorded channels and their ids in Foxglove. A topic name belongs to the robot that had it first; the same
 * name of another robot is announced with that robot before it.
 */
export class LiveChannels {
  readonly #ids = new WeakMap<Channel, number>();
  readonly #idsByKey = new Map<string, number>();
  readonly #ownerOf = new Map<string, string>();

  readonly #announce: (channel: AnnouncedChannel) => number;

  /** @param announce - announces the channel to the clients and returns the id */
  constructor(announce: (channel: AnnouncedChannel) => number) {
    this.#announce = announce;
  }

  /** The id of a channel, announced now if it is new. Fast: called for every message. */
  idOf(channel: Channel): number {
    return this.#ids.get(channel) ?? this.#learn(channel);
  }

  #learn(channel: Channel): number {
    const key = channelKey(channel);
    let id = this.#idsByKey.get(key);
    if (id === undefined) {
      id = this.#announce(announced(channel, this.#nameOf(channel)));
      this.#idsByKey.set(key, id);
    }
    this.#ids.set(channel, id);
    return id;
  }

  #nameOf({ topic, robot }: Channel): string {
    const owner = this.#ownerOf.get(topic) ?? robot;
    this.#ownerOf.set(topic, owner);
    return owner === robot ? topic : `/${robot}${topic.startsWith('/') ? '' : '/'}${topic}`;
  }
}

/** Text definitions are sent unchanged; binary ones (protobuf) in base64, as the protocol requires. */
function announced({ encoding, schema }: Channel, topic: string): AnnouncedChannel {
  const data = Buffer.from(schema.data.buffer, schema.data.byteOffset, schema.data.byteLength);
  const isBinary = schema.encoding === 'protobuf' || schema.encoding === 'flatbuffer';
  return {
    topic,
    encoding,
    schemaName: schema.name,
    schema: data.toString(isBinary ? 'base64' : 'utf8'),
    ...(schema.encoding === '' ? {} : { schemaEncoding: schema.encoding }),
  };
}
