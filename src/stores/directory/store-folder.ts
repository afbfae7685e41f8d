import { dirname, join } from 'node:path';
import { HoldfastError } from '../../core/errors.js';
import type { FileHandle, FileSystem } from '../../core/file-system.js';
import { ID_KEY, RESERVED_SEGMENT } from '../object-key.js';
import { ID_MAX_BYTES, parseStoreId } from '../store-id.js';
import { hasCode } from './directory-errors.js';

/** Holds incomplete files and folders until they are renamed or linked into place. */
export const TEMPORARY = [RESERVED_SEGMENT, 'tmp'] as const;
export const UPLOADS = [RESERVED_SEGMENT, 'uploads'] as const;

/**
 * The folder of one directory store, and how its content becomes durable. It never creates its root as a side
 * effect and never follows a symbolic link below it. Once an id is known, it changes nothing while that id is
 * absent: a disk that was unmounted while sync runs leaves an empty folder, and the next mount would hide
 * files written there.
 */
export class StoreFolder {
  readonly root: string;
  readonly uri: string;
  /** False after a hard link was refused (FAT, exFAT, some network shares). */
  hardLinks = true;
  #knownId: string | undefined;

  constructor(
    readonly fs: FileSystem,
    root: string,
    uri = `dir:${root}`,
  ) {
    this.root = root;
    this.uri = uri;
  }

  at(...segments: readonly string[]): string {
    return join(this.root, ...segments);
  }

  async readId(): Promise<string | undefined> {
    const text = await this.readSmall(ID_KEY, ID_MAX_BYTES);
    if (text === undefined) return undefined;
    const id = parseStoreId(text, this.uri);
    this.#knownId ??= id;
    return id;
  }

  /** The beginning of one of Holdfast's own small files; undefined if it does not exist. */
  async readSmall(key: string, maxBytes: number): Promise<string | undefined> {
    await this.#refuseSymbolicLinks(key.split('/'));
    let handle: FileHandle;
    try {
      handle = await this.fs.open(this.at(key), 'r');
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
    try {
      const buffer = Buffer.alloc(maxBytes);
      const { bytesRead } = await handle.read(buffer, 0, maxBytes, 0);
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  /** Throws unless the store is really there: `STORE_OFFLINE`, `STORE_MISMATCH`, `STORE_NOT_FOUND`. */
  async requirePresent(): Promise<void> {
    if (this.#knownId === undefined) return this.#requireRoot();
    const id = await this.readId();
    if (id === undefined) {
      throw new HoldfastError('STORE_OFFLINE', `${this.uri} has lost its id object; is the disk mounted?`, {
        facts: { uri: this.uri, storeId: this.#knownId },
      });
    }
    if (id !== this.#knownId) {
      throw new HoldfastError('STORE_MISMATCH', `${this.uri} was ${this.#knownId} and now is ${id}`, {
        facts: { uri: this.uri, expected: this.#knownId, found: id },
      });
    }
  }

  async #requireRoot(): Promise<void> {
    const found = await this.fs.stat(this.root).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    });
    if (found?.isDirectory()) return;
    const why = found ? 'is not a folder' : 'does not exist';
    throw new HoldfastError(
      'STORE_NOT_FOUND',
      `the store's folder ${this.root} ${why}; is the disk mounted?`,
      {
        facts: { uri: this.uri },
      },
    );
  }

  /**
   * Creates the root itself if its parent exists. With one level only, a typing error cannot create a deep
   * path.
   */
  async createRoot(): Promise<void> {
    try {
      await this.fs.mkdir(this.root);
    } catch (error) {
      if (hasCode(error, 'EEXIST')) return this.#requireRoot();
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
      throw new HoldfastError(
        'STORE_NOT_FOUND',
        `neither ${this.root} nor its parent is a folder: mount the disk, or create it with mkdir -p`,
        { cause: error, facts: { uri: this.uri } },
      );
    }
    await this.syncFolder(dirname(this.root));
  }

  /** Creates the folders below the root that lead to `segments`, each entry durable. */
  async makeFolders(segments: readonly string[]): Promise<void> {
    for (let depth = 1; depth <= segments.length; depth++) {
      const path = this.at(...segments.slice(0, depth));
      try {
        await this.fs.mkdir(path);
      } catch (error) {
        if (!hasCode(error, 'EEXIST')) throw error;
        await this.#requirePlainFolder(path);
        continue;
      }
      await this.syncFolder(dirname(path));
    }
  }

  async #requirePlainFolder(path: string): Promise<void> {
    const found = await this.fs.lstat(path);
    if (found.isDirectory()) return;
    const what = found.isSymbolicLink() ? 'a symbolic link' : 'not a folder';
    throw new HoldfastError('STORE_REJECTED', `${path} is ${what}; the store does not write through it`, {
      facts: { path },
    });
  }

  /** The path of an existing key for reading; undefined if nothing is there. */
  async find(
    segments: readonly string[],
  ): Promise<{ path: string; bytes: number; etag: string } | undefined> {
    await this.#refuseSymbolicLinks(segments);
    const path = this.at(...segments);
    try {
      const found = await this.fs.lstat(path);
      if (found.isFile()) return { path, bytes: found.size, etag: etagOf(found) };
    } catch (error) {
      if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error;
    }
    await this.requirePresent();
    return undefined;
  }

  async #refuseSymbolicLinks(segments: readonly string[]): Promise<void> {
    for (let depth = 1; depth <= segments.length; depth++) {
      const path = this.at(...segments.slice(0, depth));
      try {
        if ((await this.fs.lstat(path)).isSymbolicLink()) await this.#requirePlainFolder(path);
      } catch (error) {
        if (hasCode(error, 'ENOENT', 'ENOTDIR')) return;
        throw error;
      }
    }
  }

  /** Creates a file with this content, durable itself; its directory entry is not durable yet. */
  async writeNew(path: string, data: string | Uint8Array): Promise<void> {
    const handle = await this.fs.open(path, 'wx');
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  /**
   * Moves a finished, synced file to its place. With `ifAbsent` it uses a hard link, which fails atomically
   * if the name exists; without hard links a check and a rename, which two writers could race. Throws
   * `OBJECT_EXISTS`. The temporary name may stay behind.
   */
  async publish(temporary: string, segments: readonly string[], ifAbsent: boolean): Promise<void> {
    await this.makeFolders(segments.slice(0, -1));
    const target = this.at(...segments);
    if (!ifAbsent) await this.fs.rename(temporary, target);
    else if (!(await this.#link(temporary, target))) await this.#renameIfAbsent(temporary, target);
    await this.syncFolder(dirname(target));
  }

  async #link(temporary: string, target: string): Promise<boolean> {
    if (!this.hardLinks) return false;
    try {
      await this.fs.link(temporary, target);
    } catch (error) {
      if (hasCode(error, 'EEXIST')) {
        // A crash after the link and before the clean-up: the object is this very file.
        if (await this.isSameFile(temporary, target)) return true;
        throw await this.#exists(target);
      }
      if (!hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EXDEV', 'EMLINK')) throw error;
      this.hardLinks = false;
    }
    return this.hardLinks;
  }

  async #renameIfAbsent(temporary: string, target: string): Promise<void> {
    const there = await this.fs.lstat(target).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (there) throw await this.#exists(target);
    await this.fs.rename(temporary, target);
  }

  async #exists(target: string): Promise<HoldfastError> {
    if ((await this.fs.lstat(target)).isDirectory()) {
      return new HoldfastError('STORE_REJECTED', `${target} is a folder, so no object can be there`, {
        facts: { path: target },
      });
    }
    return new HoldfastError('OBJECT_EXISTS', `${target} is already there`, { facts: { path: target } });
  }

  async isSameFile(a: string, b: string): Promise<boolean> {
    try {
      const [first, second] = await Promise.all([this.fs.lstat(a), this.fs.lstat(b)]);
      return first.nlink > 1 && first.ino === second.ino && first.dev === second.dev;
    } catch (error) {
      if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
      throw error;
    }
  }

  /**
   * Makes a folder's entries durable; some network shares do not support the call and return EINVAL or
   * ENOTSUP.
   */
  async syncFolder(path: string): Promise<void> {
    const handle = await this.fs.open(path, 'r');
    try {
      await handle.sync();
    } catch (error) {
      if (!hasCode(error, 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP')) throw error;
    } finally {
      await handle.close();
    }
  }
}

/** Distinguishes a file from an earlier one at the same path: a folder has nothing better. */
export function etagOf({ mtimeMs }: { readonly mtimeMs: number }): string {
  return `mtime-${mtimeMs}`;
}
