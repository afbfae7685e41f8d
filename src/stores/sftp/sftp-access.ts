import { describeError, HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { defined } from '../../core/defined.js';

/** Environment variables, as of a process. */
export type SftpEnvironment = Readonly<Record<string, string | undefined>>;

/** What proves who the user is, in the order in which it is tried. */
export interface SftpAccess {
  readonly privateKey?: string;
  /** Of the private key. */
  readonly passphrase?: string;
  /** Socket of an agent. */
  readonly agent?: string;
  readonly password?: string;
}

/** The credentials of the environment. Throws `STORE_ACCESS_DENIED` if the key cannot be read. */
export async function sftpAccess(
  env: SftpEnvironment,
  fs: Pick<FileSystem, 'readFile'>,
): Promise<SftpAccess> {
  const has = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const path = has('SFTP_KEY_FILE');
  let privateKey: string | undefined;
  try {
    if (path !== undefined) privateKey = await fs.readFile(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError(
      'STORE_ACCESS_DENIED',
      `the key file of SFTP_KEY_FILE cannot be read: ${describeError(cause)}`,
      { cause, facts: { path } },
    );
  }
  return defined({
    privateKey,
    passphrase: has('SFTP_KEY_PASSPHRASE'),
    agent: has('SSH_AUTH_SOCK'),
    password: has('SFTP_PASSWORD'),
  });
}
