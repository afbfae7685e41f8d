import { defined } from '../../core/defined.js';
import { documentKind } from '../../core/documents/document.js';
import type { GapJson } from '../../core/gap.js';
import { formatTime } from '../../core/clock.js';
import type { Problem } from '../../recordings/segments.js';
import { matches } from '../../recordings/message-filter.js';
import { MessageTable, type MessageKind } from '../../exporters/columns/message-table.js';
import { flatColumns } from '../../exporters/columns/flat-columns.js';
import { signature } from '../../exporters/columns/column.js';
import { exportManifestSchema } from './export-schemas.js';
import { robotOf } from './export-groups.js';
import type { ExportOptions } from './export-options.js';
import type { InspectedSegment } from './inspect.js';
import type { PlanRecord, StepRecord } from './step-record.js';
import type { ExportedFile } from './table-file.js';
import { addTally, tallyKey, type TopicTally } from './topic-tally.js';

export const MANIFEST_NAME = 'manifest.json';
export const EXPORT_MANIFEST_VERSION = 1;

/** From the first to the last of some messages, ISO 8601 with nanoseconds, in UTC. */
export interface ExportedRange {
  /** Log time of the first message. */
  readonly start: string;
  /** Log time of the last message. */
  readonly end: string;
}

/** The program that made an export. */
export interface ExportSoftware {
  /** Its name. */
  readonly name: 'holdfast';
  /** Its version. */
  readonly version: string;
}

/** A column of the tables of a topic. */
export interface ExportedColumn {
  /** Name of the column; fields of fields have dots. */
  readonly name: string;
  /** Type of its values. */
  readonly type: string;
}

/**
 * `manifest.json` of an export. Times are ISO 8601 with nanoseconds, in UTC; docs/export.md explains the
 * fields.
 */
export interface ExportManifest {
  /** Version of this file's format. */
  readonly format_version: typeof EXPORT_MANIFEST_VERSION;
  /** 32 hex digits, chosen when the export began. */
  readonly export_id: string;
  /** `parquet`, `csv`, `jsonl`, `numpy`, `tfrecord` or `mcap`. */
  readonly format: string;
  /** When the export ended. */
  readonly timestamp_utc: string;
  /** Number of messages of all topics. */
  readonly num_records: number;
  /** From the first to the last message; `null` if there are no messages. */
  readonly time_range: ExportedRange | null;
  /** Topics with messages in the export. */
  readonly topics: readonly ExportedTopic[];
  /** Every file of the export except this one. */
  readonly files: readonly ExportedFile[];
  /** Gaps of the recordings inside the range. */
  readonly gaps: readonly GapJson[];
  /** The recordings that were exported. */
  readonly sources: readonly ExportSource[];
  /** What made it. */
  readonly software: ExportSoftware;
  /** Messages left out because they could not be decoded. */
  readonly undecoded: number;
  /** Messages with bytes left over after their last field. */
  readonly left_over: number;
  /** Parts that could not be read, at most 1,000. */
  readonly problems: readonly Problem[];
  /**
   * Options that decide the output, and size and name of every segment. An export with the same digest is not
   * repeated.
   */
  readonly fingerprint: unknown;
  /** Names of the segments in the plan of the export. */
  readonly planned: readonly string[];
}

/** Schema of `manifest.json` of an export. */
export const exportManifests = documentKind<ExportManifest>('manifest of an export', exportManifestSchema);

/** One topic of a robot, as the manifest lists it. */
export interface ExportedTopic {
  /** Empty if the recording names none. */
  readonly robot: string;
  /** Name of the topic. */
  readonly topic: string;
  /** Type of its messages, such as `sensor_msgs/msg/Imu`. */
  readonly message_type: string;
  /** Encoding of the recorded payloads: `cdr`, `json`, ... */
  readonly encoding: string;
  /** Number of its messages in the export. */
  readonly sample_count: number;
  /** Messages per second from the topic's first to its last message; 0 for fewer than two. */
  readonly sample_rate_hz: number;
  /** From its first to its last message; `null` if there are no messages. */
  readonly time_range: ExportedRange | null;
  /** Messages left out because they could not be decoded. */
  readonly undecoded: number;
  /** Messages with bytes left over after their last field: they were written with another definition. */
  readonly left_over: number;
  /** Messages written as bytes because they could not be decoded. */
  readonly kept_raw: number;
  /** Messages left out by `every`. */
  readonly thinned_out: number;
  /** Why messages were left out or kept raw; the reason of the first one. */
  readonly reason?: string;
  /** Number of versions of the type; if there are several, the columns are their union. */
  readonly schema_versions: number;
  /** Columns with their types. */
  readonly schema: readonly ExportedColumn[];
  /** Paths of the files it is in. */
  readonly files: readonly string[];
}

/** One recording file that was exported. */
export interface ExportSource {
  /** Path or key. */
  readonly name: string;
  /** Id of the segment; absent if Holdfast did not record it. */
  readonly segment_id?: string;
  /** Robot; absent if the recording names none. */
  readonly robot?: string;
  /** VIN of the vehicle; absent if the recording names none, or if an earlier version made the export. */
  readonly vin?: string;
  /** Size of the file. */
  readonly bytes: number;
  /** Who wrote it. */
  readonly version: string;
}

export interface ManifestFacts {
  readonly plan: PlanRecord;
  readonly endedUtc: string;
  readonly steps: readonly StepRecord[];
  readonly inspected: readonly InspectedSegment[];
  readonly options: ExportOptions;
  readonly version: string;
  readonly problems: readonly Problem[];
}

export function buildManifest(facts: ManifestFacts): ExportManifest {
  const { steps, inspected, options } = facts;
  const tallies = new Map<string, TopicTally>();
  for (const tally of steps.flatMap((step) => step.tallies)) addTally(tallies, tally);
  const all = [...tallies.values()].sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1));
  const firsts = all.flatMap(({ first }) => (first === undefined ? [] : [BigInt(first)]));
  const lasts = all.flatMap(({ last }) => (last === undefined ? [] : [BigInt(last)]));
  const range = firsts.length === 0 ? undefined : { start: least(firsts), end: most(lasts) };
  const schemas = topicColumns(inspected, options);
  const paths = pathsByTopic(steps);
  return {
    format_version: EXPORT_MANIFEST_VERSION,
    export_id: facts.plan.export_id,
    format: options.format,
    timestamp_utc: facts.endedUtc,
    num_records: all.reduce((sum, { messages }) => sum + messages, 0),
    time_range: range === undefined ? null : { start: formatTime(range.start), end: formatTime(range.end) },
    topics: all.map((tally) => topicOf(tally, schemas, paths.get(tallyKey(tally)) ?? [])),
    files: steps.flatMap((step) => step.files.map(withoutHolds)).sort((a, b) => (a.path < b.path ? -1 : 1)),
    gaps: gapsInside(inspected, options, range),
    sources: inspected.map(({ segment, robot, vin, library }) => ({
      name: segment.name,
      ...defined({ segment_id: segment.id, robot, vin }),
      bytes: segment.bytes,
      version: library,
    })),
    software: { name: 'holdfast', version: facts.version },
    undecoded: all.reduce((sum, { undecoded }) => sum + undecoded, 0),
    left_over: all.reduce((sum, { left_over: leftOver }) => sum + leftOver, 0),
    problems: facts.problems,
    fingerprint: facts.plan.fingerprint,
    planned: facts.plan.segments,
  };
}

const orderOf = ({ robot, topic, type }: TopicTally): string => JSON.stringify([robot, topic, type]);
const least = (times: readonly bigint[]): bigint => times.reduce((a, b) => (b < a ? b : a));
const most = (times: readonly bigint[]): bigint => times.reduce((a, b) => (b > a ? b : a));

function withoutHolds({ holds: _, ...file }: ExportedFile): ExportedFile {
  return file;
}

/** The files with each topic, by the key of its tally. */
function pathsByTopic(steps: readonly StepRecord[]): Map<string, string[]> {
  const paths = new Map<string, string[]>();
  for (const { files, tallies } of steps) {
    const all = tallies.filter(({ messages }) => messages > 0).map(tallyKey);
    for (const { path, holds = all } of files) {
      for (const key of holds) {
        const known = paths.get(key);
        if (known === undefined) paths.set(key, [path]);
        else known.push(path);
      }
    }
  }
  return paths;
}

export interface TopicSchema {
  readonly versions: number;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** The columns of each topic, flat, as a reader of any format finds them. By robot, topic and type. */
export function topicColumns(
  inspected: readonly InspectedSegment[],
  options: ExportOptions,
): Map<string, TopicSchema> {
  const kinds = new Map<string, Map<string, MessageKind>>();
  for (const { channels, robot } of inspected) {
    for (const { topic, encoding, schema } of channels) {
      const key = JSON.stringify([robotOf(robot, topic, options), topic, schema.name]);
      const text = Buffer.from(schema.data).toString('latin1');
      const known = kinds.get(key) ?? new Map<string, MessageKind>();
      kinds.set(key, known.set(JSON.stringify([encoding, schema.encoding, text]), { encoding, schema }));
    }
  }
  return new Map(
    [...kinds].map(([key, ofTopic]) => {
      const { columns, versions } = new MessageTable([...ofTopic.values()], {
        flatten: options.flatten,
        raw: options.raw,
        ...defined({ payloads: options.payloads }),
      });
      const described = flatColumns(columns).map(({ name, column }) => ({ name, type: signature(column) }));
      return [key, { versions, columns: described }];
    }),
  );
}

function topicOf(
  tally: TopicTally,
  schemas: Map<string, TopicSchema>,
  files: readonly string[],
): ExportedTopic {
  const { robot, topic, type, first, last, messages } = tally;
  const schema = schemas.get(JSON.stringify([robot, topic, type]));
  const seconds = first === undefined || last === undefined ? 0 : Number(BigInt(last) - BigInt(first)) / 1e9;
  return {
    robot,
    topic,
    message_type: type,
    encoding: tally.encoding,
    sample_count: messages,
    sample_rate_hz: seconds > 0 ? Number(((messages - 1) / seconds).toFixed(6)) : 0,
    time_range:
      first === undefined || last === undefined
        ? null
        : { start: formatTime(BigInt(first)), end: formatTime(BigInt(last)) },
    undecoded: tally.undecoded,
    left_over: tally.left_over,
    kept_raw: tally.kept_raw,
    thinned_out: tally.thinned_out,
    ...defined({ reason: tally.reason }),
    schema_versions: schema?.versions ?? 0,
    schema: schema?.columns ?? [],
    files,
  };
}

/** Gaps of wanted robots and topics whose time overlaps the exported range; each once. */
function gapsInside(
  inspected: readonly InspectedSegment[],
  { filter }: ExportOptions,
  range: { readonly start: bigint; readonly end: bigint } | undefined,
): GapJson[] {
  const from = filter.from ?? range?.start;
  const to = filter.to ?? range?.end;
  const gaps = new Map<string, GapJson>();
  for (const gap of inspected.flatMap((one) => one.gaps)) {
    if (!matches(filter.robots, gap.robot)) continue;
    if (gap.topic !== undefined && !matches(filter.topics, gap.topic)) continue;
    if (from !== undefined && gap.lastTime !== undefined && BigInt(gap.lastTime) < from) continue;
    if (to !== undefined && gap.firstTime !== undefined && BigInt(gap.firstTime) > to) continue;
    gaps.set(gap.id, gap);
  }
  return [...gaps.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
