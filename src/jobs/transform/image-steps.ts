import type { RawImage } from '../../core/ros/image-message.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { CdrWriter } from '../../core/ros/cdr-writer.js';
import { ros2Schema, typeHash } from '../../core/ros/schemas.js';
import type { ImageRegion, ImageRule } from '../../core/transform/image-rule.js';
import { MessageDecoder } from '../../recordings/message-decoder.js';
import { JpegEncoder } from './jpeg-encoder.js';
import { blanked, encodeCompressedImage, encodeRawImage } from './raw-image.js';

const IMAGE = 'sensor_msgs/msg/Image';
const COMPRESSED = 'sensor_msgs/CompressedImage';
/** As image_transport names the topic. */
const COMPRESSED_END = '/compressed';

/** Whether messages of a channel are images that can be read. */
export function holdsImages({ encoding, schema }: McapChannel): boolean {
  return encoding === 'cdr' && schema.encoding === 'ros2msg' && schema.name === IMAGE;
}

/** What the rules about images do to the messages of one segment. */
export class ImageSteps {
  readonly #decoder = new MessageDecoder();
  readonly #writer = new CdrWriter();
  readonly #jpeg = new JpegEncoder();
  readonly #compressed = new Map<McapChannel, McapChannel>();

  /** The payload with black regions. Throws an Error that says what does not fit. */
  blank(channel: McapChannel, data: Uint8Array, regions: readonly ImageRegion[]): Uint8Array {
    return encodeRawImage(this.#writer, blanked(this.#imageOf(channel, data), regions));
  }

  /** The message as a CompressedImage on a channel of its own. Throws an Error that says what does not fit. */
  async compress(message: McapMessage, rule: Extract<ImageRule, { kind: 'jpeg' }>): Promise<McapMessage> {
    let data: Uint8Array;
    try {
      const image = this.#imageOf(message.channel, message.data);
      const jpeg = await this.#jpeg.encode(image, rule.quality);
      // The format as compressed_image_transport writes it: of the pixels, and of what is in the JPEG.
      const inside = image.encoding === 'mono8' || image.encoding === '8UC1' ? '' : 'bgr8';
      const format = `${image.encoding}; jpeg compressed ${inside}`;
      data = encodeCompressedImage(this.#writer, image.header, format, jpeg);
    } catch (error) {
      if (rule.isLenient) return message;
      throw error;
    }
    return { ...message, channel: this.#compressedChannel(message.channel), data };
  }

  #imageOf(channel: McapChannel, data: Uint8Array): RawImage {
    const decoded = this.#decoder.decode(channel, data);
    if (!decoded.ok) throw new Error(`an image cannot be decoded: ${decoded.reason}`);
    return decoded.value as RawImage;
  }

  #compressedChannel(channel: McapChannel): McapChannel {
    let made = this.#compressed.get(channel);
    if (!made) {
      const topic = `${channel.topic}${COMPRESSED_END}`;
      const metadata = { ...channel.metadata, topic_type_hash: typeHash(COMPRESSED) };
      made = { ...channel, topic, metadata, schema: ros2Schema(COMPRESSED) };
      this.#compressed.set(channel, made);
    }
    return made;
  }
}
