import { onAbort } from '../core/on-abort.js';

interface Waiter {
  readonly amount: number;
  readonly grant: () => void;
}

/** A bounded amount (bytes, slots), given out in the order of the requests. */
export class Budget {
  #capacity: number;
  #limit: number;
  #used = 0;
  readonly #waiting: Waiter[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#limit = capacity;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** Sets the capacity. Amounts already given out stay out. */
  resize(capacity: number): void {
    this.#capacity = capacity;
    this.#limit = capacity;
    this.#serve();
  }

  /** Gives out less for now (at most the capacity). Amounts already given out stay out. */
  limit(amount: number): void {
    this.#limit = Math.min(amount, this.#capacity);
    this.#serve();
  }

  /**
   * Takes `amount` (if it exceeds the limit: as soon as nothing else is out) and returns the function that
   * gives it back, which may be called more than once. Rejects with the signal's reason.
   */
  async take(amount: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || !this.#fits(amount)) await this.#queue(amount, signal);
    else this.#used += amount;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#used -= amount;
      this.#serve();
    };
  }

  #queue(amount: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        amount,
        grant: () => {
          unlisten();
          resolve();
        },
      };
      this.#waiting.push(waiter);
      const unlisten = onAbort(signal, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
        this.#serve();
      });
    });
  }

  #fits(amount: number): boolean {
    return this.#used === 0 || this.#used + amount <= this.#limit;
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next && this.#fits(next.amount); next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#used += next.amount;
      next.grant();
    }
  }
}
