import { createRequire } from 'node:module';
import { HoldfastError } from '../errors.js';

/** Turns the compressed records of a chunk into `size` bytes; rejects where they are not that. */
export type Decompress = (data: Uint8Array, size: number) => Promise<Uint8Array>;

/** By the chunk's `compression`; the empty string is not in here. */
export type Decompressors = ReadonlyMap<string, Decompress>;

let loading: Promise<Decompressors> | undefined;

/** The decompressors of MCAP's two compressions. WebAssembly is loaded once, when it is first needed. */
export function loadDecompressors(): Promise<Decompressors> {
  return (loading ??= load());
}

async function load(): Promise<Decompressors> {
  const zstd = await import('@foxglove/wasm-zstd');
  await zstd.isLoaded;
  return new Map<string, Decompress>([
    [
      'zstd',
      async (data, size) => (size === 0 ? new Uint8Array(0) : zstd.decompress(checkZstd(data, size), size)),
    ],
    ['lz4', async (data, size) => (size === 0 ? new Uint8Array(0) : decompressLz4(data, size))],
  ]);
}

type Lz4 = ((data: Uint8Array, size: number) => Uint8Array) & { readonly isLoaded: Promise<unknown> };

const require = createRequire(import.meta.url);
let lz4Module: Lz4 | undefined;

/**
 * The library keeps one decompression context for ever, and never resets it: after one damaged frame it
 * refuses every good one. So a failure costs a new instance.
 */
async function decompressLz4(data: Uint8Array, size: number): Promise<Uint8Array> {
  const lz4 = (lz4Module ??= require('@foxglove/wasm-lz4') as Lz4);
  await lz4.isLoaded;
  try {
    const decoded = lz4(data, size);
    if (decoded.byteLength !== size) forgetLz4();
    return decoded;
  } catch (error) {
    forgetLz4();
    throw error;
  }
}

function forgetLz4(): void {
  lz4Module = undefined;
  for (const name of Object.keys(require.cache)) {
    if (name.includes('@foxglove/wasm-lz4/')) delete require.cache[name];
  }
}

const ZSTD_MAGIC = 0xfd2fb528;
const FRAME_CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;

/**
 * A frame says its own size in most cases (RFC 8878, 3.1.1.1.1). Compared before anything is allocated, so
 * that a lying chunk header costs nothing.
 */
function checkZstd(data: Uint8Array, size: number): Uint8Array {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.byteLength < 6 || view.getUint32(0, true) !== ZSTD_MAGIC) throw new Error('not a zstd frame');
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const flag = (descriptor >> 6) as 0 | 1 | 2 | 3;
  const width = flag === 0 && singleSegment ? 1 : FRAME_CONTENT_SIZE_BYTES[flag];
  if (width === 0) return data;
  const at = 5 + (singleSegment ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  if (at + width > data.byteLength) throw new Error('cut zstd frame header');
  const content =
    width === 1
      ? BigInt(view.getUint8(at))
      : width === 2
        ? BigInt(view.getUint16(at, true)) + 256n
        : width === 4
          ? BigInt(view.getUint32(at, true))
          : view.getBigUint64(at, true);
  if (content !== BigInt(size)) throw new Error(`a zstd frame of ${content} bytes, announced as ${size}`);
  return data;
}

/** The error of a compression nobody here knows. */
export function unknownCompression(name: string, compression: string): HoldfastError {
  return new HoldfastError(
    'MCAP_UNREADABLE',
    `${name}: compression "${compression}" is unknown, allowed: none, zstd, lz4`,
    { facts: { name, compression } },
  );
}
