import { join } from 'node:path';
import { systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

const PROBE_BYTES = 1024 * 1024;

/**
 * Endings of LevelDB's messages, from `strerror`. LevelDB's errors have no code and no other information
 * about the cause.
 */
const LEVEL_TEXTS: readonly (readonly [text: string, code: string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
];

/**
 * The system code behind a failed write: the error's own, otherwise the one in LevelDB's text, otherwise the
 * result of a small write now (which may differ if space was freed meanwhile). Undefined if none of them has
 * a code.
 */
export async function writeFailureCode(
  fs: FileSystem,
  folder: string,
  error: unknown,
): Promise<string | undefined> {
  const code = systemCode(error) ?? levelCode(error);
  return code ?? (await probeDisk(fs, folder));
}

function levelCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { code, message } = at as NodeJS.ErrnoException;
    if (code === 'LEVEL_IO_ERROR') return LEVEL_TEXTS.find(([text]) => message.endsWith(text))?.[1];
  }
  return undefined;
}

/** The code with which the disk refuses a small durable file; undefined if it accepts the file. */
async function probeDisk(fs: FileSystem, folder: string): Promise<string | undefined> {
  const path = join(folder, 'probe');
  try {
    const handle = await fs.open(path, 'w');
    try {
      await handle.writeFile(Buffer.alloc(PROBE_BYTES));
      await handle.datasync();
    } finally {
      await handle.close();
    }
    return undefined;
  } catch (error) {
    return systemCode(error);
  } finally {
    await fs.rm(path, { force: true }).catch(() => undefined);
  }
}
