import type * as ssh2 from 'ssh2';
import { describeError, HoldfastError } from '../../core/errors.js';

export type SftpLibrary = Pick<typeof ssh2, 'Client'>;

/** The client is an optional dependency. Throws `STORE_UNAVAILABLE` if it cannot be loaded. */
export async function loadSftp(
  load: () => Promise<{ readonly default: SftpLibrary }> = () => import('ssh2'),
): Promise<SftpLibrary> {
  try {
    return (await load()).default;
  } catch (cause) {
    const [reason] = describeError(cause).split('\n');
    throw new HoldfastError(
      'STORE_UNAVAILABLE',
      `the client of SFTP cannot be loaded (npm install ssh2): ${reason}`,
      { facts: { reason } },
    );
  }
}
