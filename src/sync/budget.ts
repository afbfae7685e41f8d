interface Waiter {
  readonly amount: number;
  readonly grant: () => void;
}

/** A bounded amount of something (bytes, slots), given out first come first served. */
export class Budget {
  readonly capacity: number;
  #free: number;
  readonly #waiting: Waiter[] = [];

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#free = capacity;
  }

  get free(): number {
    return this.#free;
  }

  /**
   * Takes `amount` (at most the whole capacity is ever asked for) and returns the function that gives it
   * back, which may be called more than once. Rejects with the signal's reason.
   */
  async take(amount: number, signal: AbortSignal): Promise<() => void> {
    const share = Math.min(amount, this.capacity);
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || share > this.#free) await this.#queue(share, signal);
    else this.#free -= share;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#free += share;
      this.#serve();
    };
  }

  #queue(amount: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
        this.#serve();
      };
      const waiter: Waiter = {
        amount,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next && next.amount <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.amount;
      next.grant();
    }
  }
}
