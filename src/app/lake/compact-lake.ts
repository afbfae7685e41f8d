import { dirname } from 'node:path/posix';
import { crc32 } from 'node:zlib';
import type { Clock } from '../../core/clock.js';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { randomHex, type RandomBytes } from '../../core/identity.js';
import { encodeLake, lakeChangeKey, type LakeChange, type LakeFile } from '../../core/lake-manifest.js';
import type { Store } from '../../core/store.js';
import { StorePlace } from '../export/output-place.js';
import type { Problem } from '../reading/segments.js';
import { storeReadable } from '../reading/store-readable.js';
import { readChanges, readLake, type LakeState } from './lake-state.js';
import { footerOf, joinTables, mergeEvents, schemaOf, type MergeInput } from './merge-tables.js';

export interface CompactOptions {
  /** Only files below this are put together, bytes. */
  readonly smallBytes: number;
  /** A file that is made is not much larger, bytes. */
  readonly targetBytes: number;
  /** Replaced files are removed when their replacement is this old, ms. */
  readonly keepMs: number;
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
  /** Files that were made, and those whose rows are in them. */
  readonly made: number;
  readonly replaced: number;
  readonly duplicates: number;
  /** Files removed: replaced ones, and what an interrupted compaction left. */
  readonly removed: number;
  /** Rows that count afterwards, and the files they are in. */
  readonly rows: number;
  readonly files: number;
}

const CREATED_BY = 'holdfast compact 1';
/** Lost against others who change the lake at the same time. */
const RACES_MAX = 32;
/** Files put together into one. */
const INPUTS_MAX = 2_000;

/**
 * Puts small files of a lake together, folder by folder. The swap is one object: a change, numbered, put only
 * where its number is free, which names what is replaced and by what. Whoever reads by manifests sees the old files
 * until then and the new one afterwards. A kill leaves at most a file that no change names; the next run declares
 * it abandoned (by a change, so that whoever made it cannot add it any more) and removes it.
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

/** Which files are put together: small ones of one folder and kind, in the order of their keys. */
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
  readonly #prefix: string;

  constructor(
    private readonly form: string,
    private readonly options: CompactOptions,
    private readonly ports: CompactPorts,
  ) {
    this.#prefix = `compact-${form}-`;
  }

  /** Removes what is replaced for long enough, and what nobody will add any more. Returns how many. */
  async tidy(state: LakeState): Promise<number> {
    const { store, clock, signal } = this.ports;
    const before = clock.now() - BigInt(this.options.keepMs) * 1_000_000n;
    const gone = new Set<string>();
    const known = new Set<string>();
    for (const { replaces, adds, abandons, at } of state.changes) {
      for (const { key } of adds) known.add(key);
      for (const key of abandons) gone.add(key);
      if (BigInt(at) <= before) for (const key of replaces) gone.add(key);
    }
    const doomed: string[] = [];
    const orphans: string[] = [];
    for await (const { key } of store.list('', { signal })) {
      if (gone.has(key)) doomed.push(key);
      else if (this.#isOurs(key) && !known.has(key)) orphans.push(key);
    }
    const abandoned = orphans.length > 0 ? await this.#abandon(orphans) : [];
    for (const key of [...doomed, ...abandoned]) await store.delete(key, { signal });
    return doomed.length + abandoned.length;
  }

  /** Groups of one schema each; a type that changed has files that stay apart. */
  async joinable(files: readonly LakeFile[]): Promise<(readonly LakeFile[])[]> {
    if (files[0]?.table === 'events') return [files];
    const groups = new Map<string, LakeFile[]>();
    for (const file of files) {
      const schema = schemaOf(await footerOf(this.#input(file)));
      const known = groups.get(schema);
      if (known) known.push(file);
      else groups.set(schema, [file]);
    }
    return [...groups.values()].filter((group) => group.length > 1);
  }

  /** Makes one file of several and swaps. Undefined: somebody else was faster, nothing is changed. */
  async compact(files: readonly LakeFile[]): Promise<LakeChange | undefined> {
    const { store, fs, random, signal, onFile } = this.ports;
    const [first] = files;
    if (!first) return undefined;
    const key = `${dirname(first.key)}/${this.#prefix}${randomHex(random, 8)}.parquet`;
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
      const merged =
        first.table === 'events'
          ? await mergeEvents(inputs, CREATED_BY, await loadZstd(), write)
          : await joinTables(inputs, CREATED_BY, write);
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
    const change = await this.#commit({ replaces, adds: [made], duplicates, abandons: [] });
    if (change) onFile?.(made, files.length);
    else await store.delete(key, { signal });
    return change;
  }

  #isOurs(key: string): boolean {
    return key.slice(key.lastIndexOf('/') + 1).startsWith(this.#prefix);
  }

  #input({ key, bytes }: LakeFile): MergeInput {
    const { store, signal } = this.ports;
    return { key, readable: storeReadable(store, key, bytes, { signal }) };
  }

  /** Those of the keys that nobody had added meanwhile. */
  async #abandon(keys: readonly string[]): Promise<readonly string[]> {
    const change = await this.#commit({ replaces: [], adds: [], duplicates: 0, abandons: keys });
    return change?.abandons ?? [];
  }

  /** Puts the next change of the history; looks again whenever somebody else had the number. */
  async #commit(
    change: Pick<LakeChange, 'replaces' | 'adds' | 'duplicates' | 'abandons'>,
  ): Promise<LakeChange | undefined> {
    const { store, clock, signal } = this.ports;
    const { form } = this;
    for (let race = 0; race < RACES_MAX; race++) {
      const changes = await readChanges(store, form, signal);
      const gone = new Set(changes.flatMap(({ abandons, replaces }) => [...abandons, ...replaces]));
      const added = new Set(changes.flatMap(({ adds }) => adds.map(({ key }) => key)));
      if ([...change.replaces, ...change.adds.map(({ key }) => key)].some((key) => gone.has(key)))
        return undefined;
      const abandons = change.abandons.filter((key) => !added.has(key));
      if (change.adds.length === 0 && abandons.length === 0) return undefined;
      const number = (changes.at(-1)?.number ?? 0) + 1;
      const next: LakeChange = {
        format: 'holdfast-lake-change',
        version: 1,
        form,
        number,
        at: String(clock.now()),
        ...change,
        abandons,
      };
      const key = lakeChangeKey(form, number);
      const data = Buffer.from(encodeLake(next));
      if (!store.supports.conditionalPut && (await store.head(key, { signal }))) continue;
      try {
        await store.put(key, data, { signal, ifAbsent: store.supports.conditionalPut });
        return next;
      } catch (error) {
        if (!isHoldfastError(error, 'OBJECT_EXISTS') && !isHoldfastError(error, 'OBJECT_CONFLICT'))
          throw error;
      }
    }
    return undefined;
  }
}

async function loadZstd() {
  const zstd = (await import('@foxglove/wasm-zstd')).default;
  await zstd.isLoaded;
  return {
    compress: (data: Uint8Array): Uint8Array => zstd.compress(data, 1),
    decompress: (data: Uint8Array, bytes: number): Uint8Array =>
      Uint8Array.from(zstd.decompress(data, bytes)),
  };
}
