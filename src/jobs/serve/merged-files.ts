import { createHash } from 'node:crypto';
import { NS_PER_S, type Clock, type Timer } from '../../core/clock.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import type { MessageFilter, RobotFilter } from '../../recordings/message-filter.js';
import type { Problem, Segment } from '../../recordings/segment.js';
import { writeMerged, type MergedContent } from '../../recordings/write-merged.js';
import { GrowingFile } from './growing-file.js';
import type { MergeWindow } from './merge-window.js';

/** The merged file of a window. Its bytes follow from its digest: they are the same whenever it is made. */
export interface MergedFile {
  /** SHA-256, hex, over the window, its segments and the version of Holdfast. */
  readonly digest: string;
  readonly file: GrowingFile;
  /** Resolves when the file is whole. */
  readonly content: Promise<MergedContent>;
  /** Parts that could not be read. */
  readonly problems: readonly Problem[];
}

export interface MergedFilesParts {
  /** The names and VINs of a window as a filter of the recording. */
  readonly robotsNamed: (given: readonly string[] | undefined) => Promise<RobotFilter>;
  /** The segments of the recording that a filter may want. */
  readonly list: (
    filter: Pick<MessageFilter, 'robots' | 'vehicles' | 'from' | 'to'>,
    onProblem: (problem: Problem) => void,
  ) => Promise<readonly Segment[]>;
  readonly fs: FileSystem;
  /** For the temporary files. */
  readonly folder: string;
  /** Of all temporary files together. */
  readonly maxBytes: number;
  readonly version: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Which file of a window a request wants. */
export interface FileWish {
  /** The one with this digest, and no other. */
  readonly digest?: string;
  /** The one that was read last, if there is one: a part of it is wanted. */
  readonly same?: boolean;
}

interface Listing {
  readonly digest: string;
  /** The window's, with the robots of its VINs. */
  readonly filter: MessageFilter;
  readonly members: ReadonlySet<string>;
  readonly segments: readonly Segment[];
  readonly problems: readonly Problem[];
  readonly at: bigint;
}

interface Entry extends MergedFile {
  readonly members: ReadonlySet<string>;
  readonly stop: AbortController;
  usedAt: bigint;
  isWhole: boolean;
}

/** Files that are made at the same time. */
const MAKING_MAX = 2;
/** Files that are kept, and windows whose segments are known. */
const KEPT_MAX = 64;
const PROBLEMS_MAX = 100;
/** A deletion reaches the merged files within this time. */
const LIST_EVERY_NS = 60n * NS_PER_S;
/** A file that nobody reads is removed after this time. */
const IDLE_NS = 3_600n * NS_PER_S;
const SWEEP_MS = 60_000;

/**
 * Makes the merged files of windows and keeps them for as long as they are read. A file is made once, in the
 * background, and read while it grows. It is removed when one of its segments is no longer there, so that deleted
 * messages are not served. Memory: one merge each for {@link MAKING_MAX} files, and the names of the segments of
 * {@link KEPT_MAX} windows.
 */
export class MergedFiles implements AsyncDisposable {
  readonly #parts: MergedFilesParts;
  readonly #files = new Map<string, Entry>();
  readonly #listings = new Map<string, Listing>();
  /** Window -> the digest of its last file. */
  readonly #last = new Map<string, string>();
  /** Files of which the temporary file is being created. */
  readonly #begun = new Map<string, Promise<Entry>>();
  readonly #sweep: Timer;
  #made = 0;

  constructor(parts: MergedFilesParts) {
    this.#parts = parts;
    this.#sweep = parts.clock.every(SWEEP_MS, () => void this.#removeIdle(), { background: true });
  }

  /**
   * The file of a window, begun if need be. Throws `STATE_REFUSED` if the wished file cannot be made any more, or if
   * too many are being made, and the errors of listing the recording.
   */
  async open(window: MergeWindow, { digest, same = false }: FileWish = {}): Promise<MergedFile> {
    const listing = await this.#list(window);
    const wished = digest ?? (same ? this.#last.get(window.key) : undefined);
    const known = wished === undefined ? undefined : this.#files.get(wished);
    if (known !== undefined) {
      if ([...known.members].every((member) => listing.members.has(member))) return this.#use(known);
      await this.#remove(known);
    }
    if (digest !== undefined && digest !== listing.digest) {
      const message = 'the recording has changed since this link was made; ask for a new link';
      throw new HoldfastError('STATE_REFUSED', message);
    }
    remember(this.#last, window.key, listing.digest);
    return this.#use(this.#files.get(listing.digest) ?? (await this.#begin(listing)));
  }

  /** Ends what is being made, and removes every file. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#sweep.cancel();
    await Promise.allSettled(this.#begun.values());
    for (const entry of [...this.#files.values()]) await this.#remove(entry);
  }

  async #list({ key, filter }: MergeWindow): Promise<Listing> {
    const { clock, list, robotsNamed, version } = this.#parts;
    const known = this.#listings.get(key);
    if (known !== undefined && clock.monotonic() - known.at < LIST_EVERY_NS) return known;
    const problems: Problem[] = [];
    const chosen = { ...filter, ...(await robotsNamed(filter.robots)) };
    const segments = await list(chosen, (problem) => {
      if (problems.length < PROBLEMS_MAX) problems.push(problem);
    });
    const names = segments.map(memberOf);
    const digest = createHash('sha256')
      .update(JSON.stringify([version, key, names]))
      .digest('hex');
    const members = new Set(names);
    const listing = { digest, filter: chosen, members, segments, problems, at: clock.monotonic() };
    remember(this.#listings, key, listing);
    return listing;
  }

  /** Once for each digest. */
  #begin(listing: Listing): Promise<Entry> {
    const { digest } = listing;
    const begun = this.#begun.get(digest);
    if (begun !== undefined) return begun;
    const making = this.#begun.size + [...this.#files.values()].filter(({ isWhole }) => !isWhole).length;
    if (making >= MAKING_MAX) {
      throw new HoldfastError('STATE_REFUSED', `${making} files are being made, try again later`, {
        retryable: true,
      });
    }
    const made = this.#make(listing).finally(() => this.#begun.delete(digest));
    this.#begun.set(digest, made);
    return made;
  }

  async #make(listing: Listing): Promise<Entry> {
    const { fs, folder, version, clock, logger } = this.#parts;
    if (this.#files.size >= KEPT_MAX) await this.#removeOldest();
    const file = await GrowingFile.create(fs, folder, `${++this.#made}.mcap`);
    const problems = [...listing.problems];
    const onProblem = (problem: Problem): void => {
      if (problems.length < PROBLEMS_MAX) problems.push(problem);
    };
    const stop = new AbortController();
    const { signal } = stop;
    const { digest, filter, members, segments } = listing;
    const writer = file.writer((bytes) => this.#makeRoom(bytes));
    const content = writeMerged(segments, writer, { filter, version, onProblem, signal });
    const entry: Entry = {
      ...{ digest, file, content, problems, members, stop },
      ...{ usedAt: clock.monotonic(), isWhole: false },
    };
    this.#files.set(digest, entry);
    content.then(
      () => {
        entry.isWhole = true;
        file.finish();
      },
      (error: unknown) => {
        if (!signal.aborted) logger.warn('a merged file could not be made', { error: describeError(error) });
        file.fail(error);
        void this.#remove(entry);
      },
    );
    return entry;
  }

  #use(entry: Entry): Entry {
    entry.usedAt = this.#parts.clock.monotonic();
    return entry;
  }

  /** Removes the files that were not read for the longest time. Throws `OUTPUT_UNUSABLE` if that is not enough. */
  async #makeRoom(bytes: number): Promise<void> {
    const { maxBytes } = this.#parts;
    const used = (): number => [...this.#files.values()].reduce((sum, { file }) => sum + file.bytes, bytes);
    while (used() > maxBytes) {
      if (await this.#removeOldest()) continue;
      const message =
        `the merged file does not fit into ${maxBytes} bytes with those that are being read: ` +
        'choose a shorter window or fewer topics, or set --scratch-bytes higher';
      throw new HoldfastError('OUTPUT_UNUSABLE', message, { facts: { maxBytes } });
    }
  }

  /** False: each is being made or read. */
  async #removeOldest(): Promise<boolean> {
    const [oldest] = this.#unread().sort((a, b) => (a.usedAt < b.usedAt ? -1 : 1));
    if (oldest !== undefined) await this.#remove(oldest);
    return oldest !== undefined;
  }

  async #removeIdle(): Promise<void> {
    const now = this.#parts.clock.monotonic();
    for (const entry of this.#unread()) if (now - entry.usedAt > IDLE_NS) await this.#remove(entry);
  }

  #unread(): Entry[] {
    return [...this.#files.values()].filter(({ isWhole, file }) => isWhole && file.readers === 0);
  }

  async #remove(entry: Entry): Promise<void> {
    if (this.#files.get(entry.digest) === entry) this.#files.delete(entry.digest);
    entry.stop.abort(new Error('the file was removed'));
    await entry.file[Symbol.asyncDispose]();
  }
}

/** The same in every place that a segment is in. */
function memberOf({ name, fileName, bytes }: Segment): string {
  return `${fileName ?? name}:${bytes}`;
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > KEPT_MAX) map.delete(map.keys().next().value ?? '');
}
