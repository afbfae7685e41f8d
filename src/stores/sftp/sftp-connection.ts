import { createHash } from 'node:crypto';
import type { Client, SFTPWrapper } from 'ssh2';
import type { Timers } from '../../core/clock.js';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { SftpAccess } from './sftp-access.js';
import type { SftpLibrary } from './sftp-library.js';
import { describeSftp, type SftpOptions } from './sftp-options.js';

export interface SftpConnectionParts {
  readonly options: SftpOptions;
  readonly access: () => Promise<SftpAccess>;
  readonly library: SftpLibrary;
  readonly timers: Timers;
}

/** The end of a call: an error, or its result. */
export type Done<Result> = (error?: Error | null, result?: Result) => void;

const KEEP_ALIVE_MS = 15_000;

/** One connection to an SFTP server, made by the first call and made again by the first call after it broke. */
export class SftpConnection {
  readonly #parts: SftpConnectionParts;
  #client: Client | undefined;
  #session: Promise<SFTPWrapper> | undefined;
  /** Of the connection that is in use. */
  #current: SFTPWrapper | undefined;

  constructor(parts: SftpConnectionParts) {
    this.#parts = parts;
  }

  /** The session; a handle of a file belongs to the one in which it was opened. */
  session(): Promise<SFTPWrapper> {
    this.#session ??= this.#connect().catch((error: unknown) => {
      this.close();
      throw error;
    });
    return this.#session;
  }

  /**
   * Runs one call of a session. Rejects with the status of the server as an error with a number as its `code`, with
   * `STORE_OFFLINE` if the connection breaks or no answer comes in time, and with `STORE_REJECTED` if the server
   * lacks an extension.
   */
  call<Result>(
    session: SFTPWrapper,
    work: (session: SFTPWrapper, done: Done<Result>) => unknown,
  ): Promise<Result> {
    const { timers, options } = this.#parts;
    return new Promise<Result>((resolve, reject) => {
      if (session !== this.#current) {
        reject(this.#offline('the connection was lost'));
        return;
      }
      const timer = timers.after(options.timeoutMs, () => {
        this.close();
        reject(this.#offline(`no answer within ${options.timeoutMs} ms`));
      });
      const done: Done<Result> = (error, result) => {
        timer.cancel();
        if (!error) {
          resolve(result as Result);
          return;
        }
        const { code } = error as { readonly code?: unknown };
        reject(typeof code === 'number' ? error : this.#offline(describeError(error), error));
      };
      try {
        work(session, done);
      } catch (cause) {
        timer.cancel();
        // Only an extension that the server does not announce throws.
        const message = `${describeSftp(options)} lacks an extension that Holdfast needs: ${describeError(cause)}`;
        reject(new HoldfastError('STORE_REJECTED', message, { cause }));
      }
    });
  }

  /** Ends the connection; calls that wait fail. Idempotent, and a later call connects again. */
  close(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#session = undefined;
    this.#current = undefined;
    client?.destroy();
  }

  async #connect(): Promise<SFTPWrapper> {
    const { options, library, access } = this.#parts;
    const { host, port, user: username, hostKeys, timeoutMs: readyTimeout } = options;
    const credentials = await access();
    const client = new library.Client();
    this.#client = client;
    let found: string | undefined;
    const hostVerifier = (key: Buffer): boolean => {
      found = `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
      return hostKeys.includes(found);
    };
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        if (this.#client === client) this.close();
        const isOther = found !== undefined && !hostKeys.includes(found);
        reject(isOther ? this.#otherHost(found) : this.#refused(error));
      };
      client.on('error', fail);
      client.on('close', () => fail(new Error('the server closed the connection')));
      client.on('ready', () => {
        // Calls are small and wait for each other.
        client.setNoDelay(true);
        client.sftp((error, session) => {
          if (error) {
            fail(error);
            return;
          }
          this.#current = session;
          resolve(session);
        });
      });
      try {
        client.connect({
          ...{ host, port, username, hostVerifier, readyTimeout, keepaliveInterval: KEEP_ALIVE_MS },
          ...credentials,
        });
      } catch (error) {
        fail(error as Error);
      }
    });
  }

  #otherHost(found: string | undefined): HoldfastError {
    const { options } = this.#parts;
    const message =
      `${describeSftp(options)} has the host key ${found}, and host_key allows ${options.hostKeys.join(', ')}: ` +
      'somebody else may answer in its place';
    return new HoldfastError('STORE_MISMATCH', message, {
      facts: { found, allowed: options.hostKeys.join(',') },
    });
  }

  #refused(error: Error & { readonly level?: string }): HoldfastError {
    const { options } = this.#parts;
    const isKey = /private ?key|passphrase/i.test(error.message);
    if (error.level !== 'client-authentication' && !isKey) return this.#offline(describeError(error), error);
    const message = `${describeSftp(options)} does not accept user ${options.user}: ${describeError(error)}`;
    return new HoldfastError('STORE_ACCESS_DENIED', message, { cause: error, facts: { user: options.user } });
  }

  #offline(reason: string, cause?: Error): HoldfastError {
    const uri = describeSftp(this.#parts.options);
    return new HoldfastError('STORE_OFFLINE', `${uri}: ${reason}`, { cause, facts: { uri } });
  }
}
