import type { CdrWriter } from '../../core/ros/cdr-writer.js';
import type { ImageHeader, RawImage } from '../../core/ros/image-message.js';
import type { ImageRegion } from '../../core/transform/image-rule.js';

/** Bytes of a pixel, and of alpha at its end. */
interface PixelForm {
  readonly pixelBytes: number;
  readonly alphaBytes: number;
}

/** The encodings of sensor_msgs/image_encodings.hpp in which zeros are black. */
const blackIsZero: ReadonlyMap<string, PixelForm> = new Map<string, PixelForm>([
  ...['mono8', '8UC1', '8SC1', 'bayer_rggb8', 'bayer_bggr8', 'bayer_gbrg8', 'bayer_grbg8'].map(plain(1)),
  ...['mono16', '16UC1', '16SC1', '8UC2'].map(plain(2)),
  ...['rgb8', 'bgr8', '8UC3'].map(plain(3)),
  ...['32FC1', '32SC1'].map(plain(4)),
  ...['rgb16', 'bgr16', '16UC3'].map(plain(6)),
  ...['rgba8', 'bgra8'].map((name) => [name, { pixelBytes: 4, alphaBytes: 1 }] as const),
  ...['rgba16', 'bgra16'].map((name) => [name, { pixelBytes: 8, alphaBytes: 2 }] as const),
]);

function plain(pixelBytes: number): (name: string) => readonly [string, PixelForm] {
  return (name) => [name, { pixelBytes, alphaBytes: 0 }];
}

/** Throws an Error with the size if the data does not have all pixels. */
export function checkSize({ width, height, step, data, encoding }: RawImage, pixelBytes: number): void {
  if (step < width * pixelBytes || data.byteLength < step * (height - 1) + width * pixelBytes) {
    throw new Error(
      `${data.byteLength} bytes in rows of ${step} are not ${width} x ${height} pixels of "${encoding}"`,
    );
  }
}

/** The image with black regions; alpha is opaque there. Throws an Error for encodings in which zeros are not black. */
export function blanked(image: RawImage, regions: readonly ImageRegion[]): RawImage {
  const form = blackIsZero.get(image.encoding);
  if (!form) {
    const allowed = [...blackIsZero.keys()].join(', ');
    throw new Error(`images of "${image.encoding}" have no regions to blank; allowed: ${allowed}`);
  }
  const { pixelBytes, alphaBytes } = form;
  checkSize(image, pixelBytes);
  const data = Uint8Array.from(image.data);
  for (const { x, y, width, height } of regions) {
    const [from, to] = [Math.min(x, image.width), Math.min(x + width, image.width)];
    for (let row = y; row < Math.min(y + height, image.height); row++) {
      const pixels = data.subarray(row * image.step + from * pixelBytes, row * image.step + to * pixelBytes);
      pixels.fill(0);
      if (alphaBytes === 0) continue;
      for (let at = pixelBytes - alphaBytes; at < pixels.length; at += pixelBytes) {
        pixels.fill(0xff, at, at + alphaBytes);
      }
    }
  }
  return { ...image, data };
}

/** The message, in plain CDR. */
export function encodeRawImage(writer: CdrWriter, image: RawImage): Uint8Array {
  return beginWithHeader(writer, image.header)
    .u32(image.height)
    .u32(image.width)
    .string(image.encoding)
    .u8(image.is_bigendian)
    .u32(image.step)
    .u8Sequence(image.data)
    .finish();
}

/** A sensor_msgs/msg/CompressedImage in plain CDR. */
export function encodeCompressedImage(
  writer: CdrWriter,
  header: ImageHeader,
  format: string,
  data: Uint8Array,
): Uint8Array {
  return beginWithHeader(writer, header).string(format).u8Sequence(data).finish();
}

function beginWithHeader(writer: CdrWriter, { stamp, frame_id: frame }: ImageHeader): CdrWriter {
  return writer
    .begin()
    .i32(stamp.sec)
    .u32(stamp.nanosec ?? stamp.nsec ?? 0)
    .string(frame);
}
