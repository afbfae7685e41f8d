import { configInvalid, type ConfigFault } from '../../parameters/fault.js';
import { parseBytes, parseDurationMs } from '../../parameters/units.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanBytes, humanCount, printable } from '../human.js';
import { openConfiguredStore } from '../open-configured-store.js';
import { readingParameters } from '../reading-arguments.js';
import type { CompactOptions } from '../../lake/compact-lake.js';
import type { Problem } from '../../reading/segments.js';

export const compactCommand: CommandDefinition = {
  name: 'compact',
  summary: 'put the small files of a Parquet lake together, or list the files that count',
  description:
    'Joins small files of each folder of a lake (docs/lake.md) into larger ones and removes events that several ' +
    'recorders have. The swap is one object, so that whoever reads by manifests sees each row once at every ' +
    'moment; killed anywhere, it is run again. Several may run at the same time where the store has conditional ' +
    'writes.',
  examples: [
    ['holdfast compact s3://lake/fleet', 'now and then, from wherever the store can be reached'],
    [
      'holdfast compact dir:/mnt/lake --small 8MiB --keep 1h',
      'readers of single files get an hour to finish',
    ],
    ['holdfast compact s3://lake/fleet --list', 'the files whose rows count, one a line'],
  ],
  parameters: readingParameters.filter((name) => name !== 'data' && name !== 'store.uri'),
  configure(command) {
    command
      .argument('<lake>', 'store of the lake: dir:PATH or s3://bucket/prefix')
      .option('--small <size>', 'files below this are put together', '32MiB')
      .option('--target <size>', 'about the largest file that is made', '128MiB')
      .option('--keep <time>', 'replaced files stay for this long', '0')
      .option('--list', 'change nothing: print the files whose rows count');
  },
  async run(invocation) {
    const resolved = invocation.resolve('sync');
    const faults: ConfigFault[] = [...resolved.faults];
    const options = compactOptions(invocation, faults);
    if (faults.length > 0) throw configInvalid(faults);
    const { ports, stop, terminal, args } = invocation;
    const { signal } = stop;
    await using store = await openConfiguredStore(args[0] ?? '', resolved, ports);
    const { lakeForms, readLake } = await import('../../lake/lake-state.js');
    const { compactLake } = await import('../../lake/compact-lake.js');
    let problems = 0;
    const onProblem = ({ where, reason }: Problem): void => {
      problems++;
      terminal.note(`holdfast: ${printable(where)}: ${printable(reason)}\n`);
    };
    const forms = await lakeForms(store, signal);
    const exit = (): number => (problems > 0 ? exitCodes.findings : exitCodes.ok);
    if (invocation.options['list'] === true) {
      const files = [];
      for (const form of forms) files.push(...(await readLake(store, form, signal, onProblem)).live.values());
      for (const { key } of files) await invocation.say(printable(key));
      return { exitCode: exit(), json: { ok: problems === 0, lake: store.uri, files } };
    }
    const lakes = [];
    for (const form of forms) {
      const report = await compactLake(form, options, { ...ports, store, signal, onProblem });
      lakes.push({ form, ...report });
      await invocation.say(
        `${form}: ${humanCount(report.replaced)} files became ${humanCount(report.made)}, ` +
          `${humanCount(report.duplicates)} duplicates left out, ${humanCount(report.removed)} files removed; ` +
          `${humanCount(report.rows)} rows in ${humanCount(report.files)} files`,
      );
    }
    if (forms.length === 0) await invocation.say(`there is no lake in ${store.uri}`);
    return { exitCode: exit(), json: { ok: problems === 0, lake: store.uri, lakes } };
  },
};

function compactOptions({ options }: Invocation, faults: ConfigFault[]): CompactOptions {
  const read = (name: string, parse: (text: string) => number | undefined, allowed: string): number => {
    const value = parse(String(options[name]));
    if (value === undefined || !(value >= 0)) {
      faults.push({ where: `--${name}`, path: name, value: options[name], allowed: `allowed: ${allowed}` });
    }
    return value ?? 0;
  };
  const size = `a size such as ${humanBytes(32 * 1024 * 1024)}`;
  return {
    smallBytes: read('small', parseBytes, size),
    targetBytes: read('target', parseBytes, size),
    keepMs: read('keep', (text) => (text === '0' ? 0 : parseDurationMs(text)), 'a time such as 1h, or 0'),
  };
}
