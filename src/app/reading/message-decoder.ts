import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import { describeError } from '../../core/errors.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { CdrBounds } from './cdr-bounds.js';

/** A decoded value, or the reason why there is none. */
export type Decoded =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

/** Larger payloads are given undecoded: as JavaScript objects they would take many times their size. */
export const DECODE_MAX_BYTES = 64 * 1024 * 1024;
/** Definitions longer than this are not parsed. */
const DEFINITION_MAX_BYTES = 16 * 1024 * 1024;

type Decode = (data: Uint8Array) => unknown;

/** Decodes CDR by ros2msg definitions, and JSON. Anything else, and anything broken, is not decoded, with the reason. */
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
      return { ok: true, value: decode(data) };
    } catch (error) {
      return { ok: false, reason: describeError(error) };
    }
  }
}

/** The decoder of a channel, or why there is none. */
function decoderOf({ encoding, schema }: McapChannel): Decode | string {
  if (encoding === 'json') {
    const text = new TextDecoder('utf-8', { fatal: true });
    return (data) => JSON.parse(text.decode(data)) as unknown;
  }
  if (encoding !== 'cdr') return `encoding "${encoding}" is not decoded`;
  if (schema.data.byteLength === 0 && schema.encoding === '') return 'the channel has no schema';
  if (schema.encoding !== 'ros2msg') return `schema encoding "${schema.encoding}" is not decoded`;
  if (schema.data.byteLength > DEFINITION_MAX_BYTES) return 'the definition is too long';
  try {
    const definitions = parse(new TextDecoder().decode(schema.data), { ros2: true });
    const bounds = new CdrBounds(definitions);
    const reader = new MessageReader(definitions);
    return (data) => {
      bounds.check(data);
      return reader.readMessage(data);
    };
  } catch (error) {
    return `the definition of ${schema.name} cannot be parsed: ${describeError(error)}`;
  }
}
