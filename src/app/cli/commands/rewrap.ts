import { HoldfastError } from '../../../core/errors.js';
import type { Store } from '../../../core/store.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanCount, printable } from '../../../host/human.js';
import type { RewrapPorts, RewrapReport } from '../../../recordings/rotate-keys.js';
import type { Problem } from '../../../recordings/segment.js';
import { configInvalid, type ConfigFault } from '../../../settings/fault.js';
import type { Resolved } from '../../../settings/resolve.js';
import { openConfiguredStore } from '../../setup/open-configured-store.js';
import { STORE_FORMS } from '../../../core/store-uri.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { addIdentityFlag, readKeyring } from '../identity-option.js';
import { readingParameters } from '../reading-arguments.js';

export const rewrapCommand: CommandDefinition = {
  name: 'rewrap',
  summary: 'change who can read encrypted segments, without rewriting their data',
  description:
    'Wraps the data key of every encrypted segment of a store or data folder for these recipients, and for nobody else. It replaces ' +
    'manifests only, some kilobytes each. If it is interrupted, run it again: what has these recipients is skipped. ' +
    'It cannot take back what was read or copied before (docs/encryption.md). Stop the recorder of a data folder first.',
  examples: [
    ['holdfast rewrap s3://rec/fleet --identity old.key --recipient hfpub1_...', 'a new key for everything'],
    ['holdfast rewrap /data/holdfast --identity old.key --recipient hfpub1_...', 'what a robot still has'],
    ['holdfast rewrap dir:/mnt/nas --identity old.key --recipient file:team.txt --dry-run', 'count only'],
  ],
  parameters: readingParameters.filter((name) => name !== 'data' && name !== 'store.uri'),
  configure(command) {
    command
      .argument('<from>', `a store (${STORE_FORMS}), or a data folder`)
      .requiredOption('--recipient <recipient...>', 'who can read afterwards: hfpub1_..., or file:PATH')
      .option('--dry-run', 'change nothing, and say what would be replaced');
    addIdentityFlag(command);
  },
  async run(invocation) {
    const { options, ports, stop, terminal } = invocation;
    const resolved = invocation.resolve('sync');
    const faults: ConfigFault[] = [...resolved.faults];
    const { readRecipientTexts } = await import('../../../encryption/read-recipients.js');
    const texts = options['recipient'] as readonly string[];
    const recipients = await readRecipientTexts(texts, '--recipient', ports.fs, (allowed) =>
      faults.push({ where: '--recipient', path: 'recipient', value: undefined, allowed }),
    );
    if (faults.length > 0) throw configInvalid(faults);
    const keyring = await readKeyring(invocation);
    const dryRun = options['dryRun'] === true;
    const report = await rewrap(invocation, resolved, {
      ...{ random: ports.random, keyring, recipients, dryRun, signal: stop.signal },
      onProblem: ({ where, reason }: Problem) =>
        terminal.note(`holdfast: ${printable(where)}: ${printable(reason)}\n`),
      onProgress: (done) => terminal.live(`${humanCount(done)} manifests`),
    });
    terminal.live('');
    await invocation.say(
      `${humanCount(report.rewrapped)} manifests ${dryRun ? 'to replace' : 'replaced'}, ` +
        `${humanCount(report.unchanged)} had these recipients, ${humanCount(report.plain)} are not encrypted, ` +
        `${humanCount(report.failed)} failed`,
    );
    const ok = report.failed === 0;
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, dryRun, ...report } };
  },
};

/** Of a store, or of a data folder that no recorder holds. */
async function rewrap(
  { args, ports }: Invocation,
  resolved: Resolved,
  how: RewrapPorts,
): Promise<RewrapReport> {
  const { locate } = await import('../../../recordings/locate.js');
  const { fs, logger } = ports;
  const openStore = (uri: string): Promise<Store> => openConfiguredStore(uri, resolved, ports);
  const located = await locate(args[0] ?? '', { fs, logger, openStore });
  if (located.kind === 'mcap') {
    throw new HoldfastError('SOURCE_UNREADABLE', `${located.path} is not a store or a data folder`, {
      facts: { path: located.path },
    });
  }
  if (located.kind === 'store') {
    await using store = located.store;
    const { rewrapStore } = await import('../../../recordings/rewrap-store.js');
    return await rewrapStore(store, how);
  }
  const { acquireRoleLock } = await import('../../../host/role-lock.js');
  const { rewrapFolder } = await import('../../../recordings/rewrap-folder.js');
  await using _lock = await acquireRoleLock(fs, located.folder, 'recorder', logger);
  return await rewrapFolder(fs, located.folder, how);
}
