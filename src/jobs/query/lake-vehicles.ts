import { join } from 'node:path';
import { isHoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import {
  changesPrefix,
  decodeLakeChange,
  decodeLakeSegment,
  LAKE_FOLDER,
  segmentsPrefix,
  type LakeChange,
} from '../../core/lake-manifest.js';

/** Whose rows a file of a lake has, by the markers of its segments. */
export interface LakeOwner {
  readonly robot: string;
  /** Several if a compaction merged files of several vehicles; empty: no marker has a VIN. */
  readonly vins: ReadonlySet<string>;
}

/**
 * By path relative to the folder, the owners of the files that markers list, and of the files that compactions made of
 * them. Markers that cannot be read are left out: their files have no known owner.
 */
export async function lakeOwners(
  fs: FileSystem,
  folder: string,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, LakeOwner>> {
  const owners = new Map<string, LakeOwner>();
  for (const form of await namesIn(fs, join(folder, LAKE_FOLDER))) {
    for await (const path of jsonFiles(fs, folder, segmentsPrefix(form), signal)) {
      const marker = await decoded(fs, folder, path, decodeLakeSegment);
      const vins = new Set(marker?.vin === undefined ? [] : [marker.vin]);
      for (const { key } of marker?.files ?? []) owners.set(key, { robot: marker?.robot ?? '', vins });
    }
    const changes: LakeChange[] = [];
    for await (const path of jsonFiles(fs, folder, changesPrefix(form), signal)) {
      const change = await decoded(fs, folder, path, decodeLakeChange);
      if (change !== undefined) changes.push(change);
    }
    for (const { replaces, adds } of changes.sort((a, b) => a.number - b.number)) {
      const before = replaces.flatMap((key) => owners.get(key) ?? []);
      const [first] = before;
      if (first === undefined) continue;
      const vins = new Set(before.flatMap((owner) => [...owner.vins]));
      for (const { key } of adds) owners.set(key, { robot: first.robot, vins });
    }
  }
  return owners;
}

async function* jsonFiles(
  fs: FileSystem,
  folder: string,
  below: string,
  signal?: AbortSignal,
): AsyncGenerator<string, void, void> {
  signal?.throwIfAborted();
  const path = below.replace(/\/$/, '');
  const entries = await fs.readdir(join(folder, path), { withFileTypes: true }).catch(noEntries);
  for (const entry of entries) {
    const inner = `${path}/${entry.name}`;
    if (entry.isDirectory()) yield* jsonFiles(fs, folder, inner, signal);
    else if (entry.isFile() && entry.name.endsWith('.json')) yield inner;
  }
}

async function decoded<T>(
  fs: FileSystem,
  folder: string,
  path: string,
  decode: (text: string, name: string) => T,
): Promise<T | undefined> {
  try {
    return decode(await fs.readFile(join(folder, path), 'utf8'), path);
  } catch (error) {
    if (isHoldfastError(error, 'MANIFEST_INVALID') || systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function namesIn(fs: FileSystem, folder: string): Promise<readonly string[]> {
  return fs.readdir(folder).catch(noEntries);
}

/** A folder that is not there, or is a file, has no entries. */
function noEntries(error: unknown): never[] {
  if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return [];
  throw error;
}
