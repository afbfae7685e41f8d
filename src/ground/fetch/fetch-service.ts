import { createHash } from 'node:crypto';
import type { Clock, Timer } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { FetchRequest } from '../../core/fetch-request.js';
import type { Logger } from '../../core/logger.js';
import { SerialQueue } from '../../core/serial-queue.js';
import type { Store } from '../../core/store.js';
import { listRequests, putRequest, withdrawRequest } from '../../recordings/fetch.js';
import { updateOf, type FetchUpdate } from '../../uplink/protocol/fetch-update.js';
import type { FetchBook } from './fetch-book.js';
import type { FetchWay, KeptRequest } from './fetch-view.js';

/** The robots that are connected to this process. */
export interface ConnectedRobots {
  connected(): readonly string[];
  /** False: the robot takes no requests over its uplink. */
  tellRequests(robot: string, requests: readonly FetchRequest[]): boolean;
}

export interface FetchServicePorts {
  readonly book: FetchBook;
  readonly robots: ConnectedRobots;
  /** Stores for robots without an uplink; may be empty. */
  readonly stores: readonly Store[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Another process of the ground may have added a request. */
const TELL_MS = 1_000;
const STORE_MS = 10_000;
const EXPIRE_MS = 60_000;
/** Updates that wait for the database; the robot says everything again within 30 s. */
const WAITING_MAX = 1_000;

/** Brings requests to the robots, over their uplinks or through the stores, and notes what they say. */
export class FetchService implements AsyncDisposable {
  readonly #ports: FetchServicePorts;
  readonly #timers: readonly Timer[];
  readonly #updates = new SerialQueue();
  readonly #looks = new SerialQueue();
  readonly #told = new Set<string>();
  #isStopped = false;
  #problem = '';

  constructor(ports: FetchServicePorts) {
    this.#ports = ports;
    const { clock } = ports;
    const every = (ms: number, work: () => Promise<void>): Timer =>
      clock.every(ms, () => this.#run(work), { background: true });
    this.#timers = [
      every(TELL_MS, () => this.#tell()),
      every(STORE_MS, () => this.#askStores()),
      every(EXPIRE_MS, () => ports.book.expire(clock.now())),
    ];
  }

  /** Brings a new request on its way. */
  wake(via: FetchWay): void {
    this.#run(() => (via === 'uplink' ? this.#tell() : this.#askStores()));
  }

  /** An update of a robot. */
  note(robot: string, update: FetchUpdate): void {
    const { book, clock, logger } = this.#ports;
    if (this.#isStopped || this.#updates.length >= WAITING_MAX) return;
    void this.#updates
      .run(() => book.note(robot, update, clock.now()))
      .catch((error: unknown) => {
        logger.warn('an update of a request is not stored', { robot, error: describeError(error) });
      });
  }

  /** Removes the objects of a request that was withdrawn; over the uplink, the robot learns it by itself. */
  async withdraw({ request, via }: Pick<KeptRequest, 'request' | 'via'>): Promise<void> {
    const { stores, logger } = this.#ports;
    this.wake('uplink');
    if (via === 'uplink') return;
    for (const store of stores)
      await withdrawRequest(store, request).catch((error: unknown) => {
        logger.warn('a request cannot be withdrawn from a store', {
          ...{ id: request.id, store: store.uri, error: describeError(error) },
        });
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    for (const timer of this.#timers) timer.cancel();
    await Promise.all([this.#looks.run(() => Promise.resolve()), this.#updates.run(() => Promise.resolve())]);
  }

  #run(work: () => Promise<void>): void {
    if (this.#isStopped || this.#looks.length > 8) return;
    this.#looks.run(work).then(
      () => (this.#problem = ''),
      (error: unknown) => {
        const problem = describeError(error);
        if (problem !== this.#problem)
          this.#ports.logger.warn('requests for segments do not proceed', { error: problem });
        this.#problem = problem;
      },
    );
  }

  async #tell(): Promise<void> {
    const { book, robots, clock } = this.#ports;
    const connected = robots.connected();
    if (connected.length === 0) return;
    const open = new Map<string, FetchRequest[]>();
    for (const { request } of await book.open('uplink'))
      open.set(request.robot, [...(open.get(request.robot) ?? []), request]);
    for (const robot of connected) {
      const own = open.get(robot) ?? [];
      if (robots.tellRequests(robot, own)) continue;
      const reason =
        'the robot takes no requests over its uplink: its version is older, or ground.commands is false';
      for (const { id } of own) await book.set(id, 'refused', reason, clock.now());
    }
  }

  /** Puts requests that are missing there, and reads the answers. */
  async #askStores(): Promise<void> {
    const { book, stores } = this.#ports;
    if (stores.length === 0) return;
    const open = await book.open('store');
    this.#forget(open);
    const robots = new Set(open.map(({ request }) => request.robot));
    for (const robot of robots) {
      const own = open.filter(({ request }) => request.robot === robot);
      const problems: string[] = [];
      for (const store of stores) {
        try {
          await this.#askStore(store, robot, own);
        } catch (error) {
          problems.push(`${store.uri}: ${describeError(error)}`);
        }
      }
      await this.#say(own, problems.length === stores.length ? problems.join('; ') : '');
    }
  }

  async #askStore(store: Store, robot: string, open: readonly KeptRequest[]): Promise<void> {
    const { book, clock } = this.#ports;
    const ids = new Set(open.map(({ request }) => request.id));
    const known = await listRequests(store, robot, () => undefined, { ids });
    for (const { request } of open) {
      const found = known.find((one) => one.request.id === request.id);
      if (found === undefined) {
        // An object that is gone although the request is open: somebody withdrew it there.
        if (!this.#told.has(`${request.id} ${store.uri}`)) await putRequest(store, request);
        this.#told.add(`${request.id} ${store.uri}`);
        continue;
      }
      this.#told.add(`${request.id} ${store.uri}`);
      for (const [index, answer] of found.answers.entries()) {
        const place = createHash('sha256').update(`${store.uri} ${index}`).digest('hex').slice(0, 16);
        await book.note(robot, updateOf(place, answer), clock.now());
      }
    }
  }

  async #say(open: readonly KeptRequest[], problem: string): Promise<void> {
    const { book, clock } = this.#ports;
    const reason = problem === '' ? '' : `no store can be reached: ${problem}`.slice(0, 500);
    for (const { request, reason: before } of open)
      if (before !== reason) await book.explain(request.id, reason, clock.now());
  }

  #forget(open: readonly KeptRequest[]): void {
    const ids = new Set(open.map(({ request }) => request.id));
    for (const key of this.#told) if (!ids.has(key.slice(0, 32))) this.#told.delete(key);
  }
}
