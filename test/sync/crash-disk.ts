import type * as promises from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import type { Clock } from '../../src/core/clock.js';
import type { FileSystem } from '../../src/core/file-system.js';
import type { SyncPorts } from '../../src/sync/sync-engine.js';
import type { OpenProgressDatabase } from '../../src/sync/progress-database.js';
import type { FaultScript } from '../support/memory-store.js';
import { realClock } from './sync-world.js';

/** No lock: the processes of a test run one after the other, and a dead one has no way to give up its own. */
export const noLock: NonNullable<SyncPorts['acquireLock']> = () =>
  Promise.resolve({ close: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() });

/**
 * One process that dies at a chosen step: from there on nothing it asks for happens or is answered, which
 * is what a kill looks like from outside. Steps are store calls (before and after their effect), writes of
 * files and of the progress database.
 */
export class DyingProcess {
  readonly steps: string[] = [];
  readonly #diesAt: number;
  readonly died: Promise<void>;
  readonly #death = new AbortController();

  constructor(diesAt = Infinity) {
    this.#diesAt = diesAt;
    this.died = new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve());
    });
  }

  /** Aborts at death, only so that nothing of the dead keeps the test process alive. */
  get signal(): AbortSignal {
    return this.#death.signal;
  }

  get isDead(): boolean {
    return this.steps.length > this.#diesAt;
  }

  /** Never returns once the process is dead. */
  async step(name: string): Promise<void> {
    if (this.steps.length <= this.#diesAt) this.steps.push(name);
    if (!this.isDead) return;
    this.#death.abort();
    await new Promise(() => undefined);
  }

  readonly faults: FaultScript = (call, phase) =>
    this.step(`${phase} ${call.method} ${call.partNumber ?? ''}`);

  /** Time stands still for the dead. */
  readonly clock: Clock = {
    after: (ms, run, options) => realClock.after(ms, () => this.isDead || run(), options),
    every: (ms, run, options) => realClock.every(ms, () => this.isDead || run(), options),
    soon: (run) => realClock.soon(() => this.isDead || run()),
    now: () => realClock.now(),
    monotonic: () => realClock.monotonic(),
    sleep: async (ms, signal) => {
      if (!this.isDead) await realClock.sleep(ms, signal);
      if (this.isDead) await new Promise(() => undefined);
    },
  };

  readonly #underWay = new Set<Promise<unknown>>();
  readonly #open = new Set<promises.FileHandle>();

  /**
   * What the work of this process gives, or `undefined` if the process dies first. Resolves when nothing that was
   * begun before the death is under way: else a write that the busy machine delays would end in the middle of the
   * next life, into the file that this one writes.
   */
  async outcomeOf<T>(work: Promise<T>): Promise<T | undefined> {
    const result = await Promise.race([work, this.died.then(() => undefined)]);
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    // The kernel closes what a killed process had open.
    if (this.isDead) await Promise.allSettled([...this.#open].map((handle) => handle.close()));
    return result;
  }

  /** Does it, unless the process is dead. */
  async #alive<T>(change: () => Promise<T>): Promise<T> {
    if (this.isDead) await new Promise(() => undefined);
    const done = change();
    this.#underWay.add(done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(done);
    }
  }

  /** The real disk, every change a step. */
  readonly fs: FileSystem = {
    ...fs,
    rename: async (from: promises.FileHandle | string, to: string) => {
      await this.step('rename');
      await this.#alive(() => fs.rename(from as string, to));
      await this.step('after rename');
    },
    unlink: async (path: string) => {
      await this.step('unlink');
      await this.#alive(() => fs.unlink(path));
    },
    rm: (path: string, options: object) => this.#alive(() => fs.rm(path, options)),
    open: async (path: string, flags?: string) => {
      if (flags === 'w') await this.step('create file');
      const handle = await this.#alive(async () => {
        const opened = await fs.open(path, flags);
        this.#open.add(opened);
        return opened;
      });
      // Killed, not unplugged: nothing here depends on the flush, and it takes most of the time.
      handle.sync = () => Promise.resolve();
      const [read, close] = [handle.read.bind(handle), handle.close.bind(handle)];
      handle.read = (...given: Parameters<typeof read>) => this.#alive(() => read(...given));
      handle.close = () => {
        this.#open.delete(handle);
        return close();
      };
      const writeFile = handle.writeFile.bind(handle);
      handle.writeFile = async (...given) => {
        await this.#alive(() => writeFile(...given));
      };
      return handle;
    },
  } as FileSystem;

  /** A database whose content outlives the process; a write is a step. */
  progress(content: Map<string, string>): OpenProgressDatabase {
    return () =>
      Promise.resolve({
        entries: async function* (prefix) {
          for (const [key, value] of [...content].sort())
            if (key.startsWith(prefix)) yield await Promise.resolve([key, value] as const);
        },
        write: async (changes, sync) => {
          await this.step(sync ? 'synced progress' : 'progress');
          for (const [key, value] of changes) {
            if (value === undefined) content.delete(key);
            else content.set(key, value);
          }
          await this.step('after progress');
        },
        close: () => Promise.resolve(),
      });
  }
}
