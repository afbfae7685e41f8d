import { parseBucketUri } from '../bucket-uri.js';
import { DirectoryStore, type DirectoryStorePorts } from '../directory/directory-store.js';
import type { StoreOptionTexts } from '../option-reader.js';
import { refuseFaults } from '../refuse-faults.js';
import { sftpAccess, type SftpEnvironment } from './sftp-access.js';
import { SftpConnection } from './sftp-connection.js';
import { SftpFileSystem } from './sftp-file-system.js';
import { loadSftp } from './sftp-library.js';
import { describeSftp, parseSftpOptions, SFTP_CREDENTIALS, SFTP_FORM } from './sftp-options.js';

export interface SftpStorePorts extends DirectoryStorePorts {
  /** Where credentials are. Absent: there are none. */
  readonly environment?: SftpEnvironment;
}

const RULES = { form: SFTP_FORM, credentials: SFTP_CREDENTIALS, harmless: ['host_key'] } as const;

/**
 * Opens the folder of an `sftp:` URI without contacting the server. It is a directory store on the server: the same
 * layout, the same resumable uploads, so that a folder that was filled over SFTP can be read there with `dir:`.
 * Throws `CONFIG_INVALID` with all faults together, and `STORE_UNAVAILABLE`.
 */
export async function openSftp(
  uri: string,
  given: StoreOptionTexts,
  { fileSystem, clock, random, environment = {} }: SftpStorePorts,
): Promise<DirectoryStore> {
  const faults: string[] = [];
  const { authority, path, texts } = parseBucketUri(uri, given, RULES, faults);
  const options = parseSftpOptions(authority, path, texts, faults);
  refuseFaults('sftp:', faults);
  const library = await loadSftp();
  const access = (): ReturnType<typeof sftpAccess> => sftpAccess(environment, fileSystem);
  const connection = new SftpConnection({ options, access, library, timers: clock });
  const remote = new SftpFileSystem(connection).asFileSystem();
  return new DirectoryStore(
    options.path,
    { fileSystem: remote, clock, random },
    {
      uri: describeSftp(options),
      close: () => connection.close(),
    },
  );
}
