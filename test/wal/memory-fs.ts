import type { FileSystem } from '../../src/core/file-system.js';

/** One directory in memory, as far as reading a segment goes. */
export function directoryInMemory(files: ReadonlyMap<string, Buffer>): FileSystem {
  const nameOf = (path: string): string => path.split('/').at(-1) as string;
  const open = (path: string): Promise<unknown> => {
    const bytes = files.get(nameOf(path));
    if (!bytes) return Promise.reject(Object.assign(new Error(`no ${path}`), { code: 'ENOENT' }));
    return Promise.resolve({
      stat: () => Promise.resolve({ size: bytes.length }),
      read: (target: Uint8Array, offset: number, length: number, position: number) => {
        const bytesRead = bytes.copy(target, offset, position, Math.min(bytes.length, position + length));
        return Promise.resolve({ bytesRead, buffer: target });
      },
      close: () => Promise.resolve(),
    });
  };
  return { open, readdir: () => Promise.resolve([...files.keys()]) } as unknown as FileSystem;
}

export type Damage = (bytes: Buffer, offset: number) => Buffer;

/** What one byte can suffer. Which bit flips follows from the offset, so that all of them do. */
export const damages: Readonly<Record<string, Damage>> = {
  'a flipped bit': (bytes, offset) => {
    const copy = Buffer.from(bytes);
    copy[offset]! ^= 1 << (offset % 8);
    return copy;
  },
  'a missing byte': (bytes, offset) => Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + 1)]),
  'an added byte': (bytes, offset) =>
    Buffer.concat([bytes.subarray(0, offset), Buffer.of(0x5a), bytes.subarray(offset)]),
};
