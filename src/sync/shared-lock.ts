import type { DataFolder } from '../core/data-folder.js';
import { acquireRoleLock, type RoleLock } from '../host/role-lock.js';
import type { SyncPorts } from './sync-ports.js';

type LockPorts = Pick<SyncPorts, 'fs' | 'acquireLock' | 'logger'>;

/** One lock for all engines: taken for the first that asks, released when the group ends. */
export class SharedLock {
  #taking: Promise<RoleLock> | undefined;

  readonly #ports: LockPorts;

  constructor(ports: LockPorts) {
    this.#ports = ports;
  }

  async take(folder: DataFolder): Promise<RoleLock> {
    const { fs, acquireLock, logger } = this.#ports;
    this.#taking ??= acquireLock?.(fs, folder) ?? acquireRoleLock(fs, folder, 'sync', logger);
    try {
      await this.#taking;
    } catch (error) {
      // The next caller tries again.
      this.#taking = undefined;
      throw error;
    }
    const close = (): Promise<void> => Promise.resolve();
    return { close, [Symbol.asyncDispose]: close };
  }

  async close(): Promise<void> {
    await (await this.#taking)?.close();
  }
}
