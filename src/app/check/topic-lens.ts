import type { McapChannel } from '../../core/mcap/definitions.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { Schema } from '../../core/message.js';
import { describeError } from '../../core/errors.js';
import { beginsWithHeader } from '../quality/content-hash.js';
import { MessageFields } from '../quality/message-fields.js';
import { DECODE_MAX_BYTES } from '../reading/message-decoder.js';
import type { SeenMessage } from './topic-check.js';

/** How the messages of a channel are looked at. */
export interface TopicLens {
  see(message: McapMessage): SeenMessage;
  /** Why nothing can be looked into, through no fault of the recording. */
  readonly blind?: string;
}

/** Makes lenses; those of one schema share what decodes. */
export class LensMaker {
  readonly #decoders = new Map<string, Decoder>();

  lens(channel: McapChannel, decode: boolean): TopicLens {
    const { encoding, schema, schemaMissing } = channel;
    if (encoding === 'json') return new Lens(decode ? jsonDecoder : undefined, false);
    if (encoding !== 'cdr') return { ...blindLens, blind: `encoding "${encoding}" is not decoded` };
    if (schemaMissing === 'none') return { ...blindLens, blind: 'the channel has no schema' };
    if (schemaMissing === undefined && schema.encoding !== 'ros2msg') {
      return { ...blindLens, blind: `schema encoding "${schema.encoding}" is not decoded` };
    }
    const decoder =
      schemaMissing === 'dangling'
        ? failing('the schema of the channel is not in the file')
        : this.#decoder(schema);
    return new Lens(decode ? decoder : undefined, decoder.hasHeader);
  }

  #decoder(schema: Schema): Decoder {
    const key = `${schema.name}\n${Buffer.from(schema.data).toString('base64')}`;
    let decoder = this.#decoders.get(key);
    if (decoder === undefined) this.#decoders.set(key, (decoder = cdrDecoder(schema)));
    return decoder;
  }
}

interface Decoder {
  readonly hasHeader: boolean;
  readonly fields?: MessageFields;
  /** Throws an Error that says why not. */
  decode(data: Uint8Array): void;
}

class Lens implements TopicLens {
  constructor(
    readonly decoder: Decoder | undefined,
    readonly hasHeader: boolean,
  ) {}

  see({ logTime, sequence, data }: McapMessage): SeenMessage {
    const seen = { logTime, sequence, data, hasHeader: this.hasHeader };
    const { decoder } = this;
    if (decoder === undefined) return seen;
    try {
      if (data.byteLength > DECODE_MAX_BYTES)
        throw new Error(`${data.byteLength} bytes are too many to decode`);
      decoder.decode(data);
    } catch (error) {
      return { ...seen, problem: describeError(error) };
    }
    if (decoder.fields === undefined) return seen;
    const stamp = decoder.fields.stampNs();
    return { ...seen, fields: decoder.fields, ...(stamp === undefined ? {} : { stamp }) };
  }
}

const blindLens: TopicLens = {
  see: ({ logTime, sequence, data }) => ({ logTime, sequence, data, hasHeader: false }),
};

const text = new TextDecoder('utf-8', { fatal: true });
const jsonDecoder: Decoder = { hasHeader: false, decode: (data) => void JSON.parse(text.decode(data)) };

function cdrDecoder(schema: Schema): Decoder {
  try {
    const fields = new MessageFields(schema);
    return { hasHeader: beginsWithHeader(schema), fields, decode: (data) => fields.decode(data) };
  } catch (error) {
    return failing(`the definition of ${schema.name} cannot be used: ${describeError(error)}`);
  }
}

function failing(reason: string): Decoder {
  return {
    hasHeader: false,
    decode: () => {
      throw new Error(reason);
    },
  };
}
