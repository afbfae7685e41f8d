import { describeError } from '../../core/errors.js';
import { jsonText } from '../../core/json-message.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import type { Plot } from '../../exporters/report/report-data.js';
import type { DefinitionFit } from '../../recordings/definition-fit.js';
import { DECODE_MAX_BYTES, type MessageDecoder } from '../../recordings/message-decoder.js';
import type { DiagnosticsCollector, DiagnosticStatus } from './diagnostics-collector.js';
import { FieldCollector } from './field-collector.js';
import { stampReader, type ReadStamp } from './header-stamp.js';
import type { TimeSpan } from './time-span.js';
import type { TopicCollector } from './topic-collector.js';
import type { TrackBoard } from './track-board.js';
import type { Transform } from './transform-tree.js';

/** The targets of a channel's messages. */
export interface Boards {
  readonly span: TimeSpan;
  readonly tracks: TrackBoard;
  readonly diagnostics: DiagnosticsCollector;
  readonly decoder: MessageDecoder;
  readonly fit: DefinitionFit;
  /** Fields requested by name, of this topic. */
  readonly wishes: (topic: string) => readonly string[];
}

/** Receives the content of one message; returns why it could not be decoded. */
type Take = (message: McapMessage, bucket: number) => string | undefined;

/** The messages of one channel: their content, as far as it is drawn. */
export class ChannelCollector {
  readonly #take: Take | undefined;
  readonly #stamp: ReadStamp | undefined;
  readonly #fields: FieldCollector | undefined;
  /** Why no message of the channel can be decoded. */
  readonly #obstacle: string | undefined;

  constructor(
    readonly channel: McapChannel,
    readonly topic: TopicCollector,
    readonly boards: Boards,
  ) {
    this.#stamp = stampReader(channel);
    const { schema } = channel;
    if (schema.name === 'tf2_msgs/msg/TFMessage')
      this.#take = this.#decoded((value, message) => this.#transforms(value, message));
    else if (schema.name === 'diagnostic_msgs/msg/DiagnosticArray') {
      this.#take = this.#decoded((value, message, bucket) => this.#diagnostics(value, message, bucket));
    } else if (channel.encoding === 'json') {
      this.#take = ({ data }) => jsonObstacle(data);
    } else {
      const { robot } = topic;
      const opened = FieldCollector.open(channel, {
        extra: boards.wishes(channel.topic),
        onPosition: (kind, frame, time, x, y) =>
          boards.tracks.add(robot, channel.topic, kind, frame, time, x, y),
      });
      if (typeof opened === 'string') this.#obstacle = opened;
      else if (opened !== undefined) {
        this.#fields = opened;
        this.#take = (message, bucket) => {
          const reason = opened.add(message, bucket);
          if (reason === undefined && opened.leftOver > 0) topic.misfits++;
          return reason;
        };
      } else {
        // Nothing of it is drawn, but messages of another definition count as in every other topic.
        this.#take = (message) => {
          if (boards.fit.misfit(message) !== undefined) topic.misfits++;
          return undefined;
        };
      }
    }
  }

  /** Whether the type has a requested field, as a number. */
  fulfilled(field: string): boolean {
    return this.#fields !== undefined && !this.#fields.missing.includes(field);
  }

  add(message: McapMessage, bucket: number): void {
    const { topic } = this;
    const { logTime, data } = message;
    if (message.channel.carried) {
      topic.carried++;
    } else {
      topic.add(logTime, bucket, data.byteLength);
      const stamp = this.#stamp?.(data);
      if (stamp !== undefined) topic.addStamp(logTime, bucket, stamp);
    }
    const reason = this.#obstacle ?? this.#take?.(message, bucket);
    if (reason !== undefined) topic.addUndecoded(reason);
  }

  flush(): void {
    this.#fields?.flush();
  }

  get isBattery(): boolean {
    return this.#fields?.plan.isBattery === true;
  }

  plots(): Plot[] {
    const { robot, robotIndex, channel } = this.topic;
    return this.#fields?.plots(robot, robotIndex, channel.topic) ?? [];
  }

  #decoded(take: (value: unknown, message: McapMessage, bucket: number) => void): Take {
    return (message, bucket) => {
      const decoded = this.boards.decoder.decode(message.channel, message.data);
      if (!decoded.ok) return decoded.reason;
      if (decoded.leftOver !== undefined) this.topic.misfits++;
      try {
        take(decoded.value, message, bucket);
      } catch {
        // A type of that name with other fields, or JSON of another shape.
        return `not the fields of ${message.channel.schema.name}`;
      }
      return undefined;
    };
  }

  #transforms(value: unknown, { logTime, channel }: McapMessage): void {
    const { robot } = this.topic;
    const { transforms } = value as { transforms: readonly Transform[] };
    for (const transform of transforms) {
      this.boards.tracks.addTransform(robot, channel.topic, logTime, transform);
    }
  }

  #diagnostics(value: unknown, { logTime }: McapMessage, bucket: number): void {
    const { status } = value as { status: readonly DiagnosticStatus[] };
    const atS = this.boards.span.seconds(logTime);
    for (const one of status) this.boards.diagnostics.add(this.topic.robot, bucket, atS, one);
  }
}

/** Why a JSON message cannot be decoded; none of its values is drawn. */
function jsonObstacle(data: Uint8Array): string | undefined {
  if (data.byteLength > DECODE_MAX_BYTES) return `${data.byteLength} bytes are too many to decode`;
  try {
    jsonText(data);
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}
