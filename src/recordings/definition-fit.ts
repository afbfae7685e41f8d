import { describeError } from '../core/errors.js';
import type { McapMessage } from '../core/mcap/block.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import { unpacked } from '../core/mcap/message-compression.js';
import { definitionKey } from '../core/message.js';
import { CDR_HEAD_BYTES, isDecoded, leftOverReason } from '../core/ros/cdr-kind.js';
import { parseTypeTree } from '../exporters/columns/type-tree.js';
import { CdrExtent } from './cdr-extent.js';
import { DECODE_MAX_BYTES } from './message-decoder.js';
import { MessageFields } from './quality/message-fields.js';

/** Returns the bytes left over after a message; throws an Error with what does not fit. */
type Measure = (payload: Uint8Array) => number;

/**
 * Whether messages have the length that their definition gives them. One that does not was written with
 * another definition, such as another version of its type. Definitions of one layout cannot be told apart.
 */
export class DefinitionFit {
  readonly #ofChannel = new WeakMap<McapChannel, Measure | undefined>();
  readonly #ofSchema = new Map<string, Measure | undefined>();

  /** Why a message does not fit; undefined if it fits, or if messages of its kind are not decoded. */
  misfit(message: McapMessage): string | undefined {
    const { channel } = message;
    if (channel.encoding !== 'cdr' || channel.schema.encoding !== 'ros2msg') return undefined;
    try {
      const { data } = unpacked(message, DECODE_MAX_BYTES);
      if (data.byteLength > DECODE_MAX_BYTES) return undefined;
      const measure = this.#measureOf(channel);
      if (measure === undefined) return undefined;
      if (data.byteLength >= CDR_HEAD_BYTES && !isDecoded(data)) return undefined;
      const leftOver = measure(data);
      return leftOver > 0 ? leftOverReason(leftOver) : undefined;
    } catch (error) {
      return describeError(error);
    }
  }

  #measureOf(channel: McapChannel): Measure | undefined {
    if (this.#ofChannel.has(channel)) return this.#ofChannel.get(channel);
    const key = definitionKey(channel.schema);
    if (!this.#ofSchema.has(key)) this.#ofSchema.set(key, measureBy(channel));
    const measure = this.#ofSchema.get(key);
    this.#ofChannel.set(channel, measure);
    return measure;
  }
}

function measureBy({ schema }: McapChannel): Measure | undefined {
  try {
    const definition = new TextDecoder().decode(schema.data);
    const extent = new CdrExtent(definition, schema.name);
    // It throws if a type of a field is missing.
    parseTypeTree(definition, schema.name);
    if (!extent.hasWideText) return (payload) => extent.measure(payload).leftOver;
    const fields = new MessageFields(schema);
    return (payload) => fields.decode(payload);
  } catch {
    // No reader understands the definition; that says nothing about the messages.
    return undefined;
  }
}
