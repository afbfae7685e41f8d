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
import { faultOf, openRequest, refusalOf, type OpenRequests } from './fetch-answer.js';
import { encodedRobotOf } from './fetch-match.js';
import { readObject } from './put-manifest.js';
import { StoreTrouble } from './store-calls.js';
import type { SyncParts } from './sync-parts.js';

type Parts = Pick<
  SyncParts,
  'calls' | 'clock' | 'dataFolderId' | 'lifetime' | 'logger' | 'options' | 'receipts' | 'store' | 'table'
>;

/** Bounds of what strangers can cause by objects in the store. */
const ROBOTS_MAX = 64;
const KEYS_MAX = 2_000;
const OPEN_MAX = 100;
const DAY_NS = 86_400_000n * NS_PER_MS;
/** How long an answered request stays in the store after its expiry. */
const KEEP_NS = 7n * DAY_NS;
/** Answers in the store are brought up to date this often. */
const STORE_ANSWER_MS = 10_000;

/** Requests that lie as objects in the store, with an answer beside each (`fetch-request.ts`). */
export class StoreRequests {
  readonly #parts: Parts;
  readonly #open: OpenRequests;
  /** Requests that have a final answer, or that are not usable. */
  readonly #settled = new Set<string>();
  #folder: string | undefined;
  #rotation = 0;

  /** @param open - Requests that are worked on, by id; those of the store are added and removed here. */
  constructor(parts: Parts, open: OpenRequests) {
    this.#parts = parts;
    this.#open = open;
  }

  /** Lists the requests to the robots of this data folder. */
  async look(): Promise<void> {
    this.#folder ??= createHash('sha256')
      .update(await this.#parts.dataFolderId())
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
    for (const [id, { origin }] of this.#open)
      if (origin === prefix && !present.has(id)) this.#open.delete(id);
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
        this.#open.set(
          id,
          openRequest(request, {
            ...{ origin: prefix, everyMs: STORE_ANSWER_MS },
            write: (answer) => this.#write(prefix, answer),
            settle: () => this.#settle(prefix, request),
          }),
        );
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

  async #write(prefix: string, answer: FetchAnswer): Promise<void> {
    const { calls, store, lifetime } = this.#parts;
    const key = answerKey(prefix, answer.id, this.#folder ?? '');
    const data = Buffer.from(encodeAnswer(answer));
    await calls.call(`put ${key}`, data.length, lifetime, (signal) => store.put(key, data, { signal }));
  }

  /** Old requests go, so that the list stays short; without the right to delete they stay. */
  async #settle(prefix: string, request: FetchRequest): Promise<void> {
    const { calls, clock, store, lifetime } = this.#parts;
    this.#settled.add(request.id);
    if (clock.now() <= BigInt(request.expiresAt) + KEEP_NS) return;
    for (const key of [answerKey(prefix, request.id, this.#folder ?? ''), requestKey(request)]) {
      await calls
        .call(`delete ${key}`, 0, lifetime, (signal) => store.delete(key, { signal }))
        .catch(() => undefined);
    }
  }
}
