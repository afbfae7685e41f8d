import type { Command } from 'commander';
import { describeError, HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Keyring } from '../../encryption/keyring.js';
import type { Invocation } from './command-definition.js';

/** For commands that read recordings, which may be encrypted. */
export function addIdentityFlag(command: Command): void {
  command.option('--identity <file...>', 'key files of holdfast keygen, for what is encrypted');
}

/** The identities of `--identity`. Throws `KEY_INVALID`. */
export async function readKeyring({ options, ports }: Invocation): Promise<Keyring> {
  const paths = (options['identity'] as readonly string[] | undefined) ?? [];
  const { parseIdentities } = await import('../../encryption/keyring.js');
  const files = await Promise.all(
    paths.map(async (path) => parseIdentities(await readKeyFile(ports.fs, path), path)),
  );
  return { identities: files.flat() };
}

/** Its text. Throws `KEY_INVALID` if it cannot be read. */
export async function readKeyFile(fs: FileSystem, path: string): Promise<string> {
  try {
    return await fs.readFile(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError('KEY_INVALID', `the key file ${path} cannot be read: ${describeError(cause)}`, {
      cause,
      facts: { path },
    });
  }
}
