import { STORE_FORMS } from '../../../core/store-uri.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, printable } from '../../../host/human.js';
import { openConfiguredStore } from '../../setup/open-configured-store.js';
import { configInvalid } from '../../../settings/fault.js';
import type { CommandDefinition } from '../command-definition.js';
import { readingParameters } from '../reading-arguments.js';

export const replicateCommand: CommandDefinition = {
  name: 'replicate',
  summary: 'compare two stores, and copy what one of them lacks',
  description:
    'Compares the second store with the first: what is missing, what differs, and what only the second has. ' +
    'With --mend it copies what is missing, segments before their manifests, and verifies each copy. What differs ' +
    'is named and stays, unless --overwrite replaces it. If it is interrupted, run it again: it continues, also in ' +
    'the middle of a large segment. To mend in both directions, run it again with the stores exchanged.',
  examples: [
    ['holdfast replicate s3://rec/fleet dir:/mnt/nas', 'compare only'],
    ['holdfast replicate s3://rec/fleet azure://backup/rec --mend', 'copy what the second store lacks'],
    [
      'holdfast replicate dir:/mnt/nas s3://rec --deep --prefix robot=r1/',
      'compare the contents of one robot',
    ],
  ],
  parameters: readingParameters.filter((name) => name !== 'data' && name !== 'store.uri'),
  configure(command) {
    command
      .argument('<from>', STORE_FORMS)
      .argument('<to>', 'the store to compare with it, and to mend')
      .option('--mend', 'copy what is missing')
      .option('--overwrite', 'with --mend, also replace what differs')
      .option('--deep', 'compare contents too: by a checksum of the store, otherwise by reading')
      .option('--prefix <text>', 'only objects whose keys begin with this');
  },
  async run(invocation) {
    const { args, options, ports, stop, terminal } = invocation;
    const resolved = invocation.resolve('sync');
    if (resolved.faults.length > 0) throw configInvalid(resolved.faults);
    const [mend, overwrite, deep] = ['mend', 'overwrite', 'deep'].map((name) => options[name] === true) as [
      boolean,
      boolean,
      boolean,
    ];
    if (overwrite && !mend) {
      const fault = { where: '--overwrite', path: 'overwrite', value: true, allowed: 'together with --mend' };
      throw configInvalid([fault]);
    }
    const { replicateStore } = await import('../../../recordings/replicate/replicate-store.js');
    await using from = await openConfiguredStore(args[0] ?? '', resolved, ports);
    await using to = await openConfiguredStore(args[1] ?? '', resolved, ports);
    const prefix = typeof options['prefix'] === 'string' ? options['prefix'] : '';
    const report = await replicateStore(
      from,
      to,
      { mend, overwrite, deep, prefix },
      {
        ...{ random: ports.random, signal: stop.signal },
        onFinding: ({ kind, key, reason }) =>
          terminal.note(`${kind}: ${printable(key)}: ${printable(reason)}\n`),
        onProgress: (compared) => terminal.live(`${humanCount(compared)} objects`),
      },
    );
    terminal.live('');
    const { compared, equal, missing, copied, copiedBytes, extra, conflicts, failed } = report;
    await invocation.say(
      `${humanCount(compared)} objects: ${humanCount(equal)} equal, ${humanCount(copied)} copied ` +
        `(${humanBytes(copiedBytes)}), ${humanCount(missing)} missing, ${humanCount(conflicts)} different, ` +
        `${humanCount(failed)} failed, ${humanCount(extra)} only in the second store`,
    );
    const ok = missing === 0 && conflicts === 0 && failed === 0;
    return { exitCode: ok ? exitCodes.ok : exitCodes.findings, json: { ok, ...report } };
  },
};
