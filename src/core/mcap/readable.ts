import { HoldfastError } from '../errors.js';
import type { FileHandle } from '../file-system.js';

/** Random access to the bytes of one MCAP in any place. Compatible with `@mcap/core`'s IReadable. */
export interface Readable {
  size(): Promise<bigint>;
  /** Exactly `size` bytes from `offset`; the result is not changed afterwards. */
  read(offset: bigint, size: bigint): Promise<Uint8Array>;
}

/** Limits of the memory that a reader uses for one thing, even if a length field claims more. */
export interface McapLimits {
  /** A chunk, both compressed and decompressed. Default 256 MiB. */
  readonly maxChunkBytes: number;
  /** Any other record, and a message outside of a chunk. Default 64 MiB. */
  readonly maxRecordBytes: number;
  /** The summary section with all its indexes. Default 256 MiB. */
  readonly maxSummaryBytes: number;
}

const MIB = 1024 * 1024;

export const defaultMcapLimits: McapLimits = {
  maxChunkBytes: 256 * MIB,
  maxRecordBytes: 64 * MIB,
  maxSummaryBytes: 256 * MIB,
};

/** Number of bytes per read when records are read in sequence. */
export const READ_AHEAD_BYTES = MIB;

/** The bytes of an open file. The caller closes the handle. */
export function handleReadable(handle: FileHandle, name: string): Readable {
  return {
    async size() {
      return BigInt((await handle.stat()).size);
    },
    async read(offset, size) {
      const bytes = Buffer.allocUnsafeSlow(Number(size));
      for (let at = 0; at < bytes.byteLength;) {
        const { bytesRead } = await handle.read(bytes, at, bytes.byteLength - at, Number(offset) + at);
        if (bytesRead === 0) throw shortRead(name, offset, size, at);
        at += bytesRead;
      }
      return bytes;
    },
  };
}

/** Bytes that are already in memory. */
export function bytesReadable(bytes: Uint8Array, name = 'memory'): Readable {
  return {
    size: () => Promise.resolve(BigInt(bytes.byteLength)),
    read(offset, size) {
      const part = bytes.subarray(Number(offset), Number(offset + size));
      if (BigInt(part.byteLength) === size) return Promise.resolve(part);
      return Promise.reject(shortRead(name, offset, size, part.byteLength));
    },
  };
}

/** The error for a read that returned fewer bytes than the size of the file promises. */
export function shortRead(name: string, offset: bigint, wanted: bigint, got: number): HoldfastError {
  return new HoldfastError(
    'MCAP_UNREADABLE',
    `${name}: ${got} of ${wanted} bytes at ${offset}: it became shorter`,
    {
      facts: { name, offset: String(offset), wanted: String(wanted), got },
    },
  );
}

/**
 * Refuses a range outside of the file, or one larger than `maxBytes` (a wrong length field must not cause an
 * allocation).
 */
export function boundedReadable(readable: Readable, name: string, maxBytes: number): Readable {
  let total: bigint | undefined;
  const size = async (): Promise<bigint> => (total ??= await readable.size());
  return {
    size,
    async read(offset, wanted) {
      const end = await size();
      if (offset < 0n || wanted < 0n || offset + wanted > end) {
        throw new HoldfastError(
          'MCAP_UNREADABLE',
          `${name}: bytes ${offset} to ${offset + wanted} are not in a file of ${end} bytes`,
          { facts: { name, offset: String(offset), wanted: String(wanted), size: String(end) } },
        );
      }
      if (wanted > BigInt(maxBytes)) {
        throw new HoldfastError(
          'MCAP_UNREADABLE',
          `${name}: a part of ${wanted} bytes at ${offset}, allowed: ${maxBytes}`,
          { facts: { name, offset: String(offset), wanted: String(wanted), maxBytes } },
        );
      }
      return readable.read(offset, wanted);
    },
  };
}

/**
 * Reads ahead, so that many small reads in ascending order become few large ones. It holds one window of
 * `windowBytes`; larger reads bypass it.
 */
export function readAhead(readable: Readable, windowBytes: number = READ_AHEAD_BYTES): Readable {
  let start = 0n;
  let window: Uint8Array = new Uint8Array(0);
  return {
    size: () => readable.size(),
    async read(offset, wanted) {
      const from = offset - start;
      if (from >= 0n && from + wanted <= BigInt(window.byteLength)) {
        return window.subarray(Number(from), Number(from + wanted));
      }
      if (wanted >= BigInt(windowBytes)) return readable.read(offset, wanted);
      const rest = (await readable.size()) - offset;
      const amount = rest < BigInt(windowBytes) ? rest : BigInt(windowBytes);
      if (amount < wanted) return readable.read(offset, wanted);
      const fresh = await readable.read(offset, amount);
      start = offset;
      window = fresh;
      return fresh.subarray(0, Number(wanted));
    },
  };
}
