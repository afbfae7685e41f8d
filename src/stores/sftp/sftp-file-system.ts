import { posix } from 'node:path';
import type { FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import type { FileHandle, FileSystem } from '../../core/file-system.js';
import { hasCode } from '../directory/directory-errors.js';
import type { Done, SftpConnection } from './sftp-connection.js';
import { SftpHandle } from './sftp-handle.js';
import { SftpStatus, statsOf, systemError, type RemoteStats } from './sftp-status.js';

/** A name in a folder, as `readdir` gives it. */
interface RemoteEntry extends Pick<RemoteStats, 'isFile' | 'isDirectory' | 'isSymbolicLink'> {
  readonly name: string;
}

/**
 * The file system of an SFTP server (version 3, with the extensions of OpenSSH), as far as a directory store uses
 * it. Differences to a local one: `link` moves the file instead of giving it a second name, which a store cannot
 * tell apart, because it gives up the old name; files have no inode numbers; times have whole seconds.
 */
export class SftpFileSystem {
  readonly #connection: SftpConnection;

  constructor(connection: SftpConnection) {
    this.#connection = connection;
  }

  /** The members that a store needs, in the type of the port. */
  asFileSystem(): FileSystem {
    return this as unknown as FileSystem;
  }

  async open(path: string, flags: 'r' | 'r+' | 'w' | 'wx' = 'r'): Promise<FileHandle> {
    const session = await this.#connection.session();
    try {
      const id = await this.#connection.call<Buffer>(session, (sftp, done) => sftp.open(path, flags, done));
      return new SftpHandle(this.#connection, session, id, path) as unknown as FileHandle;
    } catch (error) {
      throw await this.#explain(error, 'open', path, flags === 'wx' ? 'EEXIST' : 'EISDIR');
    }
  }

  async readFile(path: string, encoding?: BufferEncoding): Promise<Buffer | string> {
    const handle = await this.open(path);
    try {
      const { size } = await handle.stat();
      const bytes = Buffer.alloc(size);
      let at = 0;
      for (let read = 1; at < size && read > 0; at += read) {
        ({ bytesRead: read } = await handle.read(bytes, at, size - at, at));
      }
      return encoding === undefined ? bytes.subarray(0, at) : bytes.toString(encoding, 0, at);
    } finally {
      await handle.close();
    }
  }

  async mkdir(path: string): Promise<void> {
    await this.#run('mkdir', path, (sftp, done) => sftp.mkdir(path, done), 'EEXIST');
  }

  async #names(path: string): Promise<string[]> {
    return (await this.#entries(path)).map(({ filename }) => filename);
  }

  #entries(path: string): Promise<FileEntryWithStats[]> {
    return this.#run<FileEntryWithStats[]>('readdir', path, (sftp, done) => sftp.readdir(path, done));
  }

  async readdir(
    path: string,
    options?: { readonly withFileTypes?: boolean },
  ): Promise<(string | RemoteEntry)[]> {
    const entries = await this.#entries(path);
    if (options?.withFileTypes !== true) return entries.map(({ filename }) => filename);
    return entries.map(({ filename: name, attrs }) => ({ ...statsOf(attrs), name }));
  }

  /** In place of an existing file, atomically. */
  async rename(from: string, to: string): Promise<void> {
    try {
      await this.#run('rename', from, (sftp, done) => sftp.ext_openssh_rename(from, to, done));
    } catch (error) {
      if (!hasCode(error, 'EIO') || !(await this.#isFolder(to))) throw error;
      throw systemError('EISDIR', 'rename', to, error);
    }
  }

  /** Moves the file, unless there is one: the rename of version 3 fails then, and OpenSSH makes that atomic. */
  async link(from: string, to: string): Promise<void> {
    try {
      await this.#run('link', from, (sftp, done) => sftp.rename(from, to, done));
    } catch (error) {
      if (hasCode(error, 'EIO') && (await this.#exists(to))) throw systemError('EEXIST', 'link', to, error);
      throw error;
    }
  }

  async unlink(path: string): Promise<void> {
    await this.#run('unlink', path, (sftp, done) => sftp.unlink(path, done), 'EISDIR');
  }

  async rm(path: string, { recursive = false, force = false } = {}): Promise<void> {
    try {
      const isFolder = (await this.lstat(path)).isDirectory();
      if (!isFolder) {
        await this.unlink(path);
        return;
      }
      if (!recursive) throw systemError('EISDIR', 'rm', path);
      for (const name of await this.#names(path)) await this.rm(posix.join(path, name), { recursive, force });
      await this.#run('rmdir', path, (sftp, done) => sftp.rmdir(path, done));
    } catch (error) {
      if (!force || !hasCode(error, 'ENOENT')) throw error;
    }
  }

  async stat(path: string): Promise<RemoteStats> {
    return statsOf(await this.#run<Stats>('stat', path, (sftp, done) => sftp.stat(path, done)));
  }

  async lstat(path: string): Promise<RemoteStats> {
    return statsOf(await this.#run<Stats>('lstat', path, (sftp, done) => sftp.lstat(path, done)));
  }

  async #run<Result>(
    action: string,
    path: string,
    work: (session: SFTPWrapper, done: Done<Result>) => unknown,
    ifExists?: string,
  ): Promise<Result> {
    const session = await this.#connection.session();
    try {
      return await this.#connection.call(session, work);
    } catch (error) {
      throw await this.#explain(error, action, path, ifExists);
    }
  }

  /** The protocol says "failure" for many errors: what exists at the path tells them apart. */
  async #explain(error: unknown, action: string, path: string, ifExists?: string): Promise<unknown> {
    const code = SftpStatus.codeOf(error);
    if (code === undefined) return error;
    const isThere = code === 'EIO' && ifExists !== undefined && (await this.#exists(path));
    return systemError(isThere ? ifExists : code, action, path, error);
  }

  async #isFolder(path: string): Promise<boolean> {
    return (await this.#exists(path)) && (await this.lstat(path)).isDirectory();
  }

  async #exists(path: string): Promise<boolean> {
    try {
      await this.lstat(path);
      return true;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return false;
      throw error;
    }
  }
}
