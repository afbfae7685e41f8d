import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import type { Message } from '../core/message.js';

interface Transform {
  header: { frame_id: string };
  child_frame_id: string;
}

/** A transform's stamp, numbers, lengths and padding, beside its two names. */
const TRANSFORM_BYTES = 96;

/**
 * `/tf_static` is published in pieces by several nodes, each transient-local: what a late joiner knows is
 * the union. Keeps the last transform per publisher and child frame and gives it as one message.
 */
export class TfStaticMerge {
  /** At most what the merged message takes. */
  bytes = 0;
  private readonly transforms = new Map<string, Transform>();
  private reader: MessageReader | undefined;
  private writer: MessageWriter | undefined;
  private latest: Message | undefined;
  private merged: Message | undefined;

  /**
   * `full`: the message would take the merged one past `maxBytes` and was left out. `undecodable`: a
   * definition or payload that lies.
   */
  add(message: Message, maxBytes: number): 'merged' | 'full' | 'undecodable' {
    let transforms: readonly Transform[];
    try {
      ({ transforms } = this.readerFor(message).readMessage<{ transforms: Transform[] }>(message.data));
    } catch {
      // Not ours to judge: the caller carries it as it came.
      return 'undecodable';
    }
    const added = new Map(transforms.map((transform) => [keyOf(message, transform), transform]));
    let bytes = this.bytes;
    for (const [key, transform] of added) bytes += sizeOf(transform) - sizeOf(this.transforms.get(key));
    if (bytes > maxBytes) return 'full';
    for (const [key, transform] of added) this.transforms.set(key, transform);
    this.bytes = bytes;
    this.latest = message;
    this.merged = undefined;
    return 'merged';
  }

  /** Everything known, as one message; made anew only when there is news, since segments are few. */
  message(): Message | undefined {
    if (!this.latest || !this.writer) return undefined;
    const transforms = [...this.transforms.values()];
    return (this.merged ??= { ...this.latest, data: this.writer.writeMessage({ transforms }) });
  }

  private readerFor(message: Message): MessageReader {
    if (this.reader) return this.reader;
    const text = Buffer.from(message.channel.schema.data).toString('utf8');
    const definitions = parse(text, { ros2: true });
    this.writer = new MessageWriter(definitions);
    return (this.reader = new MessageReader(definitions));
  }
}

function keyOf({ publisher }: Message, { child_frame_id: child }: Transform): string {
  return JSON.stringify([publisher ?? '', child]);
}

function sizeOf(transform: Transform | undefined): number {
  if (!transform) return 0;
  const names = transform.header.frame_id + transform.child_frame_id;
  return TRANSFORM_BYTES + Buffer.byteLength(names, 'utf8');
}
