import type { RawImage } from '../../core/ros/image-message.js';
import { byteForms } from './pixel-forms.js';
import { checkSize } from './raw-image.js';
import { wasmModule } from './wasm-module.js';

/** Makes a JPEG of 8-bit pixels: width times height times red, green, blue and alpha, which is ignored. */
type EncodeJpeg = (
  image: { readonly data: Uint8ClampedArray; readonly width: number; readonly height: number },
  options: Readonly<Record<string, number | boolean>>,
) => Promise<ArrayBuffer>;

/** A side of a JPEG. */
const SIDE_MAX = 65_535;
/** Colour spaces of MozJPEG. */
const GREY = 1;
const YCBCR = 3;

/**
 * MozJPEG as WebAssembly: native code in a thread that is terminated could end the process. It is loaded at the first
 * image.
 */
export class JpegEncoder {
  #encode: EncodeJpeg | undefined;

  /** Throws an Error for other encodings and for sizes that do not fit. */
  async encode(image: RawImage, quality: number): Promise<Uint8Array> {
    const form = byteForms.get(image.encoding);
    if (!form) {
      throw new Error(
        `images of "${image.encoding}" have no JPEG; allowed: ${[...byteForms.keys()].join(', ')}`,
      );
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
  await init(await wasmModule('@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm'));
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
