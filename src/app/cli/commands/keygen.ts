import { formatTime } from '../../../core/clock.js';
import { syncDirectory } from '../../../core/durable-files.js';
import { HoldfastError, systemCode } from '../../../core/errors.js';
import { exitCodes } from '../../../host/exit-code.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { dirname } from 'node:path';

export const keygenCommand: CommandDefinition = {
  name: 'keygen',
  summary: 'make a key for encrypted recordings, and print its recipient',
  description:
    'Writes a new identity into a file with mode 0600 and prints its recipient. Give the recipient to the robots ' +
    '(sync.recipients), and keep the identity away from them: a user who has it can read. Without it, nobody can: keep a ' +
    'copy in a safe place. With --symmetric, the file holds a key for both sides. With --signing, it holds a key that ' +
    'signs the receipts of holdfast delete, and the command prints the key that verifies them.',
  examples: [
    ['holdfast keygen --out fleet.key', 'prints hfpub1_..., the recipient'],
    ['holdfast keygen --signing --out delete.key', 'prints hfver1_..., for holdfast verify-receipt'],
    ['holdfast keygen --symmetric --out shared.key', 'one key that encrypts and decrypts'],
  ],
  parameters: [],
  configure(command) {
    command
      .requiredOption('--out <file>', 'the new key file; an existing one is never replaced')
      .option('--symmetric', 'a symmetric key instead of an identity')
      .option('--signing', 'a key that signs the receipts of holdfast delete, instead of an identity');
  },
  async run(invocation) {
    const { encodeKey } = await import('../../../encryption/key-text.js');
    const { newIdentity, recipientName, recipientOf } = await import('../../../encryption/wrapped-key.js');
    const { randomBytes } = await import('node:crypto');
    if (invocation.options['signing'] === true) return makeSigningKey(invocation);
    const isSymmetric = invocation.options['symmetric'] === true;
    const identity = isSymmetric ? { kind: 'symmetric' as const, key: randomBytes(32) } : newIdentity();
    const secret =
      identity.kind === 'symmetric'
        ? encodeKey('symmetric', identity.key)
        : encodeKey('identity', identity.secretKey);
    const recipient = recipientName(recipientOf(identity));
    const path = await writeSecret(invocation, `# recipient: ${recipient}\n${secret}\n`);
    await invocation.say(recipient);
    return { exitCode: exitCodes.ok, json: { ok: true, recipient, out: path } };
  },
};

/** A new Ed25519 key; prints the key that verifies its signatures. */
async function makeSigningKey(invocation: Invocation): Promise<CommandResult> {
  if (invocation.options['symmetric'] === true) {
    const allowed = 'cannot be given with --signing';
    throw configInvalid([{ where: '--symmetric', path: 'symmetric', value: undefined, allowed }]);
  }
  const { encodeKey } = await import('../../../encryption/key-text.js');
  const { signingKey, verifyingBytes } = await import('../../../encryption/signing-key.js');
  const { createPublicKey, randomBytes } = await import('node:crypto');
  const raw = randomBytes(32);
  const verifyingKey = encodeKey('verifying', verifyingBytes(createPublicKey(signingKey(raw))));
  const text = `# verifying key: ${verifyingKey}\n${encodeKey('signing', raw)}\n`;
  const out = await writeSecret(invocation, text);
  await invocation.say(verifyingKey);
  return { exitCode: exitCodes.ok, json: { ok: true, verifyingKey, out } };
}

async function writeSecret({ options, ports: { fs, clock } }: Invocation, secret: string): Promise<string> {
  const path = String(options['out']);
  const text = `# made: ${formatTime(clock.now())}\n${secret}`;
  try {
    const handle = await fs.open(path, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(fs, dirname(path));
    return path;
  } catch (cause) {
    const why = systemCode(cause) === 'EEXIST' ? 'exists already; allowed: a new name' : 'cannot be written';
    throw new HoldfastError('KEY_INVALID', `the key file ${path} ${why}`, { cause, facts: { path } });
  }
}
