import { resolve } from 'node:path';
import type { ConfigFault } from '../../parameters/fault.js';
import { configInvalid } from '../../parameters/fault.js';
import { version } from '../../system/version.js';
import type { CommandDefinition, Invocation } from '../command-definition.js';
import { exitCodes } from '../exit-code.js';
import { humanBytes, humanCount, printable } from '../human.js';
import { openConfiguredStore } from '../open-configured-store.js';
import { TIME_FORM } from '../parse-time.js';
import { Progress } from '../progress.js';
import { addCacheFlag, FROM_HELP, openReading, readingParameters } from '../reading-arguments.js';
import type { OutputPlace } from '../../export/output-place.js';

export const exportCommand: CommandDefinition = {
  name: 'export',
  summary: 'turn recordings into Parquet, CSV, JSON lines, NumPy, TFRecord or MCAP files',
  description:
    'Decodes the messages of a data folder, a store or a recording into files for data work, streaming ' +
    'within bounded memory, and describes them in a manifest.json. A killed export continues where it was ' +
    'when the same command is given again; files appear only whole. What cannot be read or decoded is ' +
    'counted and said per topic, and the rest goes on (exit code 3). docs/export.md has the rules of each format.',
  examples: [
    [
      'holdfast export --from rec --to drive --format parquet',
      'every topic, one Parquet folder each, by hour',
    ],
    [
      "holdfast export --from s3://recordings/fleet-a --to imu --format csv --topics '*/imu' --every 100ms",
      'IMU at 10 Hz as CSV, out of a store',
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
      .requiredOption('--to <place>', 'empty folder, or s3://bucket/prefix, to export into')
      .requiredOption('--format <format>', 'parquet, csv, jsonl, numpy, tfrecord or mcap')
      .option('--robots <name...>', 'only these robots; * stands for any text')
      .option('--topics <name...>', 'only these topics; * stands for any text')
      .option('--types <name...>', 'only these types, such as sensor_msgs/msg/Imu')
      .option('--from-time <time>', `only messages logged at or after this (${TIME_FORM})`)
      .option('--to-time <time>', 'only messages logged at or before this')
      .option('--every <n>', 'each n-th message of a topic, or with a unit (100ms) at most one in that time')
      .option(
        '--layout <path>',
        'where files go, made of {robot} {topic} {type} {YYYY-MM-DD} {HH} {segment} {session}',
      )
      .option('--flatten', 'Parquet, JSON lines: nested fields as columns with dotted names')
      .option('--explode <field>', 'CSV: one row per element of this list')
      .option(
        '--preset <name>',
        'CSV: vehicle gives the files that holdfast/logger writes, telemetry_vehicle_<id>.csv and so on',
      )
      .option('--images <how>', 'files: images as JPEG and PNG files (16 bits too), listed in index.csv')
      .option('--raw', 'keep messages that cannot be decoded, in a column payload')
      .option(
        '--align <hz>',
        'one table per robot with the latest value of every topic, so many rows a second',
      )
      .option(
        '--align-max-age <time>',
        'with --align: values older than this are missing (default: no limit)',
      )
      .option(
        '--robot-name <name>',
        "robot of recordings that do not say theirs (default: the topic's first part)",
      )
      .option('--compression <name>', 'MCAP: zstd, lz4 or none (default: zstd)')
      .option(
        '--workers <n>',
        'encoding threads beside the one that reads (default: one less than cores, 1 to 4)',
      );
    addCacheFlag(command);
  },
  async run(invocation) {
    const { terminal, stop, options, ports } = invocation;
    const { parseExportOptions } = await import('../../export/parse-export-options.js');
    const faults: ConfigFault[] = [];
    const parsed = parseExportOptions(options, faults);
    if (parsed === undefined) throw configInvalid(faults);
    const from = options['from'] === undefined ? [] : [String(options['from'])];
    await using reading = await openReading({ ...invocation, args: from });
    await using place = await openPlace(invocation);
    using progress = new Progress(terminal, { label: 'exporting', nowMs: Date.now });
    const { runExport } = await import('../../export/run-export.js');
    const segments = await reading.segments(parsed.filter);
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
    const { manifest, alreadyDone, ok } = report;
    for (const { topic, undecoded, kept_raw, reason } of manifest.topics) {
      if (undecoded > 0) {
        terminal.note(
          `holdfast: ${printable(topic)}: ${undecoded} messages left out: ${printable(reason ?? '')}\n`,
        );
      }
      if (kept_raw > 0) {
        terminal.note(
          `holdfast: ${printable(topic)}: ${kept_raw} messages kept raw: ${printable(reason ?? '')}\n`,
        );
      }
    }
    for (const { topic, schema_versions: versions } of manifest.topics) {
      if (versions > 1) {
        terminal.note(
          `holdfast: ${printable(topic)}: its type has ${versions} versions; their columns are united\n`,
        );
      }
    }
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    await invocation.say(
      `${humanCount(manifest.num_records)} messages of ${manifest.topics.length} topics in ` +
        `${humanCount(manifest.files.length)} files (${humanBytes(bytes)}) in ${printable(place.uri)}` +
        `${alreadyDone ? '; all of it was there already' : ''}${ok ? '' : '; not all: see above and manifest.json'}`,
    );
    const { export_id, num_records, undecoded, time_range } = manifest;
    return {
      exitCode: ok ? exitCodes.ok : exitCodes.findings,
      json: {
        ok,
        to: place.uri,
        export_id,
        num_records,
        undecoded,
        time_range,
        topics: manifest.topics.length,
        files: manifest.files.length,
        bytes,
        alreadyDone,
        problems: manifest.problems,
      },
    };
  },
};

async function openPlace(invocation: Invocation): Promise<OutputPlace> {
  const { ports, options, stop } = invocation;
  const { FolderPlace, StorePlace } = await import('../../export/output-place.js');
  const to = String(options['to']);
  if (/^(s3|dir):/.test(to)) {
    const store = await openConfiguredStore(to, invocation.resolve('sync'), ports);
    return new StorePlace(store, ports.fs, stop.signal);
  }
  return new FolderPlace(resolve(to), ports.fs);
}
