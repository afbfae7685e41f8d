import { describeError } from './errors.js';
import type { Listen } from './events.js';
import type { Logger } from './logger.js';

/** Tells listeners, in the teller's turn. One that throws is logged and disturbs nobody. */
export class Emitter<T> {
  readonly #listeners = new Set<(event: T) => void>();

  /** @param what - Who listens, for the log: `a listener of <what> failed`. */
  constructor(
    private readonly what: string,
    private readonly logger: Logger,
  ) {}

  /** Whether anybody listens. */
  get isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  readonly listen: Listen<T> = (listener) => {
    // A function of its own, so that one listener given twice is two.
    const entry = (event: T): void => listener(event);
    this.#listeners.add(entry);
    return () => void this.#listeners.delete(entry);
  };

  emit(event: T): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.logger.error(`a listener of ${this.what} failed`, { error: describeError(error) });
      }
    }
  }
}
