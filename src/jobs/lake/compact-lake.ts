import { dirname } from 'node:path/posix';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { randomHex, type RandomBytes } from '../../core/identity.js';
import type { LakeChange, LakeFile } from '../../core/lake-manifest.js';
import type { ObjectInfo, Store } from '../../core/store.js';
import type { ParquetCodec } from '../../exporters/format.js';
import { StorePlace } from '../export/store-place.js';
import type { Problem } from '../../recordings/segments.js';
import { storeReadable } from '../../recordings/store-readable.js';
import { commitChange } from './commit-change.js';
import { COMPACT_WRITER, compactedName, isCompacted } from './lake-claims.js';
import { readLake, type LakeState } from './lake-state.js';
import { footerOf, joinTables, loadZstd, rewriteTables, schemaOf, type MergeInput } from './merge-tables.js';
import { ProvenRemoval } from './remove-proven.js';

export interface CompactOptions {
  /** Only files below this size are merged, bytes. */
  readonly smallBytes: number;
  /** Approximate maximum of a merged file, bytes. */
  readonly targetBytes: number;
  /** Replaced files are removed when their replacement is this old, ms. */
  readonly keepMs: number;
  /**
   * If set, files are encoded again with it. Default: topics keep their row groups, events the codec of the
   * first file.
   */
  readonly codec?: ParquetCodec;
  /** If set, files are encoded again with at most this many rows per row group. */
  readonly rowGroupRows?: number;
}

export interface CompactPorts {
  readonly store: Store;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: Problem) => void;
  readonly onFile?: (file: LakeFile, replaced: number) => void;
}

export interface CompactReport {
  /** New files, and the files whose rows are in them. */
  readonly made: number;
  readonly replaced: number;
  readonly duplicates: number;
  /** Removed files: replaced ones, and leftovers of an interrupted compaction. */
  readonly removed: number;
  /** Rows that count afterwards, and the files with them. */
  readonly rows: number;
  readonly files: number;
}

/** The files merged into one. */
const INPUTS_MAX = 2_000;

/**
 * Merges small files of a lake, folder by folder. The swap is one object: a numbered change, written only if
 * its number is free, which names the replaced and the new files. A reader of the manifests sees the old
 * files until then and the new one afterwards. A kill leaves at most a file that no change names. The next
 * run declares it abandoned (by a change, so that its maker cannot add it any more) and removes it.
 */
export async function compactLake(
  form: string,
  options: CompactOptions,
  ports: CompactPorts,
): Promise<CompactReport> {
  const { store, signal, onProblem } = ports;
  const work = new Compaction(form, options, ports);
  let state = await readLake(store, form, signal, onProblem);
  let removed = await work.tidy(state);
  let [made, replaced, duplicates] = [0, 0, 0];
  for (const inputs of planCompaction(state.live.values(), options)) {
    signal.throwIfAborted();
    for (const group of await work.joinable(inputs)) {
      const change = await work.compact(group);
      if (!change) continue;
      made += change.adds.length;
      replaced += change.replaces.length;
      duplicates += change.duplicates;
    }
  }
  state = await readLake(store, form, signal, onProblem);
  if (made > 0) removed += await work.tidy(state);
  const rows = [...state.live.values()].reduce((sum, file) => sum + file.rows, 0);
  return { made, replaced, duplicates, removed, rows, files: state.live.size };
}

/** The files to merge: small ones of one folder and kind, in the order of their keys. */
export function planCompaction(
  files: Iterable<LakeFile>,
  { smallBytes, targetBytes }: CompactOptions,
): LakeFile[][] {
  const folders = new Map<string, LakeFile[]>();
  for (const file of files) {
    if (file.bytes >= smallBytes) continue;
    const key = JSON.stringify([file.table, dirname(file.key)]);
    const known = folders.get(key);
    if (known) known.push(file);
    else folders.set(key, [file]);
  }
  const groups: LakeFile[][] = [];
  for (const [, members] of [...folders].sort(([a], [b]) => (a < b ? -1 : 1))) {
    let group: LakeFile[] = [];
    let bytes = 0;
    for (const file of members.sort((a, b) => (a.key < b.key ? -1 : 1))) {
      if (group.length > 0 && (bytes + file.bytes > targetBytes || group.length >= INPUTS_MAX)) {
        groups.push(group);
        group = [];
        bytes = 0;
      }
      group.push(file);
      bytes += file.bytes;
    }
    groups.push(group);
  }
  return groups.filter((group) => group.length > 1);
}

class Compaction {
  readonly #form: string;
  readonly #options: CompactOptions;
  readonly #ports: CompactPorts;

  constructor(form: string, options: CompactOptions, ports: CompactPorts) {
    this.#form = form;
    this.#options = options;
    this.#ports = ports;
  }

  /**
   * Removes files that were replaced long enough ago, and files that no process will add any more, if they
   * provably belong to this lake. Returns how many.
   */
  async tidy(state: LakeState): Promise<number> {
    const { store, clock, signal } = this.#ports;
    const before = clock.now() - BigInt(this.#options.keepMs) * 1_000_000n;
    const gone = new Set<string>();
    const known = new Set<string>();
    for (const { replaces, adds, abandons, at } of state.changes) {
      for (const { key } of adds) known.add(key);
      for (const key of abandons) gone.add(key);
      if (BigInt(at) <= before) for (const key of replaces) gone.add(key);
    }
    const doomed: ObjectInfo[] = [];
    const orphans: ObjectInfo[] = [];
    for await (const info of store.list('', { signal })) {
      if (gone.has(info.key)) doomed.push(info);
      else if (isCompacted(this.#form, info.key) && !known.has(info.key)) orphans.push(info);
    }
    if (doomed.length === 0 && orphans.length === 0) return 0;
    const abandoned = new Set(orphans.length > 0 ? await this.#abandon(orphans.map(({ key }) => key)) : []);
    for (const key of state.changes.flatMap(({ abandons }) => abandons)) abandoned.add(key);
    const removal = new ProvenRemoval(state, this.#ports);
    let removed = 0;
    for (const { key, bytes } of [...doomed, ...orphans]) {
      const isLeft = abandoned.has(key);
      if (!isLeft && !gone.has(key)) continue;
      if (await (isLeft ? removal.abandoned(key, bytes) : removal.replaced(key))) removed++;
    }
    return removed;
  }

  /** Groups of one schema each; files of a changed type stay separate. */
  async joinable(files: readonly LakeFile[]): Promise<(readonly LakeFile[])[]> {
    const groups = new Map<string, LakeFile[]>();
    for (const file of files) {
      const schema = schemaOf(await footerOf(this.#input(file)));
      const known = groups.get(schema);
      if (known) known.push(file);
      else groups.set(schema, [file]);
    }
    return [...groups.values()].filter((group) => group.length > 1);
  }

  /** Merges several files into one and swaps. Undefined: another process was faster, and nothing is changed. */
  async compact(files: readonly LakeFile[]): Promise<LakeChange | undefined> {
    const { store, fs, random, signal, onFile } = this.#ports;
    const [first] = files;
    if (!first) return undefined;
    const key = `${dirname(first.key)}/${compactedName(this.#form, randomHex(random, 8))}`;
    const place = new StorePlace(store, fs, signal);
    const out = await place.create(key);
    let made: LakeFile;
    let duplicates: number;
    try {
      let crc = 0;
      const write = (bytes: Uint8Array): Promise<void> => {
        crc = crc32(bytes, crc);
        return out.write(bytes);
      };
      const inputs = files.map((file) => this.#input(file));
      const { codec, rowGroupRows } = this.#options;
      const rewriting = { distinct: first.table === 'events', ...defined({ codec, rowGroupRows }) };
      const merged =
        rewriting.distinct || rewriting.codec !== undefined || rewriting.rowGroupRows !== undefined
          ? await rewriteTables(inputs, COMPACT_WRITER, rewriting, await loadZstd(), write)
          : await joinTables(inputs, COMPACT_WRITER, write);
      const expected = files.reduce((sum, { rows }) => sum + rows, 0);
      if (merged.rows + merged.duplicates !== expected) {
        throw new HoldfastError('INTERNAL', `${key} would have ${merged.rows} rows, expected ${expected}`);
      }
      made = { key, ...(await out.finish()), crc32: crc, rows: merged.rows, table: first.table };
      duplicates = merged.duplicates;
    } catch (error) {
      await out.abort();
      throw error;
    } finally {
      await place.dropScratch();
    }
    const replaces = files.map((file) => file.key);
    const change = await commitChange(
      this.#form,
      { replaces, adds: [made], duplicates, abandons: [] },
      this.#ports,
    );
    if (change) onFile?.(made, files.length);
    else await store.delete(key, { signal });
    return change;
  }

  #input({ key, bytes }: LakeFile): MergeInput {
    const { store, signal } = this.#ports;
    return { key, readable: storeReadable(store, key, bytes, { signal }) };
  }

  /** Those of the keys that were not added meanwhile. */
  async #abandon(keys: readonly string[]): Promise<readonly string[]> {
    const abandoning = { replaces: [], adds: [], duplicates: 0, abandons: keys };
    const change = await commitChange(this.#form, abandoning, this.#ports);
    return change?.abandons ?? [];
  }
}
