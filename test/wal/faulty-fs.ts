import * as realFs from 'node:fs/promises';
import type { FileHandle, FileSystem } from '../../src/core/file-system.js';

/** One call of the file system, as a fault may choose it. */
export interface FsCall {
  readonly method: string;
  readonly path: string;
  /** From 1, over all calls. */
  readonly number: number;
}

const handleMethods = ['writev', 'write', 'writeFile', 'sync', 'datasync', 'truncate'] as const;
const fsMethods = ['open', 'mkdir', 'rename', 'rm', 'rmdir', 'unlink', 'link', 'truncate'] as const;

/**
 * The real file system, with what changes something passing through `before`: it may throw instead of the
 * call, or count. Reading is never touched.
 */
export function watchedFs(before: (call: FsCall) => void): FileSystem {
  let number = 0;
  const note = (method: string, path: unknown): void =>
    before({ method, path: String(path), number: ++number });
  const wrapped = Object.fromEntries(
    fsMethods.map((method) => [
      method,
      async (...args: unknown[]) => {
        const opensToRead = method === 'open' && (args[1] === 'r' || args[1] === undefined);
        if (!opensToRead) note(method, args[0]);
        const result = await (realFs[method] as (...rest: unknown[]) => Promise<unknown>)(...args);
        return method === 'open' ? watchedHandle(result as FileHandle, String(args[0]), note) : result;
      },
    ]),
  );
  return { ...realFs, ...wrapped };
}

function watchedHandle(
  handle: FileHandle,
  path: string,
  note: (method: string, path: unknown) => void,
): FileHandle {
  const watched = new Set<string>(handleMethods);
  return new Proxy(handle, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const method = (...args: unknown[]): unknown =>
        (value as (...rest: unknown[]) => unknown).apply(target, args);
      if (!watched.has(String(name))) return method;
      return async (...args: unknown[]) => {
        note(String(name), path);
        return await method(...args);
      };
    },
  });
}

export function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code });
}
