import type { Reader, Writer } from 'protobufjs/minimal.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import type { Tags } from '../../core/tags.js';
import {
  FIXED64,
  LENGTH_DELIMITED,
  readFixed64,
  readUint53,
  tagOf,
  VARINT,
  writeFixed64,
} from '../../core/protobuf-wire.js';
import { defined } from '../../core/defined.js';
import { readFields, utf8, WireFault, type FieldReaders } from './read-fields.js';
import { figureNames, figures, type FigureName, type RobotFigures } from './robot-figures.js';
import {
  reportLimits,
  segmentStates,
  type ReportedAlert,
  type ReportedSegment,
  type RobotReport,
} from './robot-report.js';
import { readContent, writeContent, type NumberedContent } from './segment-content.js';
import { tagsReader, writeTags } from './tags-codec.js';
import { double, nested, string, varint } from './write-telemetry.js';

const byNumber = new Map<number, FigureName>(figureNames.map((name) => [figures[name].number, name]));
const severities = ['warning', 'critical'] as const;

/** Writes a Report. */
export function writeReport(writer: Writer, report: RobotReport): void {
  varint(writer, 1, report.epoch);
  varint(writer, 2, report.sequence);
  if (report.complete) varint(writer, 3, 1);
  nested(writer, 4, () => writeFigures(writer, report.figures));
  for (const name of report.unknown) varint(writer, 5, figures[name].number);
  const { alerts, tags } = report;
  if (alerts !== undefined)
    nested(writer, 6, () => alerts.forEach((alert) => nested(writer, 1, () => writeAlert(writer, alert))));
  for (const segment of report.segments) nested(writer, 7, () => writeSegment(writer, segment));
  for (const event of report.events) nested(writer, 8, () => writeEvent(writer, event));
  if (tags !== undefined) nested(writer, 9, () => writeTags(writer, 1, tags));
  for (const content of report.contents ?? []) nested(writer, 10, () => writeContent(writer, content));
  if (report.timeNs !== undefined) writeFixed64(writer.uint32(tagOf(11, FIXED64)), report.timeNs);
}

function writeFigures(writer: Writer, values: RobotFigures): void {
  for (const name of figureNames) {
    const { number, kind } = figures[name];
    const value = values[name];
    if (value === undefined) continue;
    // An optional field is also written if its value is the default.
    if (kind === 'text') writer.uint32(tagOf(number, LENGTH_DELIMITED)).string(String(value));
    else if (kind === 'time') time(writer, number, String(value));
    else writer.uint32(tagOf(number, FIXED64)).double(Number(value));
  }
}

function writeAlert(writer: Writer, { id, severity, summary, sinceMs }: ReportedAlert): void {
  string(writer, 1, id);
  varint(writer, 2, severities.indexOf(severity));
  string(writer, 3, summary);
  double(writer, 4, sinceMs);
}

function writeSegment(writer: Writer, segment: ReportedSegment): void {
  const { messages } = segment;
  string(writer, 1, segment.segment);
  varint(writer, 2, segmentStates.indexOf(segment.state));
  varint(writer, 3, segment.bytes);
  if (messages !== undefined) writer.uint32(tagOf(4, VARINT)).uint64(messages);
  time(writer, 5, segment.firstLogTime);
  time(writer, 6, segment.lastLogTime);
  time(writer, 7, segment.sealedAt);
  varint(writer, 8, segment.gaps);
  string(writer, 9, segment.priority ?? '');
  varint(writer, 10, segment.content ?? 0);
}

function writeEvent(writer: Writer, { id, label, at, from, to }: MarkedEvent): void {
  string(writer, 1, id);
  string(writer, 2, label);
  time(writer, 3, at);
  time(writer, 4, from);
  time(writer, 5, to);
}

/** Reads a Report. Throws for one that is not allowed. */
export function readReport(bytes: Uint8Array): RobotReport {
  let [epoch, sequence, complete] = [0, 0, false];
  let values: RobotFigures = {};
  const unknown: FigureName[] = [];
  let alerts: ReportedAlert[] | undefined;
  let tags: Tags | undefined;
  let timeNs: bigint | undefined;
  const segments: ReportedSegment[] = [];
  const events: MarkedEvent[] = [];
  const contents: NumberedContent[] = [];
  readFields(bytes, {
    1: [VARINT, (reader) => (epoch = readUint53(reader))],
    2: [VARINT, (reader) => (sequence = readUint53(reader))],
    3: [VARINT, (reader) => (complete = reader.bool())],
    4: [LENGTH_DELIMITED, (reader) => (values = readFigures(reader.bytes()))],
    5: [VARINT, (reader) => noteUnknown(unknown, readUint53(reader))],
    6: [LENGTH_DELIMITED, (reader) => (alerts = readAlerts(reader.bytes()))],
    7: [LENGTH_DELIMITED, (reader) => add(segments, readSegment(reader.bytes()), 'segments')],
    8: [LENGTH_DELIMITED, (reader) => add(events, readEvent(reader.bytes()), 'events')],
    9: [LENGTH_DELIMITED, (reader) => (tags = readTags(reader.bytes()))],
    10: [LENGTH_DELIMITED, (reader) => add(contents, readContent(reader.bytes()), 'contents')],
    11: [FIXED64, (reader) => (timeNs = readFixed64(reader))],
  });
  if (sequence < 1) throw new WireFault('sequence 0 of a report, allowed: at least 1');
  return {
    epoch,
    sequence,
    complete,
    figures: values,
    unknown,
    ...defined({ timeNs, alerts, tags, contents: contents.length > 0 ? contents : undefined }),
    segments,
    events,
  };
}

function readFigures(bytes: Uint8Array): RobotFigures {
  const found: Partial<Record<FigureName, string | number>> = {};
  const readers: Record<number, FieldReaders[number]> = {};
  for (const name of figureNames) {
    const { number, kind } = figures[name];
    readers[number] =
      kind === 'text'
        ? [LENGTH_DELIMITED, (reader) => (found[name] = limited(reader))]
        : [FIXED64, (reader) => (found[name] = kind === 'time' ? timeOf(reader) : finite(reader))];
  }
  readFields(bytes, readers);
  return found as RobotFigures;
}

/** A figure of a later version is not known here at all. */
function noteUnknown(unknown: FigureName[], number: number): void {
  const name = byNumber.get(number);
  if (name !== undefined && !unknown.includes(name)) unknown.push(name);
}

function readAlerts(bytes: Uint8Array): ReportedAlert[] {
  const alerts: ReportedAlert[] = [];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => add(alerts, readAlert(reader.bytes()), 'alerts')],
  });
  return alerts;
}

function readTags(bytes: Uint8Array): Tags {
  const tags = new Map<string, string>();
  readFields(bytes, { 1: tagsReader(tags, reportLimits.tags) });
  return Object.fromEntries(tags);
}

function readAlert(bytes: Uint8Array): ReportedAlert {
  let [id, summary, severity, sinceMs] = ['', '', 0, 0];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (id = limited(reader))],
    2: [VARINT, (reader) => (severity = readUint53(reader))],
    3: [LENGTH_DELIMITED, (reader) => (summary = limited(reader))],
    4: [FIXED64, (reader) => (sinceMs = finite(reader))],
  });
  // A severity of a later version is at least as bad as the worst one here.
  return { id, severity: severities[severity] ?? 'critical', summary, sinceMs };
}

function readSegment(bytes: Uint8Array): ReportedSegment {
  let [segment, state, size, gaps] = ['', 0, 0, 0];
  let messages: number | undefined;
  let content: number | undefined;
  let [firstLogTime, lastLogTime, sealedAt, priority]: (string | undefined)[] = [];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (segment = limited(reader))],
    2: [VARINT, (reader) => (state = readUint53(reader))],
    3: [VARINT, (reader) => (size = readUint53(reader))],
    4: [VARINT, (reader) => (messages = readUint53(reader))],
    5: [FIXED64, (reader) => (firstLogTime = timeOf(reader))],
    6: [FIXED64, (reader) => (lastLogTime = timeOf(reader))],
    7: [FIXED64, (reader) => (sealedAt = timeOf(reader))],
    8: [VARINT, (reader) => (gaps = readUint53(reader))],
    9: [LENGTH_DELIMITED, (reader) => (priority = limited(reader))],
    10: [VARINT, (reader) => (content = readUint53(reader))],
  });
  const known = segmentStates[state];
  if (known === undefined)
    throw new WireFault(`state ${state} of a segment, allowed: 0 to ${segmentStates.length - 1}`);
  const optional = defined({ messages, firstLogTime, lastLogTime, sealedAt, priority, content });
  return { segment, state: known, bytes: size, ...optional, gaps };
}

function readEvent(bytes: Uint8Array): MarkedEvent {
  let [id, label, at, from, to] = ['', '', '0', '0', '0'];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (id = limited(reader))],
    2: [LENGTH_DELIMITED, (reader) => (label = limited(reader))],
    3: [FIXED64, (reader) => (at = timeOf(reader))],
    4: [FIXED64, (reader) => (from = timeOf(reader))],
    5: [FIXED64, (reader) => (to = timeOf(reader))],
  });
  return { id, label, at, from, to };
}

function add<T>(list: T[], one: T, what: 'alerts' | 'segments' | 'events' | 'contents'): void {
  if (list.length >= reportLimits[what])
    throw new WireFault(`more than ${reportLimits[what]} ${what} in a report`);
  list.push(one);
}

function limited(reader: Reader): string {
  const text = utf8(reader);
  if (Buffer.byteLength(text) > reportLimits.textBytes)
    throw new WireFault(`a text of ${Buffer.byteLength(text)} bytes, allowed: ${reportLimits.textBytes}`);
  return text;
}

function finite(reader: Reader): number {
  const value = reader.double();
  if (!Number.isFinite(value)) throw new WireFault('a figure is not finite');
  return value;
}

function time(writer: Writer, number: number, value: string | undefined): void {
  if (value !== undefined) writeFixed64(writer.uint32(tagOf(number, FIXED64)), BigInt(value));
}

function timeOf(reader: Reader): string {
  return String(BigInt.asUintN(64, readFixed64(reader)));
}
