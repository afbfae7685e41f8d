import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { describeError, HoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';

/** Largest metadata.yaml that is read. */
const METADATA_MAX_BYTES = 64 * 1024 * 1024;

/**
 * The MCAP files `path` stands for, in the order they are to be read: the file itself; or those of a rosbag2
 * folder in the order of its metadata.yaml, then any other `*.mcap` in the folder by name (a recorder that
 * was killed leaves them out). Throws `SOURCE_UNREADABLE`.
 */
export async function bagFiles(fs: FileSystem, path: string, logger: Logger): Promise<string[]> {
  const stat = await fs.stat(path).catch((error: unknown) => {
    throw unreadable(
      path,
      systemCode(error) === 'ENOENT' ? 'no such file or folder' : describeError(error),
      error,
    );
  });
  if (!stat.isDirectory()) return [path];
  const names = (await fs.readdir(path)).filter((name) => name.endsWith('.mcap'));
  names.sort(new Intl.Collator('en', { numeric: true }).compare);
  const listed = await listedFiles(fs, path, logger);
  const chosen = listed.map((name) => {
    const plain = basename(name);
    // Bags written before Foxy name their files with the folder in front.
    return !names.includes(name) && names.includes(plain) ? plain : name;
  });
  const others = names.filter((name) => !chosen.includes(name));
  if (listed.length > 0 && others.length > 0) {
    logger.warn('files that metadata.yaml does not list are read too', { path, files: others.slice(0, 20) });
  }
  const all = [...chosen, ...others].map((name) => join(path, name));
  if (all.length === 0) throw unreadable(path, 'the folder holds no *.mcap file');
  return all;
}

/** `relative_file_paths` of metadata.yaml; empty where there is no such file or it cannot be understood. */
async function listedFiles(fs: FileSystem, folder: string, logger: Logger): Promise<string[]> {
  const path = join(folder, 'metadata.yaml');
  let information: unknown;
  try {
    if ((await fs.stat(path)).size > METADATA_MAX_BYTES) throw new Error('it is too large');
    const root: unknown = parse(await fs.readFile(path, 'utf8'), { logLevel: 'silent' });
    information = (root as { rosbag2_bagfile_information?: unknown } | null)?.rosbag2_bagfile_information;
    if (typeof information !== 'object' || information === null) throw new Error('it describes no bag');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      logger.warn('metadata.yaml cannot be understood, files are read by name', {
        path,
        reason: describeError(error),
      });
    }
    return [];
  }
  const { storage_identifier: storage, relative_file_paths: files } = information as Record<string, unknown>;
  if (storage !== undefined && storage !== 'mcap') {
    throw unreadable(folder, `it is a bag of storage "${String(storage)}", allowed: mcap`);
  }
  const names = Array.isArray(files) ? files.filter((file): file is string => typeof file === 'string') : [];
  const compressed = names.find((name) => !name.endsWith('.mcap'));
  if (compressed !== undefined) {
    throw unreadable(folder, `${compressed} is no *.mcap file (decompress file-compressed bags first)`);
  }
  return names;
}

/** The error of something that cannot be a source. */
export function unreadable(path: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('SOURCE_UNREADABLE', `source mcap:${path} cannot be read: ${reason}`, {
    ...(cause === undefined ? {} : { cause }),
    facts: { path, reason },
  });
}
