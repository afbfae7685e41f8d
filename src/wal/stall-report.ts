import type { DataFolder } from '../core/data-folder.js';
import { describeError } from '../core/errors.js';
import type { WalPorts } from './wal-ports.js';
import { writeFailureCode } from './write-failure.js';

/** Reports when commits begin to fail, with the reason, and when they succeed again. */
export class StallReport {
  #isStalled = false;

  readonly #folder: DataFolder;
  readonly #ports: Pick<WalPorts, 'fs' | 'onStall'>;

  constructor(folder: DataFolder, ports: Pick<WalPorts, 'fs' | 'onStall'>) {
    this.#folder = folder;
    this.#ports = ports;
  }

  async failed(error: unknown): Promise<void> {
    const code = await writeFailureCode(this.#ports.fs, this.#folder.trash, error);
    const isFull = code === 'ENOSPC' || code === 'EDQUOT';
    this.#isStalled = true;
    this.#ports.onStall(isFull ? 'disk_full' : 'commit_failed', describeError(error));
  }

  succeeded(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#ports.onStall(undefined, '');
  }
}
