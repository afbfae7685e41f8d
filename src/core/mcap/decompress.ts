import { createRequire } from 'node:module';
import { HoldfastError } from '../errors.js';
import { lz4Frames, zstdFrames, type Frame } from './frames.js';
import { present } from '../present.js';

/** Decompresses the records of a chunk into `size` bytes; rejects if the result has another size. */
export type Decompress = (data: Uint8Array, size: number) => Promise<Uint8Array>;

/** Keyed by the chunk's `compression`; the empty string is not a key. */
export type Decompressors = ReadonlyMap<string, Decompress>;

let loading: Promise<Decompressors> | undefined;

/** The decompressors of MCAP's two compressions. WebAssembly is loaded once, at the first use. */
export function loadDecompressors(): Promise<Decompressors> {
  return (loading ??= load());
}

async function load(): Promise<Decompressors> {
  const zstd = await import('@foxglove/wasm-zstd');
  await zstd.isLoaded;
  zstdDecompress = (data, size) => zstd.decompress(data, size);
  return new Map<string, Decompress>([
    [
      'zstd',
      (data, size) =>
        new Promise((resolve) => {
          resolve(size === 0 ? new Uint8Array(0) : zstd.decompress(checkZstd(data, size), size));
        }),
    ],
    ['lz4', async (data, size) => (size === 0 ? new Uint8Array(0) : decompressLz4(data, size))],
  ]);
}

/** Decompresses zstd into at most `size` bytes. */
type Zstd = (data: Uint8Array, size: number) => Uint8Array;

let zstdDecompress: Zstd | undefined;

/** zstd for synchronous callers; `loadDecompressors` must have resolved. */
export function zstdLoaded(): Zstd {
  if (zstdDecompress === undefined) throw new Error('the decompressors are not loaded');
  return zstdDecompress;
}

type Lz4 = ((data: Uint8Array, size: number) => Uint8Array) & { readonly isLoaded: Promise<unknown> };

const require = createRequire(import.meta.url);
let lz4Module: Lz4 | undefined;

/**
 * The library keeps one decompression context and never resets it: after one damaged frame it refuses every
 * good one. So a failure replaces the instance.
 */
async function decompressLz4(data: Uint8Array, size: number): Promise<Uint8Array> {
  const frames = lz4Frames(data);
  checkSize('LZ4', frames, size);
  const parts: Uint8Array[] = [];
  let left = size;
  for (const { from, to, content, bound } of frames) {
    // The library decompresses one frame at a time.
    const most = Math.min(left, content ?? bound);
    if (most === 0) continue;
    const exact = frames.length === 1 ? size : content;
    const part = await decompressLz4Frame(data.subarray(from, to), most, exact);
    parts.push(part);
    left -= part.byteLength;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

async function decompressLz4Frame(
  data: Uint8Array,
  most: number,
  exact: number | undefined,
): Promise<Uint8Array> {
  const lz4 = (lz4Module ??= require('@foxglove/wasm-lz4') as Lz4);
  await lz4.isLoaded;
  try {
    const decoded = lz4(data, most);
    if (exact !== undefined && decoded.byteLength !== exact) forgetLz4();
    return decoded;
  } catch (error) {
    forgetLz4();
    throw error;
  }
}

function forgetLz4(): void {
  lz4Module = undefined;
  for (const name of Object.keys(require.cache)) {
    if (name.includes('@foxglove/wasm-lz4/')) Reflect.deleteProperty(require.cache, name);
  }
}

/**
 * Frames usually state their size. It is compared before any allocation, so that a wrong chunk header costs
 * nothing. Padding after the last frame is left out.
 */
function checkZstd(data: Uint8Array, size: number): Uint8Array {
  const frames = zstdFrames(data);
  checkSize('zstd', frames, size);
  return data.subarray(0, present(frames.at(-1)).to);
}

function checkSize(name: string, frames: readonly Frame[], size: number): void {
  const least = frames.reduce((sum, { content = 0 }) => sum + content, 0);
  const most = frames.reduce((sum, { content, bound }) => sum + (content ?? bound), 0);
  if (least <= size && size <= most) return;
  const what = frames.length === 1 ? `a ${name} frame` : `${frames.length} ${name} frames`;
  throw new Error(`${what} of ${least === most ? '' : 'at most '}${most} bytes, announced as ${size}`);
}

/** The error for an unknown compression. */
export function unknownCompression(name: string, compression: string): HoldfastError {
  return new HoldfastError(
    'MCAP_UNREADABLE',
    `${name}: compression "${compression}" is unknown, allowed: none, zstd, lz4`,
    { facts: { name, compression } },
  );
}
