import { join } from 'node:path';
import { systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

const PROBE_BYTES = 1024 * 1024;

/** How `strerror` ends LevelDB's message; its errors carry no code, and nothing else of the cause. */
const LEVEL_TEXTS: readonly (readonly [text: string, code: string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Read-only file system', 'EROFS'],
];

/**
 * The system code behind a failed write: the error's own; else by LevelDB's text; else what the disk answers
 * to a small write now, which may differ when space came free meanwhile. Undefined where none says.
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

/** The code with which the disk refuses a small durable file, or undefined when it takes it. */
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
