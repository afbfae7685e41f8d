import type { FileSystem } from '../../../core/file-system.js';
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import type { ConfigFault } from '../../../settings/fault.js';
import { configInvalid } from '../../../settings/fault.js';
import { version } from '../../../host/version.js';
import { isStoreUri } from '../../../core/store-uri.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';
import { exitCodes } from '../../../host/exit-code.js';
import { humanBytes, humanCount, printable } from '../../../host/human.js';
import { openConfiguredStore } from '../../setup/open-configured-store.js';
import { TIME_FORM } from '../../../core/parse-time.js';
import { Progress } from '../progress.js';
import { addCacheFlag, FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';
import type { ExportOptions } from '../../../jobs/export/export-options.js';
import type { OutputPlace } from '../../../jobs/export/output-place.js';
import type { ExportReport } from '../../../jobs/export/run-export.js';

export const exportCommand: CommandDefinition = {
  name: 'export',
  summary: 'convert recordings into Parquet, CSV, JSON lines, NumPy, TFRecord or MCAP files',
  description:
    'Decodes the messages of a data folder, a store or a recording into files for data analysis. It ' +
    'streams in bounded memory and describes the files in a manifest.json. If an export was killed, ' +
    'give the same command again to continue it. Each file appears only when it is complete. If data ' +
    'cannot be read or decoded, the command reports the counts per topic and continues (exit code 3). ' +
    'docs/export.md has the rules of each format.',
  examples: [
    [
      'holdfast export --from rec --to drive --format parquet',
      'every topic, one Parquet folder each, by hour',
    ],
    [
      "holdfast export --from s3://recordings/fleet-a --to imu --format csv --topics '*/imu' --every 100ms",
      'IMU at 10 Hz as CSV, from a store',
    ],
    [
      "holdfast export --from drive.mcap --to train --format parquet --align 20 --topics '*/odom' '*/cmd_vel'",
      'one wide table per robot, 20 rows a second',
    ],
    [
      'holdfast export --from rec --to logs --format csv --preset vehicle',
      'telemetry and estimates of vehicles, one file each',
    ],
  ],
  parameters: readingParameters,
  configure(command) {
    command
      .option('--from <place>', FROM_HELP)
      .requiredOption('--to <place>', 'empty folder, or the URI of a store, to export into')
      .requiredOption('--format <format>', 'parquet, csv, jsonl, numpy, tfrecord or mcap')
      .option('--robots <name...>', 'only these robots, by name or VIN; * stands for any text of a name')
      .option('--topics <name...>', 'only these topics; * stands for any text')
      .option('--session <id...>', 'only these sessions of the recorder, or latest; * stands for any text')
      .option('--types <name...>', 'only these types, such as sensor_msgs/msg/Imu')
      .option('--from-time <time>', `only messages logged at or after this (${TIME_FORM})`)
      .option('--to-time <time>', 'only messages logged at or before this')
      .option(
        '--every <n>',
        'every n-th message of a topic; with a unit (100ms): at most one message in that time',
      )
      .option(
        '--layout <path>',
        'path of the files, with {robot} {topic} {type} {YYYY-MM-DD} {HH} {segment} {session}',
      )
      .option('--flatten', 'Parquet, JSON lines: nested fields as columns with dotted names')
      .option(
        '--guard-formulas',
        'CSV: put an apostrophe before text that a spreadsheet would run as a formula',
      )
      .option('--explode <field>', 'CSV: one row per element of this list')
      .option(
        '--preset <name>',
        'CSV: vehicle writes the same files as holdfast/logger, such as telemetry_vehicle_<id>.csv',
      )
      .option(
        '--images <how>',
        'files: write images as JPEG and PNG files (also 16 bits), listed in index.csv',
      )
      .option('--raw', 'keep messages that cannot be decoded, in the column payload')
      .option(
        '--align <hz>',
        'one table per robot with the latest value of every topic, at this many rows per second',
      )
      .option(
        '--align-max-age <time>',
        'with --align: values older than this are missing (default: no limit)',
      )
      .option(
        '--robot-name <name>',
        'robot name for recordings without one (default: the first part of the topic)',
      )
      .option(
        '--compression <name>',
        'MCAP: zstd, lz4 or none; Parquet: zstd, snappy or none (default: zstd)',
      )
      .option('--row-group <rows>', 'Parquet: maximum rows per row group (default: 122880)')
      .option(
        '--descriptors <folder>',
        'Parquet: decode payloads of events into columns with the descriptors in this folder; implies --raw',
      )
      .option(
        '--workers <n>',
        'encoding threads, in addition to the reading thread (default: cores minus one, 1 to 4)',
      );
    addCacheFlag(command);
  },
  async run(invocation) {
    const { terminal, stop, options, ports } = invocation;
    const { parseExportOptions } = await import('../../../jobs/export/parse-export-options.js');
    const faults: ConfigFault[] = [];
    const given = parseExportOptions(options, faults);
    if (given === undefined) throw configInvalid(faults);
    const wanted = { ...given, ...(await payloadsOf(invocation)) };
    const from = options['from'] === undefined ? [] : [options['from'] as string];
    await using reading = await openReading({ ...invocation, args: from });
    const filter = { ...wanted.filter, ...(await reading.robotsNamed(wanted.filter.robots)) };
    const parsed = { ...wanted, filter };
    await using place = await openPlace(invocation, reading.copyFs);
    using progress = new Progress(terminal, { label: 'exporting', nowMs: Date.now });
    const { runExport } = await import('../../../jobs/export/run-export.js');
    const segments = await reading.segments(filter);
    const report = await runExport({
      from: reading.from,
      segments,
      listingProblems: [...reading.problems],
      options: parsed,
      place,
      clock: ports.clock,
      random: ports.random,
      version,
      signal: stop.signal,
      onProblem: reading.onProblem,
      onProgress: ({ phase, done, total }) => {
        if (phase === 'exporting') progress.update(done, total);
        else terminal.live(`planning: ${done} of ${total} segments`);
      },
    });
    terminal.live('');
    await sayNotes(report, terminal);
    return await sayResult(report, place.uri, invocation);
  },
};

/** Columns for the payloads of events, from the descriptors in a folder. Throws `CONFIG_INVALID`. */
async function payloadsOf({ options, ports }: Invocation): Promise<Partial<ExportOptions>> {
  const folder = options['descriptors'];
  if (typeof folder !== 'string') return {};
  const { DescriptorFolder } = await import('../../../jobs/lake/descriptor-folder.js');
  const catalogue = await new DescriptorFolder(ports.fs, folder, undefined, '--descriptors').open();
  const files = catalogue.descriptors.map(({ file, sha256 }) => [file, sha256]).sort();
  const descriptors = createHash('sha256').update(JSON.stringify(files)).digest('hex');
  // Payloads without a descriptor keep their reason in the column `problem`.
  return { payloads: catalogue.columnsOf(catalogue.descriptors), descriptors, raw: true };
}

/** Notes about single files and topics. */
async function sayNotes(report: ExportReport, terminal: Invocation['terminal']): Promise<void> {
  const { remarksOf } = await import('../../../jobs/export/export-remarks.js');
  for (const { where, reason } of remarksOf(report)) {
    terminal.note(`holdfast: ${printable(where)}: ${printable(reason)}\n`);
  }
  for (const { topic, schema_versions: versions } of report.manifest.topics) {
    if (versions <= 1) continue;
    const text = `its type has ${versions} versions; the table has the columns of all`;
    terminal.note(`holdfast: ${printable(topic)}: ${text}\n`);
  }
}

async function sayResult(
  { manifest, alreadyDone, ok }: ExportReport,
  to: string,
  invocation: Invocation,
): Promise<CommandResult> {
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  await invocation.say(
    `${humanCount(manifest.num_records)} messages of ${manifest.topics.length} topics in ` +
      `${humanCount(manifest.files.length)} files (${humanBytes(bytes)}) in ${printable(to)}` +
      `${alreadyDone ? '; it was already complete' : ''}${ok ? '' : '; incomplete: see above and manifest.json'}`,
  );
  const { export_id, num_records, undecoded, left_over, time_range } = manifest;
  return {
    exitCode: ok ? exitCodes.ok : exitCodes.findings,
    json: {
      ok,
      to,
      export_id,
      num_records,
      undecoded,
      left_over,
      time_range,
      topics: manifest.topics.length,
      files: manifest.files.length,
      bytes,
      alreadyDone,
      problems: manifest.problems,
    },
  };
}

async function openPlace(invocation: Invocation, copyFs: FileSystem): Promise<OutputPlace> {
  const { ports, options, stop } = invocation;
  const to = String(options['to']);
  if (isStoreUri(to)) {
    const { StorePlace } = await import('../../../jobs/export/store-place.js');
    const store = await openConfiguredStore(to, invocation.resolve('sync'), ports);
    return new StorePlace(store, copyFs, stop.signal);
  }
  const { FolderPlace } = await import('../../../jobs/export/folder-place.js');
  return new FolderPlace(resolve(to), copyFs);
}
