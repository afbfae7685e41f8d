import type * as promises from 'node:fs/promises';

/**
 * The disk, injected. Its real implementation is the module `node:fs/promises` itself; tests wrap it to
 * fail or to record. Everything that must survive power loss goes through `durable-files.ts`.
 */
export type FileSystem = Pick<
  typeof promises,
  | 'open'
  | 'mkdir'
  | 'readdir'
  | 'readFile'
  | 'rename'
  | 'rm'
  | 'rmdir'
  | 'unlink'
  | 'stat'
  | 'lstat'
  | 'statfs'
  | 'link'
  | 'truncate'
>;

export type FileHandle = promises.FileHandle;
