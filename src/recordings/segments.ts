import { basename, join } from 'node:path';
import { defined } from '../core/defined.js';
import type { DataFolder } from '../core/data-folder.js';
import { isUnreadable } from '../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../core/errors.js';
import { decodeManifest, ENCRYPTED_END, isSegmentKey, manifestKey, type Manifest } from '../core/manifest.js';
import { decodePlacedManifest, nameFaults } from '../core/manifest-place.js';
import type { Readable } from '../core/mcap/readable.js';
import type { Store } from '../core/store.js';
import { present } from '../core/present.js';
import type { CatalogueCache } from './catalogue/catalogue-cache.js';
import { summarise, type ManifestSummary } from './catalogue/manifest-summary.js';
import { readCatalogue } from './catalogue/read-catalogue.js';
import type { Keyring } from '../encryption/keyring.js';
import { EncryptedSegments, openEncryptedFile } from './encrypted-segments.js';
import type { Problem, Segment } from './segment.js';
import type { FilePool } from './file-readable.js';
import type { Located } from './locate.js';
import { wantsRobot, type MessageFilter } from './message-filter.js';
import { storeReadable } from './store-readable.js';

export type { Problem, Segment } from './segment.js';

export interface SegmentPorts {
  readonly files: FilePool;
  /** For a data folder: the store for evicted and uploaded segments. */
  readonly store?: Store;
  readonly onProblem: (problem: Problem) => void;
  readonly signal?: AbortSignal;
  /** Segments without these robots and times, by their manifests, are left out. */
  readonly filter?: Pick<MessageFilter, 'robots' | 'vehicles' | 'from' | 'to'>;
  /** For encrypted segments. Default: none; then they are problems. */
  readonly keyring?: Keyring;
  /** The remembered manifests of a store; default: none, all are read. */
  readonly openCatalogue?: OpenCatalogue;
}

/** Opens the cache of a store's manifests; undefined if it is not available. */
export type OpenCatalogue = (store: Store) => Promise<CatalogueCache | undefined>;

/** Every segment of a located recording, by its first log time if that is known. */
export async function listSegments(located: Located, ports: SegmentPorts): Promise<Segment[]> {
  switch (located.kind) {
    case 'mcap':
      return fileSegments(located.files, ports);
    case 'store':
      return opened(ports, (encrypted) => storeSegments(located.store, ports, encrypted));
    case 'data':
      return opened(ports, async (encrypted) => {
        const local = await folderSegments(located.folder, ports, encrypted);
        if (ports.store === undefined) return local;
        const known = new Set(local.map(({ fileName }) => fileName ?? ''));
        const remote = await reachable(ports.store, ports, encrypted);
        return [...local, ...remote.filter((segment) => !known.has(segment.fileName ?? segment.name))];
      });
  }
}

/** In order. Throws `IDENTITY_MISSING` if segments are there, and no identity opens one of them. */
async function opened(
  ports: SegmentPorts,
  list: (encrypted: EncryptedSegments) => Promise<Segment[]>,
): Promise<Segment[]> {
  const encrypted = new EncryptedSegments(ports);
  const segments = await list(encrypted);
  encrypted.finish(segments.length);
  return sorted(segments);
}

async function reachable(
  store: Store,
  ports: SegmentPorts,
  encrypted: EncryptedSegments,
): Promise<Segment[]> {
  try {
    return await storeSegments(store, ports, encrypted);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    ports.onProblem({
      where: store.uri,
      reason: `not reachable, only local segments are read: ${describeError(error)}`,
    });
    return [];
  }
}

async function fileSegments(paths: readonly string[], ports: SegmentPorts): Promise<Segment[]> {
  const { files, onProblem } = ports;
  const segments: Segment[] = [];
  for (const path of paths) {
    try {
      const { size } = await files.fs.stat(path);
      const segment = { name: path, bytes: size, readable: () => files.readable(path) };
      if (!path.endsWith(ENCRYPTED_END)) segments.push(segment);
      else segments.push(await openEncryptedFile(segment, files, ports.keyring));
    } catch (error) {
      if (isHoldfastError(error, 'IDENTITY_MISSING') && paths.length === 1) throw error;
      onProblem({ where: path, reason: describeError(error) });
    }
  }
  return segments;
}

/** The sealed segments of a data folder. */
async function folderSegments(
  folder: DataFolder,
  ports: SegmentPorts,
  encrypted: EncryptedSegments,
): Promise<Segment[]> {
  const { files, onProblem } = ports;
  const names = await namesIn(files, folder.sealed);
  const segments: Segment[] = [];
  for (const name of names.filter(isSegmentKey)) {
    ports.signal?.throwIfAborted();
    const path = join(folder.sealed, name);
    const readable = (): Readable => files.readable(path);
    try {
      const { size } = await files.fs.stat(path);
      const manifest = await readManifestFile(files, manifestKey(path));
      // Without its manifest it cannot be decrypted. Its segment is in the WAL, or was being evicted.
      if (manifest === undefined && name.endsWith(ENCRYPTED_END)) continue;
      const facts = manifest === undefined ? {} : describe(summarise(manifest));
      if (!mayHold(ports.filter ?? {}, facts)) continue;
      const segment = encrypted.open({ name: path, bytes: size, ...facts, readable }, manifest?.encryption);
      if (segment) segments.push(segment);
    } catch (error) {
      // Evicted between the listing and now.
      if (systemCode(error) === 'ENOENT') continue;
      if (!isHoldfastError(error, 'MANIFEST_INVALID') && !isUnreadable(error)) throw error;
      onProblem({ where: path, reason: describeError(error) });
      if (!name.endsWith(ENCRYPTED_END)) segments.push({ name: path, bytes: 0, readable });
    }
  }
  return segments;
}

/**
 * Names in a folder, sorted; empty if it does not exist. Throws `SOURCE_UNREADABLE` if it cannot be read, or, with
 * `onUnreadable`, calls that and gives nothing.
 */
export async function namesIn(
  files: FilePool,
  folder: string,
  onUnreadable?: (error: unknown) => void,
): Promise<string[]> {
  try {
    return (await files.fs.readdir(folder)).sort();
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return [];
    if (onUnreadable) {
      onUnreadable(cause);
      return [];
    }
    throw new HoldfastError('SOURCE_UNREADABLE', `the folder ${folder} cannot be read`, {
      cause,
      facts: { path: folder },
    });
  }
}

/** Undefined if it does not exist. Throws `MANIFEST_INVALID`, also if it belongs to another place. */
export async function readManifestFile(files: FilePool, path: string): Promise<Manifest | undefined> {
  const text = await textIfPresent(files, path);
  if (text === undefined) return undefined;
  return decodePlacedManifest(text, path, (manifest) => nameFaults(basename(path), manifest));
}

/** The same, without a check of its place, for callers that check it themselves. */
export async function readAnyManifestFile(files: FilePool, path: string): Promise<Manifest | undefined> {
  const text = await textIfPresent(files, path);
  return text === undefined ? undefined : decodeManifest(text, path);
}

async function textIfPresent(files: FilePool, path: string): Promise<string | undefined> {
  try {
    return await files.fs.readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function storeSegments(
  store: Store,
  ports: SegmentPorts,
  encrypted: EncryptedSegments,
): Promise<Segment[]> {
  const { signal, onProblem, filter = {} } = ports;
  await using cache = await ports.openCatalogue?.(store);
  const segments: Segment[] = [];
  const { robots } = filter;
  const options = { cache, ...defined({ robots }), ...(signal && { signal }) };
  for await (const { object, manifest, summary, problem } of readCatalogue(store, options)) {
    if (problem !== undefined) onProblem({ where: present(manifest).key, reason: problem });
    if (summary?.deleted === true) continue;
    if (object === undefined) {
      const isLost = summary !== undefined && summary.evicted !== true;
      if (isLost && mayHold(filter, describe(summary))) {
        onProblem({ where: present(manifest).key, reason: 'its segment is missing' });
      }
      continue;
    }
    const { key, bytes } = object;
    const facts = summary === undefined ? {} : describe(summary);
    if (!mayHold(filter, facts)) continue;
    const readable = (): Readable => storeReadable(store, key, bytes, signal === undefined ? {} : { signal });
    const segment = encrypted.open({ name: key, bytes, ...facts, readable }, summary?.encryption);
    if (segment) segments.push(segment);
  }
  return segments;
}

/** Leaves out segments outside of the filter, as far as manifests tell. */
function mayHold(filter: MessageFilter, segment: Partial<Segment>): boolean {
  const { from, to } = filter;
  const { robot, vin, firstLogTime, lastLogTime } = segment;
  if (robot !== undefined && !wantsRobot(filter, robot, vin)) return false;
  if (from !== undefined && lastLogTime !== undefined && lastLogTime < from) return false;
  return to === undefined || firstLogTime === undefined || firstLogTime <= to;
}

function describe(summary: ManifestSummary): Partial<Segment> {
  const { id, fileName, robot, vin, firstLogTime, lastLogTime } = summary;
  return {
    ...{ id, fileName, robot },
    ...defined({ vin }),
    ...(firstLogTime === undefined ? {} : { firstLogTime: BigInt(firstLogTime) }),
    ...(lastLogTime === undefined ? {} : { lastLogTime: BigInt(lastLogTime) }),
  };
}

function sorted(segments: Segment[]): Segment[] {
  const timeOf = ({ firstLogTime }: Segment): bigint => firstLogTime ?? 0n;
  return segments.sort((a, b) => {
    const [x, y] = [timeOf(a), timeOf(b)];
    return x < y ? -1 : x > y ? 1 : a.name < b.name ? -1 : 1;
  });
}
