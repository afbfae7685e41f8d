import { join } from 'node:path';
import { systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';

const PROBE_BYTES = 1024 * 1024;

/**
 * The system code with which the disk refuses a small durable file, or undefined when it takes it. LevelDB
 * reports a failed write as text without a code; asking the disk the same question gives one, also for
 * what `statfs` does not show (user quotas, read-only mounts).
 */
export async function probeDisk(fs: FileSystem, folder: string): Promise<string | undefined> {
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
