import type * as ssh2 from 'ssh2';
import { loadOptional } from '../../core/load-optional.js';

export type SftpLibrary = Pick<typeof ssh2, 'Client'>;

const CLIENT = { name: 'ssh2', what: 'the client of SFTP', code: 'STORE_UNAVAILABLE' } as const;

/** The client is an optional dependency. Throws `STORE_UNAVAILABLE` if it cannot be loaded. */
export async function loadSftp(
  load: () => Promise<{ readonly default: SftpLibrary }> = () => import('ssh2'),
): Promise<SftpLibrary> {
  return (await loadOptional(CLIENT, load)).default;
}
