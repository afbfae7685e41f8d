import type { FileSystem } from '../../core/file-system.js';
import { exportSource, readExportManifest } from './export-folder.js';
import { lakeSource, parquetFiles } from './parquet-folder.js';
import type { NameFilter, QuerySource } from './query-source.js';

/**
 * A folder that is read directly: an export made with `--format parquet`, or a folder of Parquet files.
 * Undefined for everything else, which is a recording or invalid.
 */
export async function openTables(
  fs: FileSystem,
  from: string,
  filter: NameFilter,
  signal: AbortSignal,
): Promise<QuerySource | undefined> {
  const folder = from.startsWith('dir:') ? from.slice('dir:'.length) : from;
  if (/^[a-z0-9]+:/i.test(folder)) return undefined;
  const manifest = await readExportManifest(fs, folder);
  if (manifest !== undefined) return exportSource(folder, manifest, filter);
  if (await holdsRecordings(fs, folder)) return undefined;
  const paths = await parquetFiles(fs, folder, signal);
  return paths.length === 0 ? undefined : lakeSource(folder, paths, filter);
}

/** A data folder counts as one, even with exports in it. */
async function holdsRecordings(fs: FileSystem, folder: string): Promise<boolean> {
  const names = await fs.readdir(folder).catch(() => []);
  return names.some((name) => name === 'sealed' || name === 'wal' || name.endsWith('.mcap'));
}
