import { Level } from 'level';

/** `unwritten`: nothing reaches the log. `unsynced`: it is written, and its fsync fails. */
export type LevelRefusal = 'unwritten' | 'unsynced';

type Batch = (this: unknown, ...parameters: unknown[]) => Promise<void>;

/**
 * Commits to LevelDB that a full disk refuses as long as {@link refusal} says so. LevelDB writes its own files, so
 * no file system of a test can refuse them. It applies to every database of this process until it is disposed.
 */
export class RefusingLevel implements Disposable {
  refusal: LevelRefusal | undefined;
  readonly #prototype = Level.prototype as unknown as { batch?: Batch };

  constructor() {
    const real = this.#prototype.batch as Batch;
    const refusalNow = (): LevelRefusal | undefined => this.refusal;
    this.#prototype.batch = async function (this: unknown, ...parameters) {
      const refusal = refusalNow();
      if (refusal !== 'unwritten') await real.apply(this, parameters);
      if (refusal === undefined) return;
      const message = 'IO error: 000003.log: No space left on device';
      throw Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' });
    };
  }

  [Symbol.dispose](): void {
    // The real one is inherited.
    delete this.#prototype.batch;
  }
}
