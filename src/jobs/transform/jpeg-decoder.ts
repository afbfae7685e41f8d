import type { ImageHeader, RawImage } from '../../core/ros/image-message.js';
import { wasmModule } from './wasm-module.js';

type DecodeJpeg = (jpeg: ArrayBuffer) => Promise<{
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;
}>;

/** MozJPEG as WebAssembly. It is loaded at the first image. */
export class JpegDecoder {
  #decode: DecodeJpeg | undefined;

  /** The pixels as `rgba8`. Throws an Error for what is no JPEG. */
  async decode(header: ImageHeader, jpeg: Uint8Array): Promise<RawImage> {
    if (jpeg[0] !== 0xff || jpeg[1] !== 0xd8) throw new Error('a compressed image is not a JPEG');
    this.#decode ??= await load();
    const { data, width, height } = await this.#decode(Uint8Array.from(jpeg).buffer);
    const pixels = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return { header, height, width, encoding: 'rgba8', is_bigendian: 0, step: 4 * width, data: pixels };
  }
}

async function load(): Promise<DecodeJpeg> {
  const { default: decode, init } = (await import('@jsquash/jpeg/decode.js')) as unknown as {
    readonly default: DecodeJpeg;
    readonly init: (module: object) => Promise<void>;
  };
  await init(await wasmModule('@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm'));
  return decode;
}
