/** Runs tasks one at a time, in the order of the calls. */
export class SerialQueue {
  #last: Promise<unknown> = Promise.resolve();
  #length = 0;

  /** Number of unfinished tasks, including the one that runs. */
  get length(): number {
    return this.#length;
  }

  /** Settles as `work` does. A task that fails does not stop the next one. */
  run<T>(work: () => Promise<T>): Promise<T> {
    this.#length++;
    const result = this.#last.then(work).finally(() => this.#length--);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
