import type { RawImage } from '../../core/ros/image-message.js';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { checkSize } from './raw-image.js';

/** Makes a JPEG of 8-bit pixels: width times height times red, green, blue and alpha, which is ignored. */
type EncodeJpeg = (
  image: { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number },
  options: Readonly<Record<string, number | boolean>>,
) => Promise<ArrayBuffer>;

/** The types of Node.js lack this global. */
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: { compile(bytes: Uint8Array): Promise<object> };
};
/** A side of a JPEG. */
const SIDE_MAX = 65_535;
/** Colour spaces of MozJPEG. */
const GREY = 1;
const YCBCR = 3;

/** Places of red, green and blue in a pixel. */
const forms: ReadonlyMap<string, { readonly pixelBytes: number; readonly places: readonly number[] }> =
  new Map([
    ['rgb8', { pixelBytes: 3, places: [0, 1, 2] }],
    ['bgr8', { pixelBytes: 3, places: [2, 1, 0] }],
    ['rgba8', { pixelBytes: 4, places: [0, 1, 2] }],
    ['bgra8', { pixelBytes: 4, places: [2, 1, 0] }],
    ['mono8', { pixelBytes: 1, places: [0, 0, 0] }],
    ['8UC1', { pixelBytes: 1, places: [0, 0, 0] }],
    ['8UC3', { pixelBytes: 3, places: [2, 1, 0] }],
  ]);

/**
 * MozJPEG as WebAssembly: native code in a thread that is terminated could end the process. It is loaded at the first
 * image.
 */
export class JpegEncoder {
  #encode: EncodeJpeg | undefined;

  /** Throws an Error for other encodings and for sizes that do not fit. */
  async encode(image: RawImage, quality: number): Promise<Uint8Array> {
    const form = forms.get(image.encoding);
    if (!form) {
      throw new Error(`images of "${image.encoding}" have no JPEG; allowed: ${[...forms.keys()].join(', ')}`);
    }
    const { width, height } = image;
    if (width < 1 || height < 1 || Math.max(width, height) > SIDE_MAX) {
      throw new Error(
        `an image of ${width} x ${height} pixels has no JPEG; allowed: 1 to ${SIDE_MAX} a side`,
      );
    }
    checkSize(image, form.pixelBytes);
    this.#encode ??= await load();
    const options = {
      ...{ quality, baseline: true, progressive: false, optimize_coding: true },
      color_space: form.pixelBytes === 1 ? GREY : YCBCR,
    };
    const data = rgba(image, form.pixelBytes, form.places);
    return new Uint8Array(await this.#encode({ data, width, height }, options));
  }
}

async function load(): Promise<EncodeJpeg> {
  const { default: encode, init } = (await import('@jsquash/jpeg/encode.js')) as {
    readonly default: EncodeJpeg;
    readonly init: (module: object) => Promise<void>;
  };
  const path = createRequire(import.meta.url).resolve('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm');
  await init(await wasm.compile(await readFile(path)));
  return encode;
}

function rgba(
  { width, height, step, data }: RawImage,
  pixelBytes: number,
  [red = 0, green = 0, blue = 0]: readonly number[],
): Uint8ClampedArray {
  const pixels = new Uint8ClampedArray(width * height * 4);
  let to = 0;
  for (let y = 0; y < height; y++) {
    let from = y * step;
    for (let x = 0; x < width; x++, from += pixelBytes, to += 4) {
      pixels[to] = data[from + red]!;
      pixels[to + 1] = data[from + green]!;
      pixels[to + 2] = data[from + blue]!;
      pixels[to + 3] = 0xff;
    }
  }
  return pixels;
}
