import { describeError } from './errors.js';
import type { Listen } from './listen.js';
import type { Logger } from './logger.js';

/**
 * Calls its listeners synchronously. If a listener throws, the error is logged and the others are still
 * called.
 */
export class Emitter<T> {
  readonly #listeners = new Set<(event: T) => void>();

  readonly #what: string;
  readonly #logger: Logger;

  /** @param what - Who listens, for the log: `a listener of <what> failed`. */
  constructor(what: string, logger: Logger) {
    this.#what = what;
    this.#logger = logger;
  }

  /** Whether anybody listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  readonly listen: Listen<T> = (listener) => {
    // Wrapped in a new function, so that one listener added twice counts as two.
    const entry = (event: T): void => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  };

  emit(event: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#logger.error(`a listener of ${this.#what} failed`, { error: describeError(error) });
      }
    }
  }
}
