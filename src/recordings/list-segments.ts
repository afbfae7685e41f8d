import { join } from 'node:path';
import { defined } from '../core/defined.js';
import type { DataFolder } from '../core/data-folder.js';
import { isUnreadable } from '../core/durable-files.js';
import { describeError, isHoldfastError, systemCode } from '../core/errors.js';
import { isSegmentKey, manifestKey, withoutSegmentEnd, type Manifest } from '../core/manifest.js';
import { openOrSalvage } from '../core/mcap/open-mcap.js';
import { summarise, type ManifestSummary } from './catalogue/manifest-summary.js';
import { readCatalogue } from './catalogue/read-catalogue.js';
import { receiptFiles } from '../core/receipt-file.js';
import { isSegmentId } from '../core/segment-id.js';
import type { Store } from '../core/store.js';
import type { Tags } from '../core/tags.js';
import { present } from '../core/present.js';
import type { FilePool } from './file-readable.js';
import type { Located } from './locate.js';
import { matches, wantsRobot, type RobotFilter } from './message-filter.js';
import { namesIn, readManifestFile, type OpenCatalogue, type Problem } from './segments.js';

/**
 * - `open`: being recorded (the newest of the WAL); `waiting`: to be sealed.
 * - `sealed`: on this disk only; `uploaded`: a receipt proves that a store holds it too, or it lies in a
 *   store.
 * - `evicted`: deleted by policy before it was uploaded, a tombstone is left; `deleted`: deleted on request, a
 *   tombstone is left; `quarantined`: damaged.
 * - `unfinished`: an MCAP without a manifest, because its seal or upload was interrupted.
 * - `file`: a recording of another tool.
 */
export type SegmentState =
  'open' | 'waiting' | 'sealed' | 'uploaded' | 'evicted' | 'deleted' | 'quarantined' | 'unfinished' | 'file';

/** One line of `ls`. */
export interface SegmentRow {
  readonly segment: string;
  /** Absent if it holds all robots (`open`, `waiting`, `quarantined`). */
  readonly robot?: string;
  /** VIN of the vehicle; absent: the recorder did not know it. */
  readonly vin?: string;
  readonly priority?: string;
  readonly state: SegmentState;
  /** Path or key. */
  readonly where: string;
  /** Log times, decimal nanoseconds since the Unix epoch. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  readonly messages?: number;
  readonly channels?: number;
  /** Size on disk, or of the object. */
  readonly bytes: number;
  readonly gaps?: number;
  readonly uncleanEnd?: boolean;
  readonly tags?: Tags;
  /** Present: the object is encrypted. */
  readonly encrypted?: true;
  /** Stores that hold it, by URI. */
  readonly stores?: readonly string[];
}

export interface ListOptions {
  readonly files: FilePool;
  readonly onProblem: (problem: Problem) => void;
  readonly signal?: AbortSignal;
  /** Rows with another robot, or with times outside, are left out. */
  readonly filter?: RowFilter;
  /** The remembered manifests of a store. */
  readonly openCatalogue?: OpenCatalogue;
}

export interface RowFilter extends RobotFilter {
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** Each must hold: `*` in a value stands for any text. Leaves out rows without known tags. */
  readonly tags?: Tags;
}

/** One row per sealed segment and robot, in order of age. Memory for a store: one row at a time. */
export async function* listRows(
  located: Located,
  options: ListOptions,
): AsyncGenerator<SegmentRow, void, void> {
  const { filter = {} } = options;
  for await (const row of allRows(located, options)) if (isWanted(row, filter)) yield row;
}

function allRows(located: Located, options: ListOptions): AsyncGenerator<SegmentRow, void, void> {
  if (located.kind === 'data') return folderRows(located.folder, options);
  if (located.kind === 'store') return storeRows(located.store, options);
  return fileRows(located.files, options);
}

/** A row without a robot or times may be a wanted one. */
function isWanted(row: SegmentRow, filter: RowFilter): boolean {
  const { robot, vin, firstLogTime: first, lastLogTime: last, tags = {} } = row;
  const { from, to } = filter;
  for (const [name, pattern] of Object.entries(filter.tags ?? {})) {
    const value = tags[name];
    if (value === undefined || !matches([pattern], value)) return false;
  }
  if (robot !== undefined && !wantsRobot(filter, robot, vin)) return false;
  if (from !== undefined && last !== undefined && BigInt(last) < from) return false;
  return to === undefined || first === undefined || BigInt(first) <= to;
}

async function* folderRows(folder: DataFolder, options: ListOptions): AsyncGenerator<SegmentRow, void, void> {
  const { files, onProblem } = options;
  const names = (path: string): Promise<string[]> =>
    namesIn(files, path, (error) => onProblem({ where: path, reason: describeError(error) }));
  for (const name of await names(folder.quarantine)) {
    const where = join(folder.quarantine, name);
    yield { segment: name, state: 'quarantined', where, bytes: await folderBytes(where, options) };
  }
  for (const name of await names(folder.tombstones)) {
    if (!name.endsWith('.json')) continue;
    const where = join(folder.tombstones, name);
    const manifest = await manifestAt(where, options);
    if (manifest !== undefined) {
      const state = manifest.deleted === undefined ? 'evicted' : 'deleted';
      yield { ...describe(summarise(manifest), where, state), bytes: 0 };
    }
  }
  const sealed = await names(folder.sealed);
  const receipts = new Set(await names(folder.receipts));
  for (const name of sealed) {
    if (!isSegmentKey(name)) continue;
    const where = join(folder.sealed, name);
    const bytes = await bytesOf(files, where, onProblem);
    if (bytes === undefined) continue;
    const receipt = manifestKey(name);
    const hasManifest = sealed.includes(receipt);
    const manifest = hasManifest ? await manifestAt(manifestKey(where), options) : undefined;
    if (manifest === undefined) {
      yield { segment: name.split('.')[0] ?? name, state: 'unfinished', where, bytes };
      continue;
    }
    const stores = receipts.has(receipt) ? await receiptsOf(files, join(folder.receipts, receipt)) : [];
    const state = stores.length > 0 ? 'uploaded' : 'sealed';
    yield { ...describe(summarise(manifest), where, state), bytes, ...(stores.length > 0 ? { stores } : {}) };
  }
  const wal = (await names(folder.wal)).filter(isSegmentId);
  for (const [index, name] of wal.entries()) {
    const where = join(folder.wal, name);
    const state = index === wal.length - 1 ? 'open' : 'waiting';
    yield { segment: name, state, where, bytes: await folderBytes(where, options) };
  }
}

async function* storeRows(store: Store, options: ListOptions): AsyncGenerator<SegmentRow, void, void> {
  const { signal, onProblem, filter = {} } = options;
  await using cache = await options.openCatalogue?.(store);
  const { robots } = filter;
  const given = { cache, ...defined({ robots }), ...(signal && { signal }) };
  for await (const { object, manifest, summary, problem } of readCatalogue(store, given)) {
    if (problem !== undefined) onProblem({ where: present(manifest).key, reason: problem });
    if (summary?.deleted === true) {
      // An object beside it is left over: the deletion was interrupted.
      yield { ...describe(summary, present(manifest).key, 'deleted'), bytes: object?.bytes ?? 0 };
    } else if (summary !== undefined && object !== undefined) {
      yield { ...describe(summary, object.key, 'uploaded'), bytes: object.bytes };
    } else if (summary?.evicted === true) {
      yield { ...describe(summary, present(manifest).key, 'evicted'), bytes: 0 };
    } else if (summary !== undefined) {
      if (isWanted({ ...describe(summary, '', 'unfinished'), bytes: 0 }, filter)) {
        onProblem({ where: present(manifest).key, reason: 'its segment is missing' });
      }
    } else if (object !== undefined) {
      const segment = withoutSegmentEnd(present(object.key.split('/').at(-1)));
      yield { segment, state: 'unfinished', where: object.key, bytes: object.bytes };
    }
  }
}

async function* fileRows(
  paths: readonly string[],
  options: ListOptions,
): AsyncGenerator<SegmentRow, void, void> {
  const { files, onProblem, signal } = options;
  for (const where of paths) {
    try {
      const bytes = (await files.fs.stat(where)).size;
      const reader = await openOrSalvage(files.readable(where), where, undefined, signal);
      yield {
        segment: where.split('/').at(-1) ?? where,
        state: 'file',
        where,
        bytes,
        ...(reader.firstLogTime === undefined ? {} : { firstLogTime: String(reader.firstLogTime) }),
        ...(reader.lastLogTime === undefined ? {} : { lastLogTime: String(reader.lastLogTime) }),
        ...defined({ messages: reader.messageCount }),
        channels: reader.channels.length,
      };
    } catch (error) {
      onProblem({ where, reason: describeError(error) });
    }
  }
}

function describe(summary: ManifestSummary, where: string, state: SegmentState): Omit<SegmentRow, 'bytes'> {
  const { id: segment, fileName: _, evicted: __, deleted: ___, encryption, ...facts } = summary;
  return { segment, state, where, ...facts, ...(encryption && { encrypted: true }) };
}

async function manifestAt(path: string, { files, onProblem }: ListOptions): Promise<Manifest | undefined> {
  try {
    return await readManifestFile(files, path);
  } catch (error) {
    if (!isHoldfastError(error, 'MANIFEST_INVALID') && !isUnreadable(error)) throw error;
    onProblem({ where: path, reason: describeError(error) });
    return undefined;
  }
}

async function receiptsOf(files: FilePool, path: string): Promise<string[]> {
  try {
    const receipts = receiptFiles.parse(await files.fs.readFile(path, 'utf8'), path);
    return receipts.stores.map(({ uri }) => uri);
  } catch {
    // Missing, or damaged: sync writes it again once it has checked the store.
    return [];
  }
}

/** Sizes only: reading the LOCK file of a LevelDB could drop its owner's lock. */
async function folderBytes(folder: string, { files, onProblem }: ListOptions): Promise<number> {
  let bytes = 0;
  const names = await namesIn(files, folder, (error) =>
    onProblem({ where: folder, reason: describeError(error) }),
  );
  for (const name of names) {
    bytes += (await bytesOf(files, join(folder, name), () => undefined)) ?? 0;
  }
  return bytes;
}

/** Undefined if it does not exist or cannot be looked at; the second is a problem. */
async function bytesOf(
  files: FilePool,
  path: string,
  onProblem: ListOptions['onProblem'],
): Promise<number | undefined> {
  try {
    return (await files.fs.stat(path)).size;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') onProblem({ where: path, reason: describeError(error) });
    return undefined;
  }
}
