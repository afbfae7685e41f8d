import type * as promises from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import type { Clock } from '../../src/core/clock.js';
import type { FileSystem } from '../../src/core/file-system.js';
import type { OpenProgressDatabase } from '../../src/sync/progress-database.js';
import type { FaultScript } from '../support/memory-store.js';
import { realClock } from './sync-world.js';

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
    now: realClock.now,
    monotonic: realClock.monotonic,
    sleep: async (ms, signal) => {
      if (!this.isDead) await realClock.sleep(ms, signal);
      if (this.isDead) await new Promise(() => undefined);
    },
  };

  /** The real disk, every change a step. */
  readonly fs: FileSystem = {
    ...fs,
    rename: async (from: promises.FileHandle | string, to: string) => {
      await this.step('rename');
      await fs.rename(from as string, to);
      await this.step('after rename');
    },
    unlink: async (path: string) => {
      await this.step('unlink');
      await fs.unlink(path);
    },
    open: async (path: string, flags?: string) => {
      if (flags === 'w') await this.step('create file');
      const handle = await fs.open(path, flags);
      // Killed, not unplugged: nothing here depends on the flush, and it takes most of the time.
      handle.sync = async () => undefined;
      return handle;
    },
  } as FileSystem;

  /** A database whose content outlives the process; a write is a step. */
  progress(content: Map<string, string>): OpenProgressDatabase {
    return async () => {
      return {
        entries: async function* (prefix) {
          for (const [key, value] of [...content].sort()) if (key.startsWith(prefix)) yield [key, value];
        },
        write: async (changes, sync) => {
          await this.step(sync ? 'synced progress' : 'progress');
          for (const [key, value] of changes) {
            if (value === undefined) content.delete(key);
            else content.set(key, value);
          }
          await this.step('after progress');
        },
        close: async () => undefined,
      };
    };
  }
}
