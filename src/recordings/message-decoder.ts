import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { describeError } from '../core/errors.js';
import { jsonText, jsonValue } from '../core/json-message.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import { BatchBuilder } from '../exporters/columns/batch.js';
import { valueAt } from '../exporters/columns/batch-rows.js';
import type { PlainValue } from '../exporters/columns/put-value.js';
import { columnsOf, type Column } from '../exporters/columns/column.js';
import { compileCdr } from '../exporters/columns/compile-cdr.js';
import { parseTypeTree, type StructNode } from '../exporters/columns/type-tree.js';
import { CdrExtent } from './cdr-extent.js';

/** A decoded value, or the reason why it cannot be decoded. */
export type Decoded = DecodedMessage | { readonly ok: false; readonly reason: string };

export interface DecodedMessage {
  readonly ok: true;
  readonly value: unknown;
  /** The text of a JSON message, on one line. */
  readonly json?: string;
  /** Bytes after the message that are not padding; absent if there are none. */
  readonly leftOver?: number;
}

/** Larger payloads are given undecoded: as JavaScript objects they would take many times their size. */
export const DECODE_MAX_BYTES = 64 * 1024 * 1024;

type Decode = (data: Uint8Array) => Omit<DecodedMessage, 'ok'>;

/**
 * Decodes CDR by ros2msg definitions, and JSON. For anything else, and for damaged messages, it returns the
 * reason.
 */
export class MessageDecoder {
  readonly #decoders = new WeakMap<McapChannel, Decode | string>();

  decode(channel: McapChannel, data: Uint8Array): Decoded {
    let decode = this.#decoders.get(channel);
    if (decode === undefined) this.#decoders.set(channel, (decode = decoderOf(channel)));
    if (typeof decode === 'string') return { ok: false, reason: decode };
    if (data.byteLength > DECODE_MAX_BYTES) {
      return { ok: false, reason: `${data.byteLength} bytes, decoded are up to ${DECODE_MAX_BYTES}` };
    }
    try {
      return { ok: true, ...decode(data) };
    } catch (error) {
      return { ok: false, reason: describeError(error) };
    }
  }
}

/** The decoder of a channel, or why it has none. */
function decoderOf({ encoding, schema }: McapChannel): Decode | string {
  if (encoding === 'json') {
    return (data) => {
      const json = jsonText(data);
      return { json, value: jsonValue(json) };
    };
  }
  if (encoding !== 'cdr') return `encoding "${encoding}" is not decoded`;
  if (schema.data.byteLength === 0 && schema.encoding === '') return 'the channel has no schema';
  if (schema.encoding !== 'ros2msg') return `schema encoding "${schema.encoding}" is not decoded`;
  try {
    return cdrDecoder(new TextDecoder().decode(schema.data), schema.name);
  } catch (error) {
    return `the definition of ${schema.name} cannot be parsed: ${describeError(error)}`;
  }
}

function cdrDecoder(definition: string, name: string): Decode {
  const extent = new CdrExtent(definition, name);
  // The library does not support wstring; the columns of exports do.
  if (extent.hasWideText) return byColumns(parseTypeTree(definition, name));
  const reader = new MessageReader(extent.definitions);
  return (data) => {
    const { plain, leftOver } = extent.measure(data);
    const value: unknown = reader.readMessage(plain);
    return leftOver > 0 ? { value, leftOver } : { value };
  };
}

/** Values in the library's form, read by the decoder of exports. */
function byColumns(type: StructNode): Decode {
  const columns = columnsOf(type, { flatten: false });
  const builder = new BatchBuilder(columns);
  const decode = compileCdr(type, builder, builder.root, { flatten: false });
  return (data) => {
    builder.rows = 0;
    const leftOver = decode(data);
    const batch = builder.take();
    const value = valueOf(columns, valueAt(batch, builder.root, 0));
    return leftOver > 0 ? { value, leftOver } : { value };
  };
}

/** A column's value in ROS' form: times have their two parts. */
function valueOf(column: Column, value: PlainValue): unknown {
  if (column.kind === 'struct') {
    const fields = value as Readonly<Record<string, PlainValue>>;
    return Object.fromEntries(
      column.fields.map(({ name, column: of }) => [name, valueOf(of, fields[name]!)]),
    );
  }
  if (column.kind === 'list')
    return (value as readonly PlainValue[]).map((one) => valueOf(column.element, one));
  if (column.type !== 'time' && column.type !== 'duration') return value;
  const nanoseconds = value as bigint;
  const nanosec = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { sec: Number((nanoseconds - nanosec) / 1_000_000_000n), nanosec: Number(nanosec) };
}
