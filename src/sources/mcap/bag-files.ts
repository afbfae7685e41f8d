import { basename, isAbsolute, join } from 'node:path';
import { parse } from 'yaml';
import { defined } from '../../core/defined.js';
import { describeError, HoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { unixLines } from '../../core/line-ends.js';
import type { Logger } from '../../core/logger.js';

/** Maximum size of a metadata.yaml. */
const METADATA_MAX_BYTES = 64 * 1024 * 1024;

/**
 * The MCAP files of `path` in reading order. For a file, the file itself. For a rosbag2 folder, the files in
 * the order of its metadata.yaml, then any other `*.mcap` of the folder by name (a killed recorder does not
 * list them). Throws `SOURCE_UNREADABLE`.
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
  const chosen = await listedFiles(fs, path, names, logger);
  const others = names.filter((name) => !chosen.includes(name));
  if (chosen.length > 0 && others.length > 0) {
    logger.warn('also reading files that metadata.yaml does not list', { path, files: others.slice(0, 20) });
  }
  const all = [...chosen, ...others].map((name) => join(path, name));
  if (all.length === 0) throw unreadable(path, 'the folder holds no *.mcap file');
  return all;
}

/**
 * `relative_file_paths` of metadata.yaml by their names in the folder; empty if the file is missing or
 * invalid.
 */
async function listedFiles(
  fs: FileSystem,
  folder: string,
  there: readonly string[],
  logger: Logger,
): Promise<string[]> {
  const path = join(folder, 'metadata.yaml');
  let information: unknown;
  try {
    if ((await fs.stat(path)).size > METADATA_MAX_BYTES) throw new Error('it is too large');
    const root: unknown = parse(unixLines(await fs.readFile(path, 'utf8')), { logLevel: 'silent' });
    information = (root as { rosbag2_bagfile_information?: unknown } | null)?.rosbag2_bagfile_information;
    if (typeof information !== 'object' || information === null) throw new Error('it describes no bag');
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      logger.warn('cannot parse metadata.yaml, reading files in name order', {
        path,
        reason: describeError(error),
      });
    }
    return [];
  }
  refuseCompression(folder, information);
  const { storage_identifier: storage, relative_file_paths: files } = information as BagInformation;
  const isOther = typeof storage === 'string' && storage !== '' && storage !== 'mcap';
  if (isOther && there.length === 0) {
    throw unreadable(folder, `it is a bag of storage "${storage}", allowed: mcap`);
  }
  if (isOther) logger.warn('metadata.yaml lists other files than those in the folder', { path, storage });
  const names = Array.isArray(files) ? files.filter((file): file is string => typeof file === 'string') : [];
  const present = names.map((name) => presentName(name, there));
  const chosen = [...new Set(present)].filter((name) => !isOther || name.endsWith('.mcap'));
  const compressed = chosen.find((name) => !name.endsWith('.mcap'));
  if (compressed !== undefined && there.length === 0) {
    throw unreadable(folder, `${compressed} is no *.mcap file (decompress file-compressed bags first)`);
  }
  return chosen;
}

interface BagInformation {
  readonly storage_identifier?: unknown;
  readonly relative_file_paths?: unknown;
  readonly compression_mode?: unknown;
  readonly compression_format?: unknown;
}

/**
 * Payloads that rosbag2 compressed with zstd are decompressed when they are read; other compressions are not
 * supported.
 */
function refuseCompression(folder: string, { compression_mode, compression_format }: BagInformation): void {
  if (
    typeof compression_mode !== 'string' ||
    compression_mode.toUpperCase() !== 'MESSAGE' ||
    compression_format === 'zstd'
  )
    return;
  const format = JSON.stringify(compression_format ?? '');
  const reason = `its messages are compressed with ${format}, allowed: zstd (convert it with ros2 bag convert first)`;
  throw unreadable(folder, reason);
}

/** The existing file for a name in metadata.yaml. */
function presentName(listed: string, there: readonly string[]): string {
  // A bag that was decompressed by hand, or by ros2 bag play, still lists its compressed files.
  const name = listed.endsWith('.mcap') ? listed : listed.replace(/\.[^./]+$/, '');
  const plain = basename(name);
  // Bags from before Foxy have the folder in the names of their files.
  if (there.includes(name)) return name;
  if (there.includes(plain)) return plain;
  // The author of a bag must not decide which other files of this machine are read.
  const leaves = isAbsolute(listed) || listed.split(/[\\/]/).includes('..');
  return leaves ? basename(listed) : listed;
}

/** The error for a path that cannot be a source. */
export function unreadable(path: string, reason: string, cause?: unknown): HoldfastError {
  return new HoldfastError('SOURCE_UNREADABLE', `source mcap:${path} cannot be read: ${reason}`, {
    ...defined({ cause }),
    facts: { path, reason },
  });
}
