import { resolve } from 'node:path';
import { writeFileDurably } from '../../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';

/** Writes the page completely or not at all. An earlier one of that name is replaced. */
export async function writePage(fs: FileSystem, path: string, page: string): Promise<void> {
  const output = resolve(path);
  try {
    await writeFileDurably(fs, output, page);
  } catch (cause) {
    await fs.rm(`${output}.tmp`, { force: true }).catch(() => undefined);
    const code = systemCode(cause);
    if (isHoldfastError(cause) || code === undefined) throw cause;
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    throw new HoldfastError(
      isFull ? 'DISK_FULL' : 'OUTPUT_UNUSABLE',
      `${output} cannot be written: ${describeError(cause)}`,
      { cause, facts: { output } },
    );
  }
}
