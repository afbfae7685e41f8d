import { resolve, sep } from 'node:path';
import { HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { readSymmetricKeys } from '../encryption/read-symmetric-keys.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import type { WalKeys } from '../wal/segment-cipher.js';

const PARAMETER = 'encryption.at_rest_key';

/** The keys of `encryption.at_rest_key`; none if it is not set. Throws `KEY_INVALID`. */
export async function readAtRestKeys(
  { data, encryption: { atRestKey } }: Pick<RecorderOptions, 'data' | 'encryption'>,
  fs: FileSystem,
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
  return readSymmetricKeys(atRestKey, PARAMETER, fs);
}
