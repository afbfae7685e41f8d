import { join } from 'node:path';
import { syncDirectory } from '../../../core/durable-files.js';
import { describeError, HoldfastError, isHoldfastError, systemCode } from '../../../core/errors.js';
import { decodeManifest, manifestKey, type Manifest } from '../../../core/manifest.js';
import { handleReadable } from '../../../core/mcap/readable.js';
import type { Keyring } from '../../../encryption/keyring.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, printable } from '../../../host/human.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { addIdentityFlag, readKeyring } from '../identity-option.js';

export const decryptCommand: CommandDefinition = {
  name: 'decrypt',
  summary: 'decrypt files of an encrypted store into plain MCAP files',
  description:
    'Decrypts files that sync encrypted. Each needs the manifest beside it, because that has the wrapped key. The ' +
    'output appears under its name only when all of it was authenticated, and nothing is overwritten.',
  examples: [
    ['holdfast decrypt 000000000001-*.mcap.enc --identity fleet.key --out plain', 'copies of a store'],
  ],
  parameters: [],
  configure(command) {
    command.argument('<files...>', 'encrypted files, each with its .json beside it');
    command.requiredOption('--out <folder>', 'where the MCAP files go');
    addIdentityFlag(command);
  },
  async run(invocation) {
    const keyring = await readKeyring(invocation);
    const out = String(invocation.options['out']);
    await invocation.ports.fs.mkdir(out, { recursive: true });
    const problems: { readonly file: string; readonly code: string; readonly message: string }[] = [];
    const made: string[] = [];
    for (const file of invocation.args) {
      try {
        made.push(await decryptOne(invocation, file, out, keyring));
        await invocation.say(printable(made.at(-1) ?? ''));
      } catch (error) {
        if (invocation.stop.signal.aborted) throw error;
        const code = isHoldfastError(error) ? error.code : 'SOURCE_UNREADABLE';
        // With one file, its error is that of the command.
        if (invocation.args.length === 1) throw asHoldfastError(error, file);
        problems.push({ file, code, message: describeError(error) });
        invocation.terminal.note(`holdfast: ${printable(file)}: ${printable(describeError(error))}\n`);
      }
    }
    const ok = problems.length === 0;
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, files: made, problems } };
  },
};

function asHoldfastError(error: unknown, file: string): HoldfastError {
  if (isHoldfastError(error)) return error;
  return new HoldfastError('SOURCE_UNREADABLE', `${file} cannot be decrypted: ${describeError(error)}`, {
    cause: error,
    facts: { file },
  });
}

async function decryptOne(
  { ports: { fs }, stop }: Invocation,
  file: string,
  out: string,
  keyring: Keyring,
): Promise<string> {
  const { openDataKey } = await import('../../../encryption/keyring.js');
  const { decryptAll } = await import('../../../encryption/decrypted-readable.js');
  const { encryption, file: sealed } = await manifestBeside(fs, file);
  if (encryption === undefined) {
    throw new HoldfastError('SOURCE_UNREADABLE', `${file} is not encrypted, as its manifest says: copy it`, {
      facts: { file },
    });
  }
  const dataKey = openDataKey(keyring, encryption, file);
  // Not that of the object: it lacks the robot.
  const target = join(out, sealed.name);
  const temporary = `${target}.tmp`;
  const source = await fs.open(file, 'r');
  try {
    const sink = await fs.open(temporary, 'w', 0o600);
    try {
      for await (const piece of decryptAll(handleReadable(source, file), dataKey, file)) {
        stop.signal.throwIfAborted();
        await sink.write(piece);
      }
      await sink.sync();
    } finally {
      await sink.close();
    }
    await linkNew(fs, temporary, target);
    await syncDirectory(fs, out);
  } finally {
    await source.close();
    await fs.rm(temporary, { force: true });
  }
  return `${target} (${humanBytes(encryption.plainBytes)})`;
}

/** Never over an existing file. */
async function linkNew(fs: Invocation['ports']['fs'], from: string, to: string): Promise<void> {
  try {
    await fs.link(from, to);
  } catch (cause) {
    if (systemCode(cause) !== 'EEXIST') throw cause;
    throw new HoldfastError('CONFIG_INVALID', `${to} exists already; allowed: a folder without it`, {
      cause,
      facts: { path: to },
    });
  }
}

async function manifestBeside(fs: Invocation['ports']['fs'], file: string): Promise<Manifest> {
  const path = manifestKey(file);
  if (path === file) {
    throw new HoldfastError('SOURCE_UNREADABLE', `${file} is no encrypted segment; allowed: *.mcap.enc`, {
      facts: { file },
    });
  }
  try {
    return decodeManifest(await fs.readFile(path, 'utf8'), path);
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    const message = `${file} needs its manifest ${path}, which holds its wrapped key: ${describeError(cause)}`;
    throw new HoldfastError('SOURCE_UNREADABLE', message, { cause, facts: { file, manifest: path } });
  }
}
