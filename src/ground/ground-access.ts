import type { Clock, Timer } from '../core/clock.js';
import { describeError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { AccessPolicy, Identity } from '../monitors/http/access.js';
import type { PeopleRegistry } from './people-registry.js';

/** A first user that is added by another process counts within this time. */
const LOOK_MS = 2_000;

/**
 * Who may ask the ground. Without users and on a loopback address, everybody on this machine may do everything.
 * With the first user, or on another address, each request needs a token.
 */
export class GroundAccess implements AccessPolicy, Disposable {
  readonly anonymous: Identity = { name: 'local', role: 'admin' };
  readonly #people: PeopleRegistry;
  readonly #isLoopback: boolean;
  readonly #timer: Timer;
  #hasUsers = false;

  private constructor(
    people: PeopleRegistry,
    isLoopback: boolean,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#people = people;
    this.#isLoopback = isLoopback;
    const look = (): void =>
      void this.#look().catch((error: unknown) => {
        ports.logger.warn('the users of the ground cannot be listed', { error: describeError(error) });
      });
    this.#timer = ports.clock.every(LOOK_MS, look, { background: true });
  }

  /** Rejects if the users cannot be read. */
  static async open(
    people: PeopleRegistry,
    isLoopback: boolean,
    ports: { readonly clock: Clock; readonly logger: Logger },
  ): Promise<GroundAccess> {
    const access = new GroundAccess(people, isLoopback, ports);
    await access.#look();
    return access;
  }

  get needsToken(): boolean {
    return this.#hasUsers || !this.#isLoopback;
  }

  async identify(token: string): Promise<Identity | undefined> {
    const found = await this.#people.admit(token);
    return found === undefined ? undefined : { name: found.user, role: found.role };
  }

  [Symbol.dispose](): void {
    this.#timer.cancel();
  }

  /** Once there were users, tokens stay needed until the ground starts again: nothing opens by itself. */
  async #look(): Promise<void> {
    if (!this.#hasUsers) this.#hasUsers = (await this.#people.list()).length > 0;
  }
}
