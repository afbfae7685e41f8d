import { Writer } from 'protobufjs/minimal.js';
import { FIXED64, LENGTH_DELIMITED, tagOf, VARINT, writeFixed64 } from '../../core/protobuf-wire.js';
import type { Catalogue, FieldSpec } from './field-spec.js';
import { predictorNames } from './predictor-names.js';
import type { Change, FullState, TelemetryFrame } from './telemetry-frame.js';

/** Writes a TelemetryFrame. */
export function writeTelemetry(frame: TelemetryFrame, writer: Writer = Writer.create()): Writer {
  const { epoch, sequence, firstTick, ticks, timeNs, full, changes } = frame;
  varint(writer, 1, epoch);
  varint(writer, 2, sequence);
  varint(writer, 3, firstTick);
  varint(writer, 4, ticks);
  if (timeNs !== undefined) writeFixed64(writer.uint32(tagOf(5, FIXED64)), timeNs);
  if (full !== undefined) nested(writer, 6, () => writeFull(writer, full));
  const residuals = changes.filter((one) => one.kind === 'residual');
  positions(writer, 7, residuals);
  packed(writer, 8, residuals, ({ residual }) => writer.sint32(residual));
  const exact = changes.filter((one) => one.kind === 'exact');
  positions(writer, 9, exact);
  packed(writer, 10, exact, ({ value }) => writer.double(value));
  positions(
    writer,
    11,
    changes.filter((one) => one.kind === 'absent'),
  );
  return writer;
}

function writeFull(writer: Writer, { run, catalogueVersion, catalogue, values }: FullState): void {
  writeFixed64(writer.uint32(tagOf(1, FIXED64)), run);
  varint(writer, 2, catalogueVersion);
  if (catalogue !== undefined) nested(writer, 3, () => writeCatalogue(catalogue, writer));
  packed(writer, 4, values, (value) => writer.double(value));
}

/** Writes a Catalogue. */
export function writeCatalogue(catalogue: Catalogue, writer: Writer = Writer.create()): Writer {
  const { version, tickNs, fields, vin = '' } = catalogue;
  varint(writer, 1, version);
  varint(writer, 2, tickNs);
  for (const field of fields) nested(writer, 3, () => writeField(writer, field));
  string(writer, 4, vin);
  return writer;
}

function writeField(writer: Writer, field: FieldSpec): void {
  const { topic, path, unit, threshold, quantum, everyTicks, predictor, circle, scale = 1 } = field;
  string(writer, 1, topic);
  string(writer, 2, path);
  string(writer, 3, unit);
  double(writer, 4, threshold);
  double(writer, 5, quantum);
  varint(writer, 6, everyTicks);
  varint(writer, 7, predictorNames.indexOf(predictor));
  double(writer, 8, circle?.period ?? 0);
  double(writer, 9, circle?.lowest ?? 0);
  if (scale !== 1) double(writer, 10, scale);
}

/** Writes a number as a varint; 0 is the default and takes no bytes. */
export function varint(writer: Writer, number: number, value: number): void {
  if (value !== 0) writer.uint32(tagOf(number, VARINT)).uint64(value);
}

/** Writes a string; an empty one takes no bytes. */
export function string(writer: Writer, number: number, value: string): void {
  if (value !== '') writer.uint32(tagOf(number, LENGTH_DELIMITED)).string(value);
}

/** Writes a message in a field. */
export function nested(writer: Writer, number: number, write: () => void): void {
  writer.uint32(tagOf(number, LENGTH_DELIMITED)).fork();
  write();
  writer.ldelim();
}

/** Writes a double; 0 takes no bytes. */
export function double(writer: Writer, number: number, value: number): void {
  if (value !== 0) writer.uint32(tagOf(number, FIXED64)).double(value);
}

function packed<T>(writer: Writer, number: number, list: readonly T[], write: (one: T) => void): void {
  if (list.length === 0) return;
  nested(writer, number, () => list.forEach(write));
}

function positions(writer: Writer, number: number, changes: readonly Change[]): void {
  let last = 0;
  packed(writer, number, changes, ({ position }) => {
    writer.uint32(position - last);
    last = position;
  });
}
