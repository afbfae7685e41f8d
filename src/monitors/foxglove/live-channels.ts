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
 * Recorded channels and the ids Foxglove knows them by. A topic name belongs to the robot that had it
 * first; the same name of another robot is announced with that robot in front.
 */
export class LiveChannels {
  private readonly ids = new WeakMap<Channel, number>();
  private readonly idsByKey = new Map<string, number>();
  private readonly ownerOf = new Map<string, string>();

  /** @param announce - tells the clients and returns the id */
  constructor(private readonly announce: (channel: AnnouncedChannel) => number) {}

  /** The id of a channel, announced now where it is new. Quick: called for every message. */
  idOf(channel: Channel): number {
    return this.ids.get(channel) ?? this.learn(channel);
  }

  private learn(channel: Channel): number {
    const key = channelKey(channel);
    let id = this.idsByKey.get(key);
    if (id === undefined) {
      id = this.announce(announced(channel, this.nameOf(channel)));
      this.idsByKey.set(key, id);
    }
    this.ids.set(channel, id);
    return id;
  }

  private nameOf({ topic, robot }: Channel): string {
    const owner = this.ownerOf.get(topic) ?? robot;
    this.ownerOf.set(topic, owner);
    return owner === robot ? topic : `/${robot}${topic.startsWith('/') ? '' : '/'}${topic}`;
  }
}

/** Text definitions go as they are; binary ones (protobuf) in base64, as the protocol asks. */
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
