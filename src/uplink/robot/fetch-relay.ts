import { NS_PER_S, type Clock } from '../../core/clock.js';
import { describeError } from '../../core/errors.js';
import type { PlacedAnswer } from '../../core/fetch-folder.js';
import { isFinal, type FetchRequest } from '../../core/fetch-request.js';
import type { Logger } from '../../core/logger.js';
import { SerialQueue } from '../../core/serial-queue.js';
import { ownUpdate, updateOf, type FetchUpdate } from '../protocol/fetch-update.js';

/** Where the requests of the ground wait for sync of this robot. */
export interface FetchDesk {
  /** Makes these the only requests, durably. */
  replace(requests: readonly FetchRequest[]): Promise<void>;
  answers(): Promise<readonly PlacedAnswer[]>;
}

export interface FetchRelayPorts {
  readonly desk: FetchDesk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly send: (update: FetchUpdate) => void;
}

/** Updates are at most about 50 KB, and a robot may send 1 MiB/s. */
const SENT_AT_ONCE = 4;
/** What the ground may have lost is said again. */
const AGAIN_NS = 30n * NS_PER_S;

interface Told {
  readonly text: string;
  readonly at: bigint;
}

/** Keeps the requests of the ground for sync, and tells the ground what sync says: of one connection. */
export class FetchRelay {
  readonly #ports: FetchRelayPorts;
  readonly #turns = new SerialQueue();
  readonly #told = new Map<string, Told>();
  #open: readonly FetchRequest[] = [];
  #trouble = '';
  #isBusy = false;

  constructor(ports: FetchRelayPorts) {
    this.#ports = ports;
  }

  /** Replaces the open requests. */
  take(requests: readonly FetchRequest[]): void {
    const { desk, logger } = this.#ports;
    void this.#turns.run(async () => {
      this.#open = requests;
      try {
        await desk.replace(requests);
        this.#trouble = '';
      } catch (error) {
        this.#trouble = `the robot cannot keep the request: ${describeError(error)}`;
        logger.warn('requests of the ground cannot be kept', { error: describeError(error) });
      }
    });
    this.look();
  }

  /** Tells what has changed. */
  look(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    void this.#turns.run(async () => {
      try {
        await this.#look();
      } catch (error) {
        this.#ports.logger.warn('answers to the ground cannot be read', { error: describeError(error) });
      } finally {
        this.#isBusy = false;
      }
    });
  }

  async #look(): Promise<void> {
    const { desk, clock, send } = this.#ports;
    if (this.#open.length === 0) {
      this.#told.clear();
      return;
    }
    if (this.#trouble !== '') await this.#retry();
    const answers = await desk.answers();
    const updates = this.#open.flatMap((request) => {
      const given = answers.filter(({ answer }) => answer.id === request.id);
      const reason = this.#trouble || (given.length === 0 ? 'sync has not looked yet' : '');
      return [
        ...(given.some(({ answer }) => isFinal(answer))
          ? []
          : [ownUpdate(request, 'queued', clock.now(), reason)]),
        ...given.map(({ place, answer }) => updateOf(place, answer)),
      ];
    });
    const now = clock.monotonic();
    let sent = 0;
    for (const update of updates) {
      const key = `${update.id} ${update.place}`;
      const { at: _at, ...facts } = update;
      const text = JSON.stringify(facts);
      const told = this.#told.get(key);
      if (told?.text === text && now - told.at < AGAIN_NS) continue;
      if (++sent > SENT_AT_ONCE) break;
      send(update);
      this.#told.set(key, { text, at: now });
    }
  }

  async #retry(): Promise<void> {
    await this.#ports.desk.replace(this.#open).then(
      () => (this.#trouble = ''),
      () => undefined,
    );
  }
}
