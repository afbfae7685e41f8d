import * as realFs from 'node:fs/promises';
import type { FileSystem } from '../../src/core/file-system.js';

export interface Refusal {
  /** `open`, `rename`, ... or of an open file `write`, `writev`, `writeFile`, `sync`, `datasync`; or several. */
  readonly operation: string | ReadonlySet<string>;
  readonly path: RegExp;
  readonly code: string;
}

/** The real disk, but for calls that are refused as long as {@link refusal} says so. */
export class RefusingFs {
  refusal: Refusal | undefined;
  refused = 0;
  readonly fs: FileSystem = this.#wrap(realFs, undefined) as unknown as FileSystem;

  #wrap(target: object, handlePath: string | undefined): object {
    return new Proxy(target, {
      get: (object, operation: string) => {
        const value = (object as Record<string, unknown>)[operation];
        if (typeof value !== 'function') return value;
        return (...parameters: unknown[]): unknown => {
          const path = handlePath ?? String(parameters[0]);
          const { refusal } = this;
          if (refusal && has(refusal.operation, operation) && refusal.path.test(path)) {
            this.refused++;
            return Promise.reject(
              Object.assign(new Error(`${refusal.code}: refused`), { code: refusal.code }),
            );
          }
          const result = (value as (...all: unknown[]) => unknown).apply(object, parameters);
          if (handlePath !== undefined || operation !== 'open') return result;
          return (result as Promise<object>).then((handle) => this.#wrap(handle, path));
        };
      },
    });
  }
}

function has(operations: Refusal['operation'], operation: string): boolean {
  return typeof operations === 'string' ? operations === operation : operations.has(operation);
}
