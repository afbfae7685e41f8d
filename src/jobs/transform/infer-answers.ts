import { describeError } from '../../core/errors.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { present } from '../../core/present.js';
import { CdrWriter } from '../../core/ros/cdr-writer.js';
import type { ImageHeader, RawImage } from '../../core/ros/image-message.js';
import type { InferRule } from '../../core/transform/infer-rule.js';
import { MessageDecoder } from '../../recordings/message-decoder.js';
import { InferChannels, outputTopic } from './infer-channels.js';
import { FAULT_MAX } from './infer-frames.js';
import { JpegDecoder } from './jpeg-decoder.js';
import { fieldsInput, imageInput } from './model-input.js';
import { isMet, type ModelSession } from './model-session.js';
import { encodeMultiArray, type OutputTensor } from './multi-array.js';
import { channelFrame, type FramedChannel } from './process-frames.js';
import { programMessage } from './program-side.js';

const COMPRESSED = 'sensor_msgs/msg/CompressedImage';
const RAW = 'sensor_msgs/msg/Image';

/** Whether a model with this rule can get the messages of a channel; others pass. */
export function isInput({ input }: InferRule, { encoding, schema }: McapChannel): boolean {
  if (input.kind === 'fields') return true;
  return (
    encoding === 'cdr' && schema.encoding === 'ros2msg' && (schema.name === RAW || schema.name === COMPRESSED)
  );
}

/** Answers messages with the outputs of a model, its marks, or a fault. */
export class InferAnswers {
  readonly #rule: InferRule;
  readonly #loaded: ModelSession | string;
  readonly #sources = new Map<number, McapChannel>();
  readonly #channels = new InferChannels();
  readonly #decoder = new MessageDecoder();
  readonly #jpeg = new JpegDecoder();
  readonly #writer = new CdrWriter();
  /** By channel and place of the mark: its condition was true for the last message. */
  readonly #met = new Set<string>();
  received = 0;
  sent = 0;

  /** @param loaded - The model, or why it could not be loaded. */
  constructor(rule: InferRule, loaded: ModelSession | string) {
    this.#rule = rule;
    this.#loaded = loaded;
  }

  /** Takes a channel of the segment. */
  define({ id, topic, encoding, schemaName, schemaEncoding, schema }: FramedChannel): void {
    const source = { name: schemaName, encoding: schemaEncoding, data: schema };
    this.#sources.set(id, { id, topic, encoding, schema: source, metadata: {}, carried: false });
  }

  /** The frames of the answer to a message, without its end. */
  async answer(id: number, data: Uint8Array): Promise<Buffer[]> {
    this.received++;
    try {
      if (typeof this.#loaded === 'string') throw new Error(this.#loaded);
      const source = present(this.#sources.get(id));
      const values = await this.#valuesOf(source, data);
      if (!values) return [];
      const outputs = await this.#loaded.run(values, this.#rule);
      return [...this.#outputFrames(source, outputs), ...this.#markFrames(id, outputs)];
    } catch (error) {
      const text = describeError(error).slice(0, FAULT_MAX);
      return this.#frames(this.#channels.fault(), Buffer.from(text));
    }
  }

  async #valuesOf(source: McapChannel, data: Uint8Array): Promise<Float32Array | undefined> {
    const decoded = this.#decoder.decode(source, data);
    if (!decoded.ok) throw new Error(`a message cannot be decoded: ${decoded.reason}`);
    const { input } = this.#rule;
    if (input.kind === 'fields') return fieldsInput(decoded.value, input.paths);
    if (source.schema.name === RAW) return imageInput(decoded.value as RawImage, input);
    const { header, data: jpeg } = decoded.value as { header: ImageHeader; data: Uint8Array };
    return imageInput(await this.#jpeg.decode(header, jpeg), input);
  }

  #outputFrames({ topic }: McapChannel, outputs: ReadonlyMap<string, OutputTensor>): Buffer[] {
    const base = this.#rule.topic ?? `${topic}/inference`;
    return [...outputs].flatMap(([name, tensor]) => {
      const channel = this.#channels.output(outputTopic(base, name), tensor.type);
      return this.#frames(channel, encodeMultiArray(this.#writer, tensor));
    });
  }

  #markFrames(id: number, outputs: ReadonlyMap<string, OutputTensor>): Buffer[] {
    const risen: number[] = [];
    for (const [place, mark] of this.#rule.marks.entries()) {
      const tensor = outputs.get(mark.output);
      const key = `${id} ${place}`;
      if (!tensor || !isMet(mark, tensor)) this.#met.delete(key);
      else if (!this.#met.has(key)) {
        this.#met.add(key);
        risen.push(place);
      }
    }
    return risen.length === 0 ? [] : this.#frames(this.#channels.marks(), Uint8Array.from(risen));
  }

  #frames({ id, added }: ReturnType<InferChannels['marks']>, data: Uint8Array): Buffer[] {
    this.sent++;
    return [...(added ? [channelFrame(added)] : []), programMessage(id, data)];
  }
}
