import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { isHoldfastError, systemCode } from '../core/errors.js';
import type { FetchAnswer, FetchRequest } from '../core/fetch-request.js';
import type { FileSystem } from '../core/file-system.js';
import { decodeManifest, isSegmentKey, manifestKey, type Manifest } from '../core/manifest.js';
import { encodeName } from '../core/name-encoding.js';
import { matches } from '../core/name-pattern.js';
import { NS_PER_MS } from '../core/clock.js';
import { readObject } from './put-manifest.js';
import type { SyncParts } from './sync-parts.js';

/** A sealed segment that matches a request. */
export interface MatchedSegment {
  /** Sealed name without `.mcap`. */
  readonly name: string;
  readonly key: string;
  readonly bytes: number;
}

export type GoneSegment = FetchAnswer['gone'][number];

const READ_AT_ONCE = 16;
/** Maximum number of evicted segments that an answer lists. */
export const GONE_MAX = 200;
/** Days before the end of the time for which the store is asked about evicted segments. */
const DAYS_MAX = 32;
const DAY_MS = 86_400_000;
/** Objects of one robot and day that are looked at. */
const KEYS_MAX = 20_000;
/** Files of an open WAL segment that hold messages. */
const CONTENT = /\.log$|^blob$|^object-/;

/** The robot in a sealed name, as keys spell it. */
export function encodedRobotOf(name: string): string {
  return name.slice(name.indexOf('.') + 1).replace(/~(high|low)$/, '');
}

/** Whether a segment holds a part of what is wanted. */
export function isWanted(manifest: Manifest, request: FetchRequest): boolean {
  const { robot, firstLogTime, lastLogTime, channels } = manifest;
  if (robot !== request.robot || firstLogTime === undefined || lastLogTime === undefined) return false;
  if (BigInt(lastLogTime) < BigInt(request.from) || BigInt(firstLogTime) > BigInt(request.to)) return false;
  const { topics } = request;
  return topics === undefined || channels.some(({ topic, count }) => count > 0 && matches(topics, topic));
}

/** Reads manifests of the data folder, each once: they never change. */
export class LocalManifests {
  readonly #fs: FileSystem;
  readonly #folder: DataFolder;

  constructor(fs: FileSystem, folder: DataFolder) {
    this.#fs = fs;
    this.#folder = folder;
  }

  /** The sealed names of a request, from these. Unreadable manifests are left out: sync parks their segments. */
  async wanted(request: FetchRequest, names: Iterable<string>): Promise<MatchedSegment[]> {
    const robot = encodeName(request.robot);
    const own = [...names].filter((name) => encodedRobotOf(name) === robot);
    const matched: MatchedSegment[] = [];
    for (let at = 0; at < own.length; at += READ_AT_ONCE) {
      const some = own.slice(at, at + READ_AT_ONCE);
      const found = await Promise.all(
        some.map((name) => this.#read(join(this.#folder.sealed, `${name}.json`))),
      );
      found.forEach((manifest, index) => {
        if (manifest === undefined || !isWanted(manifest, request)) return;
        matched.push({ name: some[index] as string, key: manifest.key, bytes: manifest.file.bytes });
      });
    }
    return matched;
  }

  /** Evicted segments whose tombstones the store does not have yet. */
  async gone(request: FetchRequest): Promise<GoneSegment[]> {
    const gone: GoneSegment[] = [];
    for (const file of await this.#names(this.#folder.tombstones)) {
      if (!file.endsWith('.json')) continue;
      const manifest = await this.#read(join(this.#folder.tombstones, file));
      if (manifest !== undefined && isWanted(manifest, request) && gone.length < GONE_MAX) {
        gone.push(goneSegment(manifest));
      }
    }
    return gone;
  }

  /** Whether the WAL may hold messages up to a time: a segment that began before it is not sealed yet. */
  async isRecording(to: bigint): Promise<boolean> {
    for (const name of await this.#names(this.#folder.wal)) {
      const directory = join(this.#folder.wal, name);
      const stat = await this.#fs.stat(directory).catch(() => undefined);
      if (stat?.isDirectory() !== true) continue;
      // A file system without birth times gives 0: then it may hold them.
      if (BigInt(Math.floor(stat.birthtimeMs)) * NS_PER_MS > to) continue;
      for (const file of await this.#names(directory)) {
        if (!CONTENT.test(file)) continue;
        const content = await this.#fs.stat(join(directory, file)).catch(() => undefined);
        if ((content?.size ?? 0) > 0) return true;
      }
    }
    return false;
  }

  async #read(path: string): Promise<Manifest | undefined> {
    try {
      return decodeManifest(await this.#fs.readFile(path, 'utf8'), path);
    } catch (error) {
      if (systemCode(error) === undefined && !isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      return undefined;
    }
  }

  async #names(path: string): Promise<string[]> {
    return this.#fs.readdir(path).catch(() => []);
  }
}

/** Reads the tombstones of the time that the store has: manifests without a segment. Bounded in days and number. */
export async function goneInStore(
  ports: Pick<SyncParts, 'store' | 'calls'>,
  request: FetchRequest,
  signal: AbortSignal,
): Promise<GoneSegment[]> {
  const gone: GoneSegment[] = [];
  for (const date of datesOf(request)) {
    const prefix = `robot=${encodeName(request.robot)}/date=${date}/`;
    for (const key of await loneManifests(ports, prefix, signal)) {
      if (gone.length >= GONE_MAX) return gone;
      const text = (await readObject(ports, key, signal))?.toString('utf8');
      const manifest = text === undefined ? undefined : parsed(text, key);
      if (manifest?.evicted && isWanted(manifest, request)) gone.push(goneSegment(manifest));
    }
  }
  return gone;
}

async function loneManifests(
  { store, calls }: Pick<SyncParts, 'store' | 'calls'>,
  prefix: string,
  signal: AbortSignal,
): Promise<string[]> {
  return calls.call(`list ${prefix}`, 0, signal, async (within) => {
    const lone: string[] = [];
    let last: string | undefined;
    let seen = 0;
    for await (const { key } of store.list(prefix, { signal: within })) {
      if (++seen > KEYS_MAX) break;
      // `.json` sorts before `.mcap` of the same name.
      if (isSegmentKey(key) && last === manifestKey(key)) last = undefined;
      if (last !== undefined) lone.push(last);
      last = key.endsWith('.json') ? key : undefined;
    }
    if (last !== undefined) lone.push(last);
    return lone;
  });
}

/** The dates in keys of segments that may overlap the time: a key has the date of the first message. */
function datesOf({ from, to }: FetchRequest): string[] {
  const first = Number(BigInt(from) / NS_PER_MS) - DAY_MS;
  const last = Number(BigInt(to) / NS_PER_MS);
  const dates: string[] = [];
  for (let at = last; at >= first - DAY_MS && dates.length < DAYS_MAX; at -= DAY_MS) {
    const date = new Date(Math.max(at, 0));
    if (Number.isNaN(date.getTime())) break;
    const day = date.toISOString().slice(0, 10);
    if (/^\d{4}-/.test(day) && !dates.includes(day)) dates.push(day);
  }
  return dates;
}

function parsed(text: string, key: string): Manifest | undefined {
  try {
    return decodeManifest(text, key);
  } catch {
    return undefined;
  }
}

function goneSegment({ file, firstLogTime, lastLogTime, messages, evicted }: Manifest): GoneSegment {
  return {
    name: file.name.replace(/\.mcap$/, ''),
    ...(firstLogTime === undefined || lastLogTime === undefined ? {} : { firstLogTime, lastLogTime }),
    ...{ messages, bytes: file.bytes, at: evicted?.at ?? '0', reason: evicted?.reason ?? 'unknown' },
  };
}
