import type { FileSystem } from '../../core/file-system.js';
import { chooseFiles } from './chosen-files.js';
import { exportSource, readExportManifest } from './export-folder.js';
import { lakeOwners } from './lake-vehicles.js';
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
  if (manifest !== undefined) return await exportSource(folder, manifest, filter);
  if (await holdsRecordings(fs, folder)) return undefined;
  const paths = await parquetFiles(fs, folder, signal);
  if (paths.length === 0) return undefined;
  const choice = await chooseFiles(filter.robots, () => lakeOwners(fs, folder, signal));
  return lakeSource(folder, paths, choice, filter.topics);
}

/** A data folder counts as one, even with exports in it. */
async function holdsRecordings(fs: FileSystem, folder: string): Promise<boolean> {
  const names = await fs.readdir(folder).catch(() => []);
  return names.some((name) => name === 'sealed' || name === 'wal' || name.endsWith('.mcap'));
}
