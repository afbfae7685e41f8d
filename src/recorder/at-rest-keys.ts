import { resolve, sep } from 'node:path';
import { HoldfastError } from '../core/errors.js';
import { readSymmetricKeys } from '../encryption/read-symmetric-keys.js';
import type { SystemPorts } from '../host/ports.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import type { WalKeys } from '../wal/segment-cipher.js';

const PARAMETER = 'encryption.at_rest_key';
/** Permission bits of all users. Those of the group may be the mask of an access list, as for a systemd credential. */
const ALL = 0o007;

/**
 * The keys of `encryption.at_rest_key`; none if it is not set. Warns if every user can use the file. Throws
 * `KEY_INVALID`.
 */
export async function readAtRestKeys(
  { data, encryption: { atRestKey } }: Pick<RecorderOptions, 'data' | 'encryption'>,
  { fs, logger }: Pick<SystemPorts, 'fs' | 'logger'>,
): Promise<WalKeys> {
  if (atRestKey === '') return [];
  const folder = resolve(data);
  if (resolve(atRestKey).startsWith(`${folder}${sep}`)) {
    throw new HoldfastError(
      'KEY_INVALID',
      `${PARAMETER}: ${atRestKey} lies in the data folder ${folder}, whose thief would have the key; ` +
        'allowed: a file elsewhere, such as a systemd credential, on a tmpfs or on another device',
      { facts: { path: atRestKey, folder } },
    );
  }
  const keys = await readSymmetricKeys(atRestKey, PARAMETER, fs);
  if (((await fs.stat(atRestKey)).mode & ALL) !== 0) {
    logger.warn('every user of this machine can use the key file', { file: atRestKey });
  }
  return keys;
}
