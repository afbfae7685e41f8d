import { join } from 'node:path';
import type { DataFolder } from '../../core/data-folder.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../../core/errors.js';
import { decodeManifest, type Manifest } from '../../core/manifest.js';
import type { Readable } from '../../core/mcap/readable.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import type { FilePool } from './file-readable.js';
import type { Located } from './locate.js';
import { readSmallObject, storeReadable } from './store-readable.js';

/** Largest manifest that is read: 5,000 topics need some 2 MB. */
export const MANIFEST_MAX_BYTES = 64 * 1024 * 1024;

/** One MCAP that can be read: a sealed segment, an object of a store, or a file of a recording. */
export interface Segment {
  /** A path or key. */
  readonly name: string;
  readonly bytes: number;
  /** The sealed file's name: the same segment has it wherever it lies. */
  readonly fileName?: string;
  /** Segment id and robot, where a manifest says them. */
  readonly id?: string;
  readonly robot?: string;
  /** Log times, where a manifest says them. */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  /** Jumps of the wall clock while it was recorded, where a manifest says them. */
  readonly clockSteps?: Manifest['clockSteps'];
  readable(): Readable;
}

/** Something that could not be read, and why. */
export interface Problem {
  readonly where: string;
  readonly reason: string;
}

export interface SegmentPorts {
  readonly files: FilePool;
  /** For a data folder: where evicted and uploaded segments can be read from. */
  readonly store?: Store;
  readonly onProblem: (problem: Problem) => void;
  readonly signal?: AbortSignal;
}

/** Every segment of what was located, by its first log time where that is known. */
export async function listSegments(located: Located, ports: SegmentPorts): Promise<Segment[]> {
  switch (located.kind) {
    case 'mcap':
      return fileSegments(located.files, ports);
    case 'store':
      return sorted(await storeSegments(located.store, ports));
    case 'data': {
      const local = await folderSegments(located.folder, ports);
      if (ports.store === undefined) return sorted(local);
      const known = new Set(local.map(({ fileName }) => fileName ?? ''));
      const remote = await reachable(ports.store, ports);
      return sorted([...local, ...remote.filter((segment) => !known.has(segment.fileName ?? segment.name))]);
    }
  }
}

async function reachable(store: Store, ports: SegmentPorts): Promise<Segment[]> {
  try {
    return await storeSegments(store, ports);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    ports.onProblem({
      where: store.uri,
      reason: `not reachable, only local segments are read: ${describeError(error)}`,
    });
    return [];
  }
}

async function fileSegments(
  paths: readonly string[],
  { files, onProblem }: SegmentPorts,
): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const path of paths) {
    try {
      const { size } = await files.fs.stat(path);
      segments.push({ name: path, bytes: size, readable: () => files.readable(path) });
    } catch (error) {
      onProblem({ where: path, reason: describeError(error) });
    }
  }
  return segments;
}

/** The sealed segments of a data folder. */
async function folderSegments(folder: DataFolder, ports: SegmentPorts): Promise<Segment[]> {
  const { files, onProblem } = ports;
  const names = await namesIn(files, folder.sealed);
  const segments: Segment[] = [];
  for (const name of names.filter((each) => each.endsWith('.mcap'))) {
    ports.signal?.throwIfAborted();
    const path = join(folder.sealed, name);
    const readable = (): Readable => files.readable(path);
    try {
      const { size } = await files.fs.stat(path);
      const manifest = await readManifestFile(files, path.replace(/\.mcap$/, '.json'));
      segments.push({ name: path, bytes: size, ...describe(manifest), readable });
    } catch (error) {
      // Evicted between the listing and now.
      if (systemCode(error) === 'ENOENT') continue;
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      onProblem({ where: path, reason: describeError(error) });
      segments.push({ name: path, bytes: 0, readable });
    }
  }
  return segments;
}

/** Names in a folder, sorted; none where it does not exist. */
export async function namesIn(files: FilePool, folder: string): Promise<string[]> {
  try {
    return (await files.fs.readdir(folder)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** Undefined where there is none. Throws `MANIFEST_INVALID`. */
export async function readManifestFile(files: FilePool, path: string): Promise<Manifest | undefined> {
  try {
    return decodeManifest(await files.fs.readFile(path, 'utf8'), path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function storeSegments(store: Store, ports: SegmentPorts): Promise<Segment[]> {
  const { signal, onProblem } = ports;
  const segments: Segment[] = [];
  for await (const entry of storeEntries(store, signal)) {
    if (entry.object === undefined) continue;
    const { key, bytes } = entry.object;
    let manifest: Manifest | undefined;
    try {
      manifest =
        entry.manifest === undefined ? undefined : await readManifestObject(store, entry.manifest, signal);
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      onProblem({ where: entry.manifest?.key ?? key, reason: describeError(error) });
    }
    const options = signal === undefined ? {} : { signal };
    segments.push({
      name: key,
      bytes,
      ...describe(manifest),
      readable: () => storeReadable(store, key, bytes, options),
    });
  }
  return segments;
}

/** An MCAP and its manifest under one key; either may be missing. */
export interface StoreEntry {
  readonly object?: ObjectInfo;
  readonly manifest?: ObjectInfo;
  /** Something else that lies there. */
  readonly other?: ObjectInfo;
}

/** What a store holds, paired, in key order. `.json` sorts before `.mcap` of the same name. */
export async function* storeEntries(
  store: Store,
  signal?: AbortSignal,
): AsyncGenerator<StoreEntry, void, void> {
  let manifest: ObjectInfo | undefined;
  for await (const info of store.list('', signal === undefined ? {} : { signal })) {
    if (info.key.endsWith('.mcap')) {
      const paired = manifest?.key === info.key.replace(/\.mcap$/, '.json');
      if (manifest !== undefined && !paired) yield { manifest };
      yield paired ? { object: info, manifest: manifest! } : { object: info };
      manifest = undefined;
      continue;
    }
    if (manifest !== undefined) yield { manifest };
    manifest = undefined;
    if (info.key.endsWith('.json')) manifest = info;
    else yield { other: info };
  }
  if (manifest !== undefined) yield { manifest };
}

/** Throws `MANIFEST_INVALID`, and what the store throws. */
export async function readManifestObject(
  store: Store,
  info: ObjectInfo,
  signal?: AbortSignal,
): Promise<Manifest> {
  if (info.bytes > MANIFEST_MAX_BYTES) {
    const size = `${info.bytes} bytes, allowed: ${MANIFEST_MAX_BYTES}`;
    throw new HoldfastError('MANIFEST_INVALID', `manifest ${info.key} has ${size}`, {
      facts: { key: info.key },
    });
  }
  const bytes = await readSmallObject(store, info.key, info.bytes, signal);
  return decodeManifest(Buffer.from(bytes).toString('utf8'), info.key);
}

function describe(manifest: Manifest | undefined): Partial<Segment> {
  if (manifest === undefined) return {};
  const { firstLogTime, lastLogTime } = manifest;
  return {
    id: manifest.segment.id,
    fileName: manifest.file.name,
    robot: manifest.robot,
    ...(firstLogTime === undefined ? {} : { firstLogTime: BigInt(firstLogTime) }),
    ...(lastLogTime === undefined ? {} : { lastLogTime: BigInt(lastLogTime) }),
    ...(manifest.clockSteps.length === 0 ? {} : { clockSteps: manifest.clockSteps }),
  };
}

function sorted(segments: Segment[]): Segment[] {
  const timeOf = ({ firstLogTime }: Segment): bigint => firstLogTime ?? 0n;
  return segments.sort((a, b) => {
    const [x, y] = [timeOf(a), timeOf(b)];
    return x < y ? -1 : x > y ? 1 : a.name < b.name ? -1 : 1;
  });
}
