import { FAULT_TOPIC, MARKS_TOPIC } from './infer-frames.js';
import { multiArraySchema } from './multi-array.js';
import { OWN_CHANNELS_FROM, type FramedChannel } from './process-frames.js';

/** The channels that a model writes, each defined when it is first needed. */
export class InferChannels {
  readonly #ids = new Map<string, number>();

  /** The id, and the channel if it is a new one. */
  output(topic: string, type: string): { readonly id: number; readonly added?: FramedChannel } {
    return this.#of(`${type} ${topic}`, (id) => {
      const { name, encoding, data } = multiArraySchema(type);
      return { id, topic, encoding: 'cdr', schemaName: name, schemaEncoding: encoding, schema: data };
    });
  }

  marks(): { readonly id: number; readonly added?: FramedChannel } {
    return this.#of(MARKS_TOPIC, (id) => bare(id, MARKS_TOPIC));
  }

  fault(): { readonly id: number; readonly added?: FramedChannel } {
    return this.#of(FAULT_TOPIC, (id) => bare(id, FAULT_TOPIC));
  }

  #of(
    key: string,
    define: (id: number) => FramedChannel,
  ): { readonly id: number; readonly added?: FramedChannel } {
    const known = this.#ids.get(key);
    if (known !== undefined) return { id: known };
    const id = OWN_CHANNELS_FROM + this.#ids.size;
    const added = define(id);
    this.#ids.set(key, id);
    return { id, added };
  }
}

function bare(id: number, topic: string): FramedChannel {
  const schema = new Uint8Array(0);
  return { id, topic, encoding: 'bytes', schemaName: '', schemaEncoding: '', schema };
}

/** The topic of an output: its name with other characters than ROS allows replaced. */
export function outputTopic(base: string, output: string): string {
  return `${base}/${output.replaceAll(/[^A-Za-z0-9_]+/g, '_')}`;
}
