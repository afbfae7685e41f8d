import { join } from 'node:path';
import type { DataFolder } from './data-folder.js';
import { syncDirectory } from './durable-files.js';
import { systemCode } from './errors.js';
import type { FileSystem } from './file-system.js';

/** Name of a file in `transformed/`: that of its segment, and a digest of the rules. */
const COPY = /^(.+)\.[0-9a-f]{12}\.(?:mcap|json)(?:\.tmp)?$/;
/** In `sinks/`, with a folder for each segment: files that sync made and has not sent yet. */
const SCRATCH_END = '.files';

/** The segment of a file in `transformed/`; undefined if it belongs to no segment. */
export function segmentOfCopy(file: string): string | undefined {
  return COPY.exec(file)?.[1];
}

/** Name of the folder in `sinks/` for files that are not sent yet. */
export function scratchName(sink: string): string {
  return sink + SCRATCH_END;
}

/** Removes everything that sync made of a segment and keeps in the data folder. May be repeated. */
export async function removeSegmentCopies(
  fs: FileSystem,
  { transformed, sinks }: Pick<DataFolder, 'transformed' | 'sinks'>,
  segment: string,
): Promise<void> {
  await removeCopies(fs, transformed, (one) => one === segment);
  for (const sink of await names(fs, sinks)) {
    if (!sink.endsWith(SCRATCH_END)) continue;
    await fs.rm(join(sinks, sink, segment), { recursive: true, force: true });
  }
}

/** Removes the copies in `transformed/` of segments that are no longer in `sealed/`. */
export async function sweepSegmentCopies(
  fs: FileSystem,
  { transformed, sealed }: Pick<DataFolder, 'transformed' | 'sealed'>,
): Promise<void> {
  if ((await names(fs, transformed)).length === 0) return;
  const segments = new Set(await fs.readdir(sealed));
  await removeCopies(fs, transformed, (segment) => !segments.has(`${segment}.mcap`));
}

async function removeCopies(
  fs: FileSystem,
  folder: string,
  isGone: (segment: string) => boolean,
): Promise<void> {
  const gone = (await names(fs, folder)).filter((file) => {
    const segment = segmentOfCopy(file);
    return segment !== undefined && isGone(segment);
  });
  // The manifest first: a file without one is incomplete.
  for (const file of gone.sort()) await fs.rm(join(folder, file), { force: true });
  if (gone.length > 0) await syncDirectory(fs, folder);
}

async function names(fs: FileSystem, folder: string): Promise<string[]> {
  try {
    return await fs.readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
