import { onAbort } from '../core/on-abort.js';

/** Holds commits while the disk is full. */
export class CommitGate {
  #isOpen = true;
  readonly #waiting = new Set<() => void>();

  set(isOpen: boolean): void {
    this.#isOpen = isOpen;
    if (isOpen) for (const done of [...this.#waiting]) done();
  }

  /** Resolves when the gate is open, or when the signal aborts. */
  async pass(signal?: AbortSignal): Promise<void> {
    while (!this.#isOpen && !signal?.aborted) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#waiting.delete(done);
          unlisten?.();
          resolve();
        };
        this.#waiting.add(done);
        const unlisten = signal && onAbort(signal, done);
      });
    }
  }
}
