import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import type { FileHandle, FileSystem } from '../../src/core/file-system.js';

const ENOUGH_OPERATIONS = 5_000;

/** The real disk; counts open files, and fails one operation of it or of an open file, a close after it has closed. */
export class CountedDisk {
  operations = 0;
  /** Of the operation that failed. */
  failed: string | undefined;
  readonly fs: FileSystem;
  readonly #open = new Map<number, string>();
  #opened = 0;
  readonly #failAt: number;

  constructor(failAt: number) {
    this.#failAt = failAt;
    const wrapped = Object.entries(fs as unknown as Record<string, unknown>).map(([name, value]) => [
      name,
      typeof value === 'function' ? this.#counting(name, value as Operation) : value,
    ]);
    this.fs = Object.fromEntries(wrapped) as FileSystem;
  }

  /** Paths of the files that are open. */
  get open(): readonly string[] {
    return [...this.#open.values()];
  }

  #counting(name: string, operation: Operation): Operation {
    return async (...args) => {
      this.#note(name, String(args[0]));
      const result = await operation(...args);
      return name === 'open' ? this.#handle(result as FileHandle, String(args[0])) : result;
    };
  }

  #handle(handle: FileHandle, path: string): FileHandle {
    const number = this.#opened++;
    this.#open.set(number, path);
    return new Proxy(handle, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        return async (...args: unknown[]) => {
          const isClose = name === 'close' || name === Symbol.asyncDispose;
          if (isClose) {
            this.#open.delete(number);
            await target.close();
          }
          this.#note(String(name), path);
          return isClose ? undefined : (value as Operation).apply(target, args);
        };
      },
    });
  }

  #note(operation: string, path: string): void {
    if (++this.operations !== this.#failAt) return;
    this.failed = `${operation} ${path}`;
    throw Object.assign(new Error(`EIO: ${this.failed}`), { code: 'EIO' });
  }
}

type Operation = (...args: unknown[]) => Promise<unknown>;

/**
 * Fails every operation of the work in turn, and looks at what is still open each time. The work may reject, and must
 * do the same each time. Returns the number of operations.
 */
export async function failEverywhere(work: (fileSystem: FileSystem) => Promise<unknown>): Promise<number> {
  for (let failAt = 1; ; failAt++) {
    const disk = new CountedDisk(failAt);
    await work(disk.fs).catch(() => undefined);
    assert.deepEqual(disk.open, [], `left open when operation ${failAt} fails: ${disk.failed}`);
    if (disk.failed === undefined) return disk.operations;
    assert.ok(failAt < ENOUGH_OPERATIONS);
  }
}
