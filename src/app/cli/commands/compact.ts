import { configInvalid, type ConfigFault } from '../../../settings/fault.js';
import { defined } from '../../../core/defined.js';
import { isParquetCodec, parquetCodecs, type ParquetCodec } from '../../../exporters/format.js';
import { parseRowGroup, ROW_GROUP_FORM } from '../../../settings/lake-layout.js';
import { parseBytes, parseDurationMs } from '../../../settings/units.js';
import { STORE_FORMS } from '../../../core/store-uri.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, printable } from '../../../host/human.js';
import { openConfiguredStore } from '../../setup/open-configured-store.js';
import { readingParameters } from '../reading-arguments.js';
import type { CompactOptions } from '../../../jobs/lake/compact-lake.js';
import type { Problem } from '../../../recordings/segments.js';

export const compactCommand: CommandDefinition = {
  name: 'compact',
  summary: 'merge the small files of a Parquet lake, or list its current files',
  description:
    'Merges the small files of each folder of a lake (docs/lake.md) into larger ones and removes ' +
    'duplicate events of several recorders. One object switches from the old files to the new ones. A ' +
    'reader that follows the manifests therefore sees each row exactly once at any time. If the ' +
    'command is killed, run it again. Several can run at the same time if the store has conditional ' +
    'writes.',
  examples: [
    ['holdfast compact s3://lake/fleet', 'from time to time, on any machine that reaches the store'],
    [
      'holdfast compact dir:/mnt/lake --small 8MiB --keep 1h',
      'readers of single files get an hour to finish',
    ],
    ['holdfast compact s3://lake/fleet --list', 'the current files, one per line'],
  ],
  parameters: readingParameters.filter((name) => name !== 'data' && name !== 'store.uri'),
  configure(command) {
    command
      .argument('<lake>', `store of the lake: ${STORE_FORMS}`)
      .option('--small <size>', 'merge files smaller than this', '32MiB')
      .option('--target <size>', 'approximate size of the largest merged file', '128MiB')
      .option('--keep <time>', 'keep replaced files for this long', '0')
      .option(
        '--compression <codec>',
        'rewrite the files with zstd, snappy or none (default: keep their codec)',
      )
      .option('--row-group <rows>', 'rewrite the files with at most this many rows per row group')
      .option('--list', 'print the current files and change nothing');
  },
  async run(invocation) {
    const resolved = invocation.resolve('sync');
    const faults: ConfigFault[] = [...resolved.faults];
    const options = compactOptions(invocation, faults);
    if (faults.length > 0) throw configInvalid(faults);
    const { ports, stop, terminal, args } = invocation;
    const { signal } = stop;
    await using store = await openConfiguredStore(args[0] ?? '', resolved, ports);
    const { lakeForms, readLake } = await import('../../../jobs/lake/lake-state.js');
    const { compactLake } = await import('../../../jobs/lake/compact-lake.js');
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
  const { compression, rowGroup } = options;
  if (compression !== undefined && !(typeof compression === 'string' && isParquetCodec(compression))) {
    const allowed = `allowed: ${parquetCodecs.join(', ')}`;
    faults.push({ where: '--compression', path: 'compression', value: compression, allowed });
  }
  const rows = typeof rowGroup === 'string' ? parseRowGroup(rowGroup) : undefined;
  if (rowGroup !== undefined && rows === undefined) {
    const allowed = `allowed: ${ROW_GROUP_FORM}`;
    faults.push({ where: '--row-group', path: 'row-group', value: rowGroup, allowed });
  }
  const size = `a size such as ${humanBytes(32 * 1024 * 1024)}`;
  return {
    smallBytes: read('small', parseBytes, size),
    targetBytes: read('target', parseBytes, size),
    keepMs: read('keep', (text) => (text === '0' ? 0 : parseDurationMs(text)), 'a time such as 1h, or 0'),
    ...defined({ codec: compression as ParquetCodec | undefined, rowGroupRows: rows }),
  };
}
