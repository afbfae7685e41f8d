import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const PIECE_BYTES = 8 * 1024 * 1024;
const SECONDS = 2;

/** Bytes a second that plain appends to one file in `folder` reach, with an fdatasync after each 8 MiB. */
export async function appendBytesPerS(folder: string): Promise<number> {
  const path = join(folder, 'append-speed');
  const file = await open(path, 'wx');
  try {
    const piece = Buffer.alloc(PIECE_BYTES, 0xa5);
    const startedAt = performance.now();
    const seconds = (): number => (performance.now() - startedAt) / 1_000;
    let bytes = 0;
    while (seconds() < SECONDS) {
      bytes += (await file.write(piece)).bytesWritten;
      await file.datasync();
    }
    return bytes / seconds();
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}
