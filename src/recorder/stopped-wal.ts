import { join } from 'node:path';
import { dataFolder } from '../core/data-folder.js';
import { describeError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { isSegmentId } from '../core/segment-id.js';
import { storedKeyName } from '../encryption/stored-key.js';
import { KEY_FILE } from '../wal/segment-cipher.js';

/** What lies in `wal/` of a data folder whose recorder does not run. It is read without a key and without a lock. */
export interface StoppedWal {
  /** Segments that are not sealed. */
  readonly segments: number;
  /** Those of them that are not encrypted. */
  readonly unencrypted: number;
  /** Names of the keys that encrypt the others (`key:` and 16 hex digits), that of the newest segment first. */
  readonly atRestKeyNames: readonly string[];
  /** Segments of which this cannot be read, each with the reason; or `wal/` itself. */
  readonly problems: readonly string[];
}

/** Reads the names of the keys. Never rejects: what cannot be read is a problem. */
export async function readStoppedWal(
  fs: Pick<FileSystem, 'readdir' | 'readFile'>,
  data: string,
): Promise<StoppedWal> {
  const { wal } = dataFolder(data);
  const problems: string[] = [];
  const ids = await fs.readdir(wal).catch((error: unknown) => {
    if (systemCode(error) !== 'ENOENT') problems.push(`wal: ${describeError(error)}`);
    return [];
  });
  const newestFirst = ids.filter(isSegmentId).sort().reverse();
  const names = new Set<string>();
  let unencrypted = 0;
  for (const id of newestFirst) {
    try {
      names.add(storedKeyName(await fs.readFile(join(wal, id, KEY_FILE)), `segment ${id} in wal/`));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') unencrypted++;
      else problems.push(`segment ${id}: ${describeError(error)}`);
    }
  }
  return { segments: newestFirst.length, unencrypted, atRestKeyNames: [...names], problems };
}
