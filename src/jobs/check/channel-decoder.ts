import { defined } from '../../core/defined.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { Schema } from '../../core/message.js';
import { describeError } from '../../core/errors.js';
import { jsonText } from '../../core/json-message.js';
import { leftOverReason } from '../../core/ros/cdr-kind.js';
import { beginsWithHeader } from '../../recordings/quality/content-hash.js';
import { MessageFields } from '../../recordings/quality/message-fields.js';
import { DECODE_MAX_BYTES } from '../../recordings/message-decoder.js';
import type { SeenMessage } from './topic-check.js';

/** Decodes the messages of a channel as far as the checks of its topic need it. */
export interface ChannelDecoder {
  decode(message: McapMessage): SeenMessage;
  /** Why no message can be decoded, without a fault of the recording. */
  readonly undecodable?: string;
}

/** Creates the decoders of channels; those of one schema share the parsed definition. */
export class ChannelDecoders {
  readonly #decoders = new Map<string, PayloadDecoder>();

  /** `decode`: false if no check of the topic reads its messages. */
  of(channel: McapChannel, decode: boolean): ChannelDecoder {
    const { encoding, schema, schemaMissing } = channel;
    if (encoding === 'json') return new PayloadInspector(decode ? jsonDecoder : undefined, false);
    if (encoding !== 'cdr') return { ...undecodable, undecodable: `encoding "${encoding}" is not decoded` };
    if (schemaMissing === 'none') return { ...undecodable, undecodable: 'the channel has no schema' };
    if (schemaMissing === undefined && schema.encoding !== 'ros2msg') {
      return { ...undecodable, undecodable: `schema encoding "${schema.encoding}" is not decoded` };
    }
    const decoder =
      schemaMissing === 'dangling'
        ? failing('the schema of the channel is not in the file')
        : this.#decoder(schema);
    return new PayloadInspector(decode ? decoder : undefined, decoder.hasHeader);
  }

  #decoder(schema: Schema): PayloadDecoder {
    const key = `${schema.name}\n${Buffer.from(schema.data).toString('base64')}`;
    let decoder = this.#decoders.get(key);
    if (decoder === undefined) this.#decoders.set(key, (decoder = cdrDecoder(schema)));
    return decoder;
  }
}

interface PayloadDecoder {
  readonly hasHeader: boolean;
  readonly fields?: MessageFields;
  /**
   * Returns the number of bytes left over after the message. Throws an Error with the reason if it is not
   * decoded.
   */
  decode(data: Uint8Array): number;
}

class PayloadInspector implements ChannelDecoder {
  constructor(
    readonly decoder: PayloadDecoder | undefined,
    readonly hasHeader: boolean,
  ) {}

  decode({ logTime, sequence, data }: McapMessage): SeenMessage {
    const seen = { logTime, sequence, data, hasHeader: this.hasHeader };
    const { decoder } = this;
    if (decoder === undefined) return seen;
    let leftOver: number;
    try {
      if (data.byteLength > DECODE_MAX_BYTES)
        throw new Error(`${data.byteLength} bytes are too many to decode`);
      leftOver = decoder.decode(data);
    } catch (error) {
      return { ...seen, problem: describeError(error) };
    }
    if (decoder.fields === undefined) return seen;
    const stamp = decoder.fields.stampNs();
    const misfit = leftOver > 0 ? leftOverReason(leftOver) : undefined;
    return { ...seen, fields: decoder.fields, ...defined({ stamp, misfit }) };
  }
}

const undecodable: ChannelDecoder = {
  decode: ({ logTime, sequence, data }) => ({ logTime, sequence, data, hasHeader: false }),
};

const jsonDecoder: PayloadDecoder = {
  hasHeader: false,
  decode: (data) => {
    jsonText(data);
    return 0;
  },
};

function cdrDecoder(schema: Schema): PayloadDecoder {
  try {
    const fields = new MessageFields(schema);
    return { hasHeader: beginsWithHeader(schema), fields, decode: (data) => fields.decode(data) };
  } catch (error) {
    return failing(`the definition of ${schema.name} cannot be used: ${describeError(error)}`);
  }
}

function failing(reason: string): PayloadDecoder {
  return {
    hasHeader: false,
    decode: () => {
      throw new Error(reason);
    },
  };
}
