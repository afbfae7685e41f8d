import { NS_PER_MS } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import { isFinal, type FetchAnswer, type FetchRequest } from '../core/fetch-request.js';
import { isAborted } from '../core/is-aborted.js';
import { encryptedKey } from '../core/manifest.js';
import { composeAnswer, type OpenRequest } from './fetch-answer.js';
import { GONE_MAX, goneInStore, LocalManifests, type MatchedSegment } from './fetch-match.js';
import { FolderRequests } from './folder-requests.js';
import { StoreTrouble } from './store-calls.js';
import { StoreRequests } from './store-requests.js';
import { WakeUp } from './wake-up.js';
import type { SyncParts } from './sync-parts.js';

type Parts = Pick<
  SyncParts,
  | 'calls'
  | 'clock'
  | 'dataFolderId'
  | 'encryption'
  | 'folder'
  | 'fs'
  | 'isTableValid'
  | 'lifetime'
  | 'link'
  | 'logger'
  | 'options'
  | 'receipts'
  | 'sink'
  | 'store'
  | 'table'
>;

export interface FetchHooks {
  /** These segments go before all others; it replaces the earlier set. */
  readonly request: (names: Iterable<string>) => void;
  /** Share of a segment that was sent, 0 to 1. */
  readonly progressOf: (name: string) => number | undefined;
}

const OFF_MS = 86_400_000;
/** Until the store was asked for the first time. */
const FIRST_MS = 1_000;
/** While there is nothing to do, the folder is looked at this often; the recorder wakes sync as well. */
const FOLDER_IDLE_MS = 10_000;

/**
 * Answers the requests for segments that lie in the store, and those that came over the uplink: uploads what
 * matches before everything else, and writes what it does into an answer beside each request. It remembers
 * nothing: after a restart it reads the requests again and comes to the same result.
 */
export class FetchRequests {
  readonly #parts: Parts;
  readonly #hooks: FetchHooks;
  readonly #local: LocalManifests;
  readonly #open = new Map<string, OpenRequest>();
  readonly #inStore: StoreRequests;
  readonly #inFolder: FolderRequests;
  readonly #wakeUp = new WakeUp();
  #lookedAt: bigint | undefined;
  #isRequesting = false;

  constructor(parts: Parts, hooks: FetchHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    this.#local = new LocalManifests(parts.fs, parts.folder);
    this.#inStore = new StoreRequests(parts, this.#open);
    this.#inFolder = new FolderRequests(parts, this.#open);
  }

  /** Looks now. */
  wake(): void {
    this.#lookedAt = undefined;
    this.#wakeUp.notify();
  }

  /** Works until the engine stops. */
  async run(): Promise<void> {
    const { clock, lifetime, sink, link } = this.#parts;
    // Files made of segments have requests of the sealed segments only.
    if (sink.deriver && !sink.deriver.standsForSegment) return;
    while (!lifetime.aborted) {
      await this.#wakeUp.wait(clock, this.#waitMs(), lifetime);
      if (isAborted(lifetime)) return;
      if (!this.#parts.isTableValid()) continue;
      try {
        await this.#inFolder.look();
        if (link.state === 'online' && this.#isDue()) await this.#inStore.look();
        await this.#work();
      } catch (error) {
        if (isAborted(lifetime)) return;
        if (error instanceof StoreTrouble) continue;
        this.#parts.logger.warn('requests for segments cannot be answered', { error: describeError(error) });
      }
    }
  }

  #waitMs(): number {
    const { requestPollMs } = this.#parts.options;
    const open = [...this.#open.values()].map(({ everyMs }) => everyMs);
    return Math.min(
      ...[this.#everyMs, FOLDER_IDLE_MS, ...open],
      ...(this.#lookedAt === undefined && requestPollMs > 0 ? [FIRST_MS] : []),
    );
  }

  get #everyMs(): number {
    const { requestPollMs } = this.#parts.options;
    return requestPollMs === 0 ? OFF_MS : requestPollMs;
  }

  #isDue(): boolean {
    if (this.#parts.options.requestPollMs === 0) return false;
    const now = this.#parts.clock.monotonic();
    if (this.#lookedAt !== undefined && now - this.#lookedAt < BigInt(this.#everyMs) * NS_PER_MS)
      return false;
    this.#lookedAt = now;
    return true;
  }

  #keyOf({ key }: MatchedSegment): string {
    return (this.#parts.sink.recipients ?? []).length > 0 ? encryptedKey(key) : key;
  }

  /** Compares what is here, requests what matches, and brings the answers up to date. */
  async #work(): Promise<void> {
    const { table } = this.#parts;
    for (const one of this.#open.values()) {
      const names = [...table.values()].map(({ name }) => name).filter((name) => !one.seen.has(name));
      for (const segment of await this.#local.wanted(one.request, names))
        one.matched.set(segment.name, { ...segment, key: this.#keyOf(segment) });
      for (const name of names) one.seen.add(name);
      await this.#noteGone(one);
    }
    const live = [...this.#open.values()].filter(({ request }) => !this.#isExpired(request));
    if (live.length > 0 || this.#isRequesting)
      this.#hooks.request(live.flatMap(({ matched }) => [...matched.keys()]));
    this.#isRequesting = live.length > 0;
    for (const [id, one] of [...this.#open]) await this.#bringUpToDate(id, one);
  }

  async #bringUpToDate(id: string, one: OpenRequest): Promise<void> {
    const { clock, logger } = this.#parts;
    const answer = await this.#answer(one);
    const { at: _at, ...facts } = answer;
    const told = JSON.stringify(facts);
    const now = clock.monotonic();
    const isDue = one.toldAt === undefined || now - one.toldAt >= BigInt(one.everyMs) * NS_PER_MS;
    if (told !== one.told && (isDue || isFinal(answer))) {
      await one.write(answer);
      one.told = told;
      one.toldAt = now;
    }
    if (!isFinal(answer)) return;
    this.#open.delete(id);
    logger.info('a request for segments has ended', { id, state: answer.state, ...answer.stored });
    await one.settle();
  }

  /** Segments that were evicted before their upload: by tombstones here, and those that the store has. */
  async #noteGone(one: OpenRequest): Promise<void> {
    const fresh = await this.#local.gone(one.request);
    if (!one.isStoreAsked && this.#parts.link.state === 'online') {
      fresh.push(...(await goneInStore(this.#parts, one.request, this.#parts.lifetime)));
      one.isStoreAsked = true;
    }
    const known = new Set(one.gone.map(({ name }) => name));
    for (const gone of fresh) {
      if (!known.has(gone.name) && one.gone.length < GONE_MAX) one.gone.push(gone);
      known.add(gone.name);
    }
  }

  async #answer(one: OpenRequest): Promise<FetchAnswer> {
    const { table, clock } = this.#parts;
    const to = BigInt(one.request.to);
    const isRecording = clock.now() < to || (await this.#local.isRecording(to));
    const { progressOf } = this.#hooks;
    return composeAnswer(one, { table, now: clock.now(), isRecording, progressOf });
  }

  #isExpired({ expiresAt }: FetchRequest): boolean {
    return this.#parts.clock.now() > BigInt(expiresAt);
  }
}
