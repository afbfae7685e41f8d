/** First four bytes of a zstd frame (RFC 8878), little-endian. */
export const ZSTD_MAGIC = 0xfd2fb528;
/** First four bytes of an LZ4 frame, little-endian. */
const LZ4_MAGIC = 0x184d2204;
/** Both formats have sixteen magics for frames with other data; readers skip them by their length. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** One compressed frame. */
export interface Frame {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** Decompressed size in bytes, if the frame states it. */
  readonly content: number | undefined;
  /** Maximum decompressed size in bytes. */
  readonly bound: number;
}

/**
 * The zstd frames at the start of `data`. Both formats allow several consecutive frames, which form one
 * content. Bytes after the last frame are padding. Throws an Error if there is no whole frame.
 */
export function zstdFrames(data: Uint8Array): Frame[] {
  return frames(data, 'zstd', ZSTD_MAGIC, zstdFrame);
}

/** The LZ4 frames at the start of `data`; see {@link zstdFrames}. */
export function lz4Frames(data: Uint8Array): Frame[] {
  return frames(data, 'LZ4', LZ4_MAGIC, lz4Frame);
}

function frames(
  data: Uint8Array,
  name: string,
  magic: number,
  parse: (view: DataView, from: number) => Frame,
): Frame[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const found: Frame[] = [];
  for (let at = 0; at + 4 <= data.byteLength;) {
    const word = view.getUint32(at, true);
    if ((word & 0xfffffff0) >>> 0 === SKIPPABLE_MAGIC && at + 8 <= data.byteLength) {
      at += 8 + view.getUint32(at + 4, true);
      continue;
    }
    if (word !== magic) break;
    let frame: Frame;
    try {
      frame = parse(view, at);
    } catch (error) {
      if (error instanceof RangeError) throw new Error(`a cut ${name} frame`, { cause: error });
      throw error;
    }
    if (frame.to > data.byteLength) throw new Error(`a cut ${name} frame`);
    found.push(frame);
    at = frame.to;
  }
  if (found.length === 0) throw new Error(`not a ${name} frame`);
  return found;
}

const ZSTD_SIZE_BYTES = [0, 2, 4, 8] as const;
const ZSTD_DICTIONARY_BYTES = [0, 1, 2, 4] as const;
const ZSTD_BLOCK_MAX_BYTES = 128 * 1024;

/** RFC 8878, 3.1.1. */
function zstdFrame(view: DataView, from: number): Frame {
  const descriptor = view.getUint8(from + 4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const flag = (descriptor >> 6) as 0 | 1 | 2 | 3;
  const width = flag === 0 && isSingleSegment ? 1 : ZSTD_SIZE_BYTES[flag];
  let at = from + 5 + (isSingleSegment ? 0 : 1) + ZSTD_DICTIONARY_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  const content = zstdContent(view, at, width);
  at += width;
  let bound = 0;
  for (let isLast = false; !isLast;) {
    const header = view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
    isLast = (header & 1) === 1;
    const kind = (header >> 1) & 3;
    const size = header >> 3;
    if (kind === 3) throw new Error('a zstd block of a reserved kind');
    at += 3 + (kind === 1 ? 1 : size);
    bound += kind === 2 ? ZSTD_BLOCK_MAX_BYTES : size;
  }
  const hasChecksum = (descriptor & 4) !== 0;
  return { from, to: at + (hasChecksum ? 4 : 0), content, bound };
}

function zstdContent(view: DataView, at: number, width: number): number | undefined {
  switch (width) {
    case 0:
      return undefined;
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}

/** The LZ4 frame format, version 1.6. */
function lz4Frame(view: DataView, from: number): Frame {
  const flags = view.getUint8(from + 4);
  const hasBlockChecksum = (flags & 0x10) !== 0;
  const hasContentSize = (flags & 0x08) !== 0;
  const hasContentChecksum = (flags & 0x04) !== 0;
  const hasDictionary = (flags & 0x01) !== 0;
  const blockMax = 4 ** (((view.getUint8(from + 5) >> 4) & 7) + 4);
  const content = hasContentSize ? Number(view.getBigUint64(from + 6, true)) : undefined;
  let at = from + 6 + (hasContentSize ? 8 : 0) + (hasDictionary ? 4 : 0) + 1;
  let bound = 0;
  for (let size = view.getUint32(at, true); size !== 0; size = view.getUint32(at, true)) {
    at += 4 + (size & 0x7fffffff) + (hasBlockChecksum ? 4 : 0);
    bound += blockMax;
  }
  return { from, to: at + 4 + (hasContentChecksum ? 4 : 0), content, bound };
}
