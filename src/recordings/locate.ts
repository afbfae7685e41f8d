import { join } from 'node:path';
import { dataFolder, type DataFolder } from '../core/data-folder.js';
import { describeError, HoldfastError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import type { Store } from '../core/store.js';
import { isStoreUri } from '../core/store-uri.js';
import { bagFiles } from '../sources/mcap/bag-files.js';

/** The kind of a `--from` argument. The caller disposes of stores. */
export type Located =
  | { readonly kind: 'data'; readonly folder: DataFolder }
  | { readonly kind: 'store'; readonly store: Store }
  | { readonly kind: 'mcap'; readonly path: string; readonly files: readonly string[] };

export interface LocatePorts {
  readonly fs: FileSystem;
  readonly logger: Logger;
  /** Opens the store a URI names. */
  readonly openStore: (uri: string) => Promise<Store>;
}

/**
 * Finds out what `from` is. A store's URI is a store; a file is an MCAP. A folder with `sealed/`
 * or `wal/` is a data folder; a folder with `.holdfast/store-id` is a store; any other folder with MCAP
 * files, or `mcap:PATH`, is a recording. Throws `SOURCE_UNREADABLE` for anything else.
 */
export async function locate(from: string, { fs, logger, openStore }: LocatePorts): Promise<Located> {
  if (isStoreUri(from)) return { kind: 'store', store: await openStore(from) };
  if (from.startsWith('mcap:')) return recording(fs, logger, from.slice('mcap:'.length));
  const kind = await kindOf(fs, from);
  if (kind === 'folder') {
    if ((await isFolder(fs, join(from, 'sealed'))) || (await isFolder(fs, join(from, 'wal')))) {
      return { kind: 'data', folder: dataFolder(from) };
    }
    if ((await kindOf(fs, join(from, '.holdfast', 'store-id'))) === 'file') {
      return { kind: 'store', store: await openStore(`dir:${from}`) };
    }
  }
  return recording(fs, logger, from);
}

async function recording(fs: FileSystem, logger: Logger, path: string): Promise<Located> {
  try {
    return { kind: 'mcap', path, files: await bagFiles(fs, path, logger) };
  } catch (cause) {
    const kinds = 'a data folder, a store, an MCAP file or a folder with MCAP files';
    // For a missing path, the cause would only repeat the message.
    if ((await kindOf(fs, path)) === undefined) {
      throw new HoldfastError('SOURCE_UNREADABLE', `${path} does not exist: give ${kinds}`, {
        facts: { path },
      });
    }
    throw new HoldfastError('SOURCE_UNREADABLE', `${path} is not ${kinds}: ${describeError(cause)}`, {
      cause,
      facts: { path },
    });
  }
}

async function isFolder(fs: FileSystem, path: string): Promise<boolean> {
  return (await kindOf(fs, path)) === 'folder';
}

async function kindOf(fs: FileSystem, path: string): Promise<'file' | 'folder' | undefined> {
  try {
    return (await fs.stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new HoldfastError('SOURCE_UNREADABLE', `${path} cannot be looked at: ${describeError(error)}`, {
      cause: error,
      facts: { path },
    });
  }
}
