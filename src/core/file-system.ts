import type * as promises from 'node:fs/promises';

/**
 * The disk, injected. The real implementation is the module `node:fs/promises`; tests wrap it to inject
 * failures or to record calls. Everything that must survive a power cut goes through `durable-files.ts`.
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
