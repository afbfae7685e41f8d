import { createHash } from 'node:crypto';
import { NS_PER_MS } from '../core/clock.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import {
  answeredIdOf,
  answerKey,
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  isFinal,
  REQUEST_DOCUMENT_MAX_BYTES,
  requestIdOf,
  requestKey,
  requestPrefixOf,
  type FetchAnswer,
  type FetchRequest,
} from '../core/fetch-request.js';
import { isAborted } from '../core/is-aborted.js';
import { encodedRobotOf, GONE_MAX, goneInStore, LocalManifests } from './fetch-match.js';
import { composeAnswer, faultOf, refusalOf, type OpenRequest } from './fetch-answer.js';
import { readObject } from './put-manifest.js';
import { StoreTrouble } from './store-calls.js';
import { WakeUp } from './wake-up.js';
import type { SyncParts } from './sync-parts.js';

type Parts = Pick<
  SyncParts,
  | 'calls'
  | 'clock'
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
  /** Names this data folder in the keys of answers. */
  readonly folderId: () => Promise<string>;
}

/** Bounds of what strangers can cause by objects in the store. */
const ROBOTS_MAX = 64;
const KEYS_MAX = 2_000;
const OPEN_MAX = 100;
const OFF_MS = 86_400_000;
/** Until the store was asked for the first time. */
const FIRST_MS = 1_000;
/** While a request is open, its answer is brought up to date this often. */
const ACTIVE_MS = 10_000;
const DAY_NS = 86_400_000n * NS_PER_MS;
/** How long an answered request stays in the store after its expiry. */
const KEEP_NS = 7n * DAY_NS;

/**
 * Answers the requests for segments that lie in the store (`fetch-request.ts`): looks for those of its robots,
 * uploads what matches before everything else, and writes what it does into an answer beside each. Nothing is
 * kept on the disk: after a restart it reads the requests again and comes to the same result.
 */
export class FetchRequests {
  readonly #parts: Parts;
  readonly #hooks: FetchHooks;
  readonly #local: LocalManifests;
  readonly #open = new Map<string, OpenRequest>();
  /** Requests that have a final answer, or that are not usable. */
  readonly #settled = new Set<string>();
  readonly #wakeUp = new WakeUp();
  #folder: string | undefined;
  #lookedAt: bigint | undefined;
  #rotation = 0;

  constructor(parts: Parts, hooks: FetchHooks) {
    this.#parts = parts;
    this.#hooks = hooks;
    this.#local = new LocalManifests(parts.fs, parts.folder);
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
    if (sink.deriver) return;
    while (!lifetime.aborted) {
      const everyMs = this.#everyMs;
      const soonest = this.#lookedAt === undefined ? FIRST_MS : this.#open.size > 0 ? ACTIVE_MS : OFF_MS;
      const waitMs = Math.min(everyMs, soonest);
      await this.#wakeUp.wait(clock, waitMs, lifetime);
      if (isAborted(lifetime)) return;
      if (this.#parts.options.requestPollMs === 0 || link.state !== 'online' || !this.#parts.isTableValid())
        continue;
      try {
        if (this.#isDue()) await this.#look();
        await this.#work();
      } catch (error) {
        if (isAborted(lifetime)) return;
        if (error instanceof StoreTrouble) continue;
        this.#parts.logger.warn('requests for segments cannot be answered', { error: describeError(error) });
      }
    }
  }

  get #everyMs(): number {
    const { requestPollMs } = this.#parts.options;
    return requestPollMs === 0 ? OFF_MS : requestPollMs;
  }

  #isDue(): boolean {
    const now = this.#parts.clock.monotonic();
    if (this.#lookedAt !== undefined && now - this.#lookedAt < BigInt(this.#everyMs) * NS_PER_MS)
      return false;
    this.#lookedAt = now;
    return true;
  }

  async #look(): Promise<void> {
    const { folderId } = this.#hooks;
    this.#folder ??= createHash('sha256')
      .update(await folderId())
      .digest('hex')
      .slice(0, 16);
    const robots = await this.#robots();
    const some = robots.length <= ROBOTS_MAX ? robots : this.#nextRobots(robots);
    for (const robot of some) await this.#lookFor(requestPrefixOf(robot));
  }

  /** Of what is here, and of what was evicted and is on record. */
  async #robots(): Promise<string[]> {
    const { table, receipts } = this.#parts;
    const robots = new Set<string>();
    for (const { name } of table.values()) robots.add(encodedRobotOf(name));
    for (const name of await receipts.list()) robots.add(encodedRobotOf(name));
    return [...robots].sort();
  }

  #nextRobots(robots: readonly string[]): string[] {
    const from = this.#rotation % robots.length;
    this.#rotation += ROBOTS_MAX;
    return [...robots.slice(from), ...robots.slice(0, from)].slice(0, ROBOTS_MAX);
  }

  async #lookFor(prefix: string): Promise<void> {
    const { calls, store, lifetime, logger } = this.#parts;
    const keys = await calls.call(`list ${prefix}`, 0, lifetime, async (signal) => {
      const found: { key: string; bytes: number }[] = [];
      for await (const { key, bytes } of store.list(prefix, { signal })) {
        if (found.length < KEYS_MAX) found.push({ key, bytes });
      }
      return found;
    });
    const own = `.${this.#folder}.answer`;
    const answered = new Set(keys.flatMap(({ key }) => (key.endsWith(own) ? (answeredIdOf(key) ?? []) : [])));
    const present = new Set<string>();
    for (const { key, bytes } of keys) {
      const id = requestIdOf(key);
      if (id === undefined) continue;
      present.add(id);
      if (this.#settled.has(id) || this.#open.has(id)) continue;
      if (this.#open.size >= OPEN_MAX) {
        logger.warn('too many open requests for segments; the others wait', { open: OPEN_MAX });
        break;
      }
      await this.#take(prefix, key, id, bytes, answered.has(id));
    }
    // Withdrawn.
    for (const [id, one] of this.#open) if (one.prefix === prefix && !present.has(id)) this.#open.delete(id);
  }

  async #take(prefix: string, key: string, id: string, bytes: number, isAnswered: boolean): Promise<void> {
    const { lifetime, logger } = this.#parts;
    try {
      if (bytes > REQUEST_DOCUMENT_MAX_BYTES) throw new Error(`${bytes} bytes are too many for a request`);
      if (isAnswered && (await this.#isAnsweredFinally(prefix, id))) {
        this.#settled.add(id);
        return;
      }
      const text = (await readObject(this.#parts, key, lifetime))?.toString('utf8');
      if (text === undefined) return;
      const request = decodeRequest(text, key);
      const fault = faultOf(request, key);
      if (fault === undefined) {
        const { robot, from, to } = request;
        logger.info('segments are requested', { id, robot, from, to, by: request.by });
        this.#open.set(id, {
          request,
          prefix,
          seen: new Set(),
          matched: new Map(),
          gone: [],
          isStoreAsked: false,
          told: '',
        });
      } else await this.#refuse(prefix, request, fault);
    } catch (error) {
      if (isAborted(lifetime) || error instanceof StoreTrouble) throw error;
      logger.warn('a request for segments is not usable and is ignored', {
        key,
        reason: describeError(error),
      });
      this.#settled.add(id);
    }
  }

  async #isAnsweredFinally(prefix: string, id: string): Promise<boolean> {
    const { lifetime } = this.#parts;
    const key = answerKey(prefix, id, this.#folder ?? '');
    const text = (await readObject(this.#parts, key, lifetime))?.toString('utf8');
    try {
      return text !== undefined && isFinal(decodeAnswer(text, key));
    } catch (error) {
      // Damaged, or written by somebody else: it is written again.
      if (isHoldfastError(error, 'MANIFEST_INVALID')) return false;
      throw error;
    }
  }

  async #refuse(prefix: string, request: FetchRequest, reason: string): Promise<void> {
    this.#settled.add(request.id);
    await this.#write(prefix, refusalOf(request, this.#parts.clock.now(), reason));
  }

  /** Compares what is here, requests what matches, and brings the answers up to date. */
  async #work(): Promise<void> {
    const { table, clock } = this.#parts;
    for (const one of this.#open.values()) {
      const names = [...table.values()].map(({ name }) => name).filter((name) => !one.seen.has(name));
      for (const segment of await this.#local.wanted(one.request, names))
        one.matched.set(segment.name, segment);
      for (const name of names) one.seen.add(name);
      await this.#noteGone(one);
    }
    const live = [...this.#open.values()].filter(({ request }) => !this.#isExpired(request));
    this.#hooks.request(live.flatMap(({ matched }) => [...matched.keys()]));
    for (const [id, one] of [...this.#open]) {
      const answer = await this.#answer(one);
      const { at: _at, ...facts } = answer;
      const told = JSON.stringify(facts);
      if (told !== one.told) await this.#write(one.prefix, answer);
      one.told = told;
      if (!isFinal(answer)) continue;
      this.#open.delete(id);
      this.#settled.add(id);
      this.#parts.logger.info('a request for segments has ended', {
        id,
        state: answer.state,
        ...answer.stored,
      });
      if (clock.now() > BigInt(one.request.expiresAt) + KEEP_NS) await this.#forget(one);
    }
  }

  /** Segments that were evicted before their upload: by tombstones here, and those that the store has. */
  async #noteGone(one: OpenRequest): Promise<void> {
    const fresh = await this.#local.gone(one.request);
    if (!one.isStoreAsked) {
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

  async #write(prefix: string, answer: FetchAnswer): Promise<void> {
    const { calls, store, lifetime } = this.#parts;
    const key = answerKey(prefix, answer.id, this.#folder ?? '');
    const data = Buffer.from(encodeAnswer(answer));
    await calls.call(`put ${key}`, data.length, lifetime, (signal) => store.put(key, data, { signal }));
  }

  /** Old requests go, so that the list stays short; without the right to delete they stay. */
  async #forget({ request, prefix }: OpenRequest): Promise<void> {
    const { calls, store, lifetime } = this.#parts;
    for (const key of [answerKey(prefix, request.id, this.#folder ?? ''), requestKey(request)]) {
      await calls
        .call(`delete ${key}`, 0, lifetime, (signal) => store.delete(key, { signal }))
        .catch(() => undefined);
    }
  }

  #isExpired({ expiresAt }: FetchRequest): boolean {
    return this.#parts.clock.now() > BigInt(expiresAt);
  }
}
