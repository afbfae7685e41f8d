import { genericEventSchema, type GenericEvent } from '../../core/generic-event.js';
import type { Channel } from '../../core/message.js';
import { NATS_STREAM_CREATED_KEY, NATS_STREAM_KEY, natsNumbering } from '../../core/nats-identity.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { present } from '../../core/present.js';
import type { NatsOptions } from './nats-options.js';

/** Maximum number of known channels; the oldest is forgotten first, and announced again when it returns. */
const MAX_CHANNELS = 20_000;
/** A longer name of a robot is invalid. */
const ROBOT_MAX_CHARACTERS = 200;

/** The channels of one creation of a stream: one per subject and robot. */
export class EventChannels {
  readonly #channels = new Map<string, Channel>();
  readonly #metadata: Readonly<Record<string, string>>;
  readonly #numberedIn: string;
  readonly #verdicts = new Map<Channel, boolean>();

  readonly #options: NatsOptions;
  readonly #context: SourceContext;
  readonly #emit: (event: SourceEvent) => void;

  constructor(
    options: NatsOptions,
    streamCreated: string,
    context: SourceContext,
    emit: (event: SourceEvent) => void,
  ) {
    this.#options = options;
    this.#context = context;
    this.#emit = emit;
    this.#metadata = Object.freeze({
      [NATS_STREAM_KEY]: options.stream,
      [NATS_STREAM_CREATED_KEY]: streamCreated,
    });
    this.#numberedIn = natsNumbering(options.stream, streamCreated);
  }

  /** The channel of an event; undefined if it is not wanted. */
  channelOf(subject: string, event: GenericEvent): Channel | undefined {
    const robot = this.#robotOf(subject, event);
    const key = `${subject} ${robot}`;
    let channel = this.#channels.get(key);
    if (!channel) {
      channel = this.#announce(subject, robot);
      this.#channels.set(key, channel);
      if (this.#channels.size > MAX_CHANNELS) this.#forget(present(this.#channels.keys().next().value));
    }
    return this.#isWanted(channel) ? channel : undefined;
  }

  wantedChanged(): void {
    this.#verdicts.clear();
  }

  /** The stream was replaced by another one. */
  close(): void {
    for (const key of [...this.#channels.keys()]) this.#forget(key);
  }

  #robotOf(subject: string, { simulationId, workerId }: GenericEvent): string {
    const { robotFrom } = this.#options;
    const name = robotFrom === 'simulation_id' ? simulationId : robotFrom === 'worker_id' ? workerId : '';
    return name === '' || name.length > ROBOT_MAX_CHARACTERS ? this.#context.robotOf(subject) : name;
  }

  #announce(topic: string, robot: string): Channel {
    const channel: Channel = Object.freeze({
      robot,
      topic,
      encoding: 'protobuf',
      schema: genericEventSchema,
      metadata: this.#metadata,
      latched: false,
      numberedIn: this.#numberedIn,
    });
    this.#emit({ kind: 'channel', channel });
    return channel;
  }

  #isWanted(channel: Channel): boolean {
    let wanted = this.#verdicts.get(channel);
    if (wanted === undefined) {
      wanted = this.#context.wanted(channel.topic, channel.schema.name);
      this.#verdicts.set(channel, wanted);
    }
    return wanted;
  }

  #forget(key: string): void {
    const channel = present(this.#channels.get(key));
    this.#channels.delete(key);
    this.#verdicts.delete(channel);
    this.#emit({ kind: 'channel-gone', channel });
  }
}
