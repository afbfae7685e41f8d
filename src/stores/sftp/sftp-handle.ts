import type { SFTPWrapper, Stats } from 'ssh2';
import type { Done, SftpConnection } from './sftp-connection.js';
import { SftpStatus, statsOf, systemError, type RemoteStats } from './sftp-status.js';

/** Free bytes below which a failed write means a full disk. */
const FULL_BELOW_BYTES = 1024 * 1024;

/** Of one request. The requests of one write are on their way at the same time, so that latency costs little. */
const PIECE_BYTES = 128 * 1024;

/** An open file of an SFTP server: the members of a `FileHandle` that a directory store uses. */
export class SftpHandle {
  readonly #connection: SftpConnection;
  readonly #session: SFTPWrapper;
  readonly #id: Buffer;
  readonly #path: string;

  constructor(connection: SftpConnection, session: SFTPWrapper, id: Buffer, path: string) {
    this.#connection = connection;
    this.#session = session;
    this.#id = id;
    this.#path = path;
  }

  async read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number; readonly buffer: Buffer }> {
    if (length === 0) return { bytesRead: 0, buffer };
    const bytesRead = await this.#run<number>('read', (sftp, done) =>
      sftp.read(this.#id, buffer, offset, length, position, done),
    );
    return { bytesRead, buffer };
  }

  async write(
    data: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number; readonly buffer: Uint8Array }> {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const pieces: Promise<unknown>[] = [];
    for (let at = 0; at < length; at += PIECE_BYTES) {
      const some = Math.min(PIECE_BYTES, length - at);
      pieces.push(
        this.#run('write', (sftp, done) =>
          sftp.write(this.#id, bytes, offset + at, some, position + at, done),
        ),
      );
    }
    try {
      await Promise.all(pieces);
    } catch (error) {
      throw (await this.#isFull()) ? systemError('ENOSPC', 'write', this.#path, error) : error;
    }
    return { bytesWritten: length, buffer: data };
  }

  async writeFile(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    await this.write(bytes, 0, bytes.byteLength, 0);
  }

  async stat(): Promise<RemoteStats> {
    return statsOf(await this.#run<Stats>('stat', (sftp, done) => sftp.fstat(this.#id, done)));
  }

  async truncate(size: number): Promise<void> {
    await this.#run('truncate', (sftp, done) => sftp.fsetstat(this.#id, { size }, done));
  }

  /** The content is durable on the server when this resolves. */
  async sync(): Promise<void> {
    await this.#run('sync', (sftp, done) => sftp.ext_openssh_fsync(this.#id, done));
  }

  datasync(): Promise<void> {
    return this.sync();
  }

  async close(): Promise<void> {
    await this.#run('close', (sftp, done) => sftp.close(this.#id, done));
  }

  async #run<Result>(
    action: string,
    work: (sftp: SFTPWrapper, done: Done<Result>) => unknown,
  ): Promise<Result> {
    try {
      return await this.#connection.call(this.#session, work);
    } catch (error) {
      const code = SftpStatus.codeOf(error);
      throw code === undefined ? error : systemError(code, action, this.#path, error);
    }
  }

  /** The protocol has no code for a full disk. */
  async #isFull(): Promise<boolean> {
    try {
      type Space = { readonly f_bavail: number; readonly f_frsize: number };
      const { f_bavail: blocks, f_frsize: blockBytes } = await this.#run<Space>('space', (sftp, done) =>
        sftp.ext_openssh_statvfs(this.#path, done as Done<never>),
      );
      return blocks * blockBytes < FULL_BELOW_BYTES;
    } catch {
      return false;
    }
  }
}
