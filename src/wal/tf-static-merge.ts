import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import type { Message } from '../core/message.js';
import { cdrKindOf } from '../core/ros/cdr-kind.js';
import { parseDefinition } from '../core/ros/parse-definition.js';

interface Transform {
  header: { frame_id: string };
  child_frame_id: string;
}

/** Bytes of a transform's stamp, numbers, lengths and padding, without its two names. */
const TRANSFORM_BYTES = 96;

/**
 * Several nodes publish parts of `/tf_static`, each transient-local, and a late joiner knows the union. This
 * keeps the last transform per publisher and child frame and returns them as one message.
 */
export class TfStaticMerge {
  /** Maximum size of the merged message. */
  bytes = 0;
  readonly #transforms = new Map<string, Transform>();
  #reader: MessageReader | undefined;
  #writer: MessageWriter | undefined;
  #latest: Message | undefined;
  #merged: Message | undefined;

  /**
   * `full`: the message would make the merged one larger than `maxBytes` and was left out. `undecodable`: its
   * definition or payload is wrong.
   */
  add(message: Message, maxBytes: number): 'merged' | 'full' | 'undecodable' {
    let transforms: readonly Transform[];
    try {
      // The library would read the sizes in XCDR2 as values.
      if (cdrKindOf(message.data).version !== 1) return 'undecodable';
      ({ transforms } = this.#readerFor(message).readMessage<{ transforms: Transform[] }>(message.data));
    } catch {
      // Not decided here: the caller carries it unchanged.
      return 'undecodable';
    }
    const added = new Map(transforms.map((transform) => [keyOf(message, transform), transform]));
    let bytes = this.bytes;
    for (const [key, transform] of added) bytes += sizeOf(transform) - sizeOf(this.#transforms.get(key));
    if (bytes > maxBytes) return 'full';
    for (const [key, transform] of added) this.#transforms.set(key, transform);
    this.bytes = bytes;
    this.#latest = message;
    this.#merged = undefined;
    return 'merged';
  }

  /** All known transforms as one message; built again only after a change, because segments are few. */
  message(): Message | undefined {
    if (!this.#latest || !this.#writer) return undefined;
    const transforms = [...this.#transforms.values()];
    return (this.#merged ??= { ...this.#latest, data: this.#writer.writeMessage({ transforms }) });
  }

  #readerFor(message: Message): MessageReader {
    if (this.#reader) return this.#reader;
    const { schema } = message.channel;
    const definitions = parseDefinition(Buffer.from(schema.data).toString('utf8'), schema.name);
    this.#writer = new MessageWriter(definitions);
    return (this.#reader = new MessageReader(definitions));
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
