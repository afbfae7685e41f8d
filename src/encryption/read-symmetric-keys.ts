import { describeError, HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { parseIdentities } from './keyring.js';

/**
 * The symmetric keys of a key file, in its order. Throws `KEY_INVALID` if it cannot be read, or holds anything else.
 *
 * @param where - What asks for it, for errors.
 */
export async function readSymmetricKeys(path: string, where: string, fs: FileSystem): Promise<Uint8Array[]> {
  const facts = { where, path };
  let text: string;
  try {
    text = await fs.readFile(path, 'utf8');
  } catch (cause) {
    const message = `${where}: the key file ${path} cannot be read: ${describeError(cause)}; ${ALLOWED}`;
    throw new HoldfastError('KEY_INVALID', message, { cause, facts });
  }
  return parseIdentities(text, path).map((identity) => {
    if (identity.kind === 'symmetric') return identity.key;
    const message = `${where}: ${path} holds an identity, which does not belong on a robot; ${ALLOWED}`;
    throw new HoldfastError('KEY_INVALID', message, { facts });
  });
}

const ALLOWED = 'allowed: a file of symmetric keys (hfkey1_...), as holdfast keygen --symmetric writes it';
