import { formatTime } from '../../../core/clock.js';
import { syncDirectory } from '../../../core/durable-files.js';
import { HoldfastError, systemCode } from '../../../core/errors.js';
import { exitCodes } from '../../../host/exit-code.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { dirname } from 'node:path';

export const keygenCommand: CommandDefinition = {
  name: 'keygen',
  summary: 'make a key for encrypted recordings, and print its recipient',
  description:
    'Writes a new identity into a file with mode 0600 and prints its recipient. Give the recipient to the robots ' +
    '(sync.recipients), and keep the identity away from them: a user who has it can read. Without it, nobody can: keep a ' +
    'copy in a safe place. With --symmetric, the file holds a key for both sides.',
  examples: [
    ['holdfast keygen --out fleet.key', 'prints hfpub1_..., the recipient'],
    ['holdfast keygen --symmetric --out shared.key', 'one key that encrypts and decrypts'],
  ],
  parameters: [],
  configure(command) {
    command
      .requiredOption('--out <file>', 'the new key file; an existing one is never replaced')
      .option('--symmetric', 'a symmetric key instead of an identity');
  },
  async run(invocation) {
    const { encodeKey } = await import('../../../encryption/key-text.js');
    const { newIdentity, recipientName, recipientOf } = await import('../../../encryption/wrapped-key.js');
    const { randomBytes } = await import('node:crypto');
    const isSymmetric = invocation.options['symmetric'] === true;
    const identity = isSymmetric ? { kind: 'symmetric' as const, key: randomBytes(32) } : newIdentity();
    const secret =
      identity.kind === 'symmetric'
        ? encodeKey('symmetric', identity.key)
        : encodeKey('identity', identity.secretKey);
    const recipient = recipientName(recipientOf(identity));
    const made = formatTime(invocation.ports.clock.now());
    const path = String(invocation.options['out']);
    await writeSecret(invocation, path, `# made: ${made}\n# recipient: ${recipient}\n${secret}\n`);
    await invocation.say(recipient);
    return { exitCode: exitCodes.ok, json: { ok: true, recipient, out: path } };
  },
};

async function writeSecret({ ports: { fs } }: Invocation, path: string, text: string): Promise<void> {
  try {
    const handle = await fs.open(path, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(fs, dirname(path));
  } catch (cause) {
    const why = systemCode(cause) === 'EEXIST' ? 'exists already; allowed: a new name' : 'cannot be written';
    throw new HoldfastError('KEY_INVALID', `the key file ${path} ${why}`, { cause, facts: { path } });
  }
}
