import type { RawImage } from '../../core/ros/image-message.js';
import { encodePng, type Pixels } from './encode-png.js';

/** An image as a file: its extension, its bytes, and the facts known without decoding it. */
export interface ImageFile {
  readonly extension: 'png' | 'jpg' | 'webp';
  readonly bytes: Uint8Array;
  readonly encoding: string;
  /** Pixels; absent for compressed images. */
  readonly width?: number;
  readonly height?: number;
}

/** The message types that are images. */
export const imageTypes: ReadonlySet<string> = new Set([
  'sensor_msgs/msg/Image',
  'sensor_msgs/msg/CompressedImage',
]);

/** Maximum size of an image that becomes a PNG. */
export const IMAGE_MAX_BYTES = 256 * 1024 * 1024;

/**
 * A decoded sensor_msgs Image or CompressedImage as a file: compressed data unchanged, pixels as PNG. Returns
 * a text with the reason if that is not possible.
 */
export async function imageFile(type: string, value: unknown): Promise<ImageFile | string> {
  return type === 'sensor_msgs/msg/Image' ? rawImage(value) : compressedImage(value);
}

async function rawImage(value: unknown): Promise<ImageFile | string> {
  const { width, height, encoding } = value as RawImage;
  const pixels = pixelsOf(value as RawImage);
  if (typeof pixels === 'string') return pixels;
  return { extension: 'png', bytes: await encodePng(pixels), encoding, width, height };
}

interface PixelForm {
  readonly channels: 1 | 3 | 4;
  readonly bits: 8 | 16;
  /** Blue comes first; PNG has red first. */
  readonly isBlueFirst?: boolean;
}

/** The encodings of sensor_msgs/image_encodings.hpp that PNG supports; a Bayer pattern stays one, in grey. */
function formOf(encoding: string): PixelForm | undefined {
  const colour = /^(rgb|bgr|rgba|bgra)(8|16)$/.exec(encoding);
  if (colour) {
    const [, order = '', bits] = colour;
    return {
      channels: order.length === 4 ? 4 : 3,
      bits: bits === '8' ? 8 : 16,
      isBlueFirst: order.startsWith('bgr'),
    };
  }
  const grey = /^(?:mono|bayer_[a-z]{4})(8|16)$/.exec(encoding) ?? /^(8|16)UC1$/.exec(encoding);
  if (grey) return { channels: 1, bits: grey[1] === '8' ? 8 : 16 };
  // In OpenCV's order of colours.
  const openCv = /^(8|16)UC([34])$/.exec(encoding);
  if (!openCv) return undefined;
  return { channels: openCv[2] === '3' ? 3 : 4, bits: openCv[1] === '8' ? 8 : 16, isBlueFirst: true };
}

function pixelsOf({ width, height, encoding, is_bigendian, step, data }: RawImage): Pixels | string {
  const form = formOf(encoding);
  if (form === undefined) return `PNG has no pixels for the encoding "${encoding}"`;
  const { channels, bits, isBlueFirst = false } = form;
  const rowBytes = (width * channels * bits) / 8;
  if (width === 0 || height === 0) return 'the image has no pixels';
  if (step < rowBytes || data.byteLength < step * (height - 1) + rowBytes) {
    return `${data.byteLength} bytes are too few for ${width} x ${height} pixels of "${encoding}"`;
  }
  if (rowBytes * height > IMAGE_MAX_BYTES) return `the image is larger than ${IMAGE_MAX_BYTES} bytes`;
  const pixels = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) pixels.set(data.subarray(y * step, y * step + rowBytes), y * rowBytes);
  if (bits === 16 && is_bigendian === 0) Buffer.from(pixels.buffer).swap16();
  if (isBlueFirst) swapRedAndBlue(pixels, channels, bits / 8);
  return { width, height, channels, bits, data: pixels };
}

function swapRedAndBlue(pixels: Uint8Array, channels: number, sampleBytes: number): void {
  const pixelBytes = channels * sampleBytes;
  for (let at = 0; at < pixels.length; at += pixelBytes) {
    for (let i = 0; i < sampleBytes; i++) {
      const blue = pixels[at + i]!;
      pixels[at + i] = pixels[at + 2 * sampleBytes + i]!;
      pixels[at + 2 * sampleBytes + i] = blue;
    }
  }
}

/** compressed_depth_image_transport puts its parameters before the PNG. */
const DEPTH_HEAD_BYTES = 12;

function compressedImage(value: unknown): ImageFile | string {
  const { format: encoding, data } = value as { readonly format: string; readonly data: Uint8Array };
  for (const bytes of [data, data.subarray(DEPTH_HEAD_BYTES)]) {
    const extension = extensionOf(bytes);
    if (extension !== undefined) return { extension, bytes, encoding };
  }
  return `its bytes are no JPEG, PNG or WebP (format "${encoding.slice(0, 60)}")`;
}

/** By the first bytes, because `format` has many spellings. */
function extensionOf(bytes: Uint8Array): ImageFile['extension'] | undefined {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(12, bytes.byteLength)).toString('latin1');
  if (head.startsWith('\xff\xd8')) return 'jpg';
  if (head.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  return head.startsWith('RIFF') && head.slice(8) === 'WEBP' ? 'webp' : undefined;
}
