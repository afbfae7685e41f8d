import type { Clock } from '../core/clock.js';
import { Emitter } from '../core/emitter.js';
import type { Listen } from '../core/listen.js';
import type { Logger } from '../core/logger.js';

/** Reports changes of the status, at most once per turn of the event loop, and waits for a state. */
export class StatusChanges {
  readonly #clock: Clock;
  readonly #changes: Emitter<void>;
  readonly #waiting = new Set<() => void>();
  #isQueued = false;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#changes = new Emitter('sync status changes', logger);
  }

  get listen(): Listen<void> {
    return this.#changes.listen;
  }

  changed(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#clock.soon(() => {
      this.#isQueued = false;
      for (const look of [...this.#waiting]) look();
      this.#changes.emit();
    });
  }

  /** Waits for a state, which is checked after every change. Returns false if a signal came first. */
  until(reached: () => boolean, signals: readonly AbortSignal[]): Promise<boolean> {
    return new Promise((resolve) => {
      const look = (): void => {
        const isReached = reached();
        if (!isReached && !signals.some(({ aborted }) => aborted)) return;
        this.#waiting.delete(look);
        for (const signal of signals) signal.removeEventListener('abort', look);
        resolve(isReached);
      };
      this.#waiting.add(look);
      for (const signal of signals) signal.addEventListener('abort', look);
      look();
    });
  }
}
