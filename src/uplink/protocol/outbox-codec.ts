import { Reader, type Writer } from 'protobufjs/minimal.js';
import {
  FIXED64,
  LENGTH_DELIMITED,
  readFixed64,
  readUint53,
  tagOf,
  VARINT,
  writeFixed64,
} from '../../core/protobuf-wire.js';
import { MAX_FIELDS, type Catalogue } from './field-spec.js';
import { readFields, WireFault } from './read-fields.js';
import { readCatalogue } from './read-telemetry.js';
import { nested, varint, writeCatalogue } from './write-telemetry.js';

/** Every field at one tick, as it was measured. */
export interface OutboxSample {
  readonly tick: number;
  /** Wall clock of the robot, nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  /** In the order of the catalogue; NaN: the field had no value. Of fields that are not due: without meaning. */
  readonly values: readonly number[];
}

/** Samples that waited on the robot, in the order of their ticks. */
export interface OutboxBatch {
  readonly kind: 'outbox';
  readonly run: bigint;
  /** Absent: that of the batch before on this connection. */
  readonly catalogue?: Catalogue;
  readonly samples: readonly OutboxSample[];
}

/** Samples that a full outbox removed: consecutive ticks of one run with the same fields. */
export interface RemovedSamples {
  readonly kind: 'removed';
  readonly run: bigint;
  readonly catalogue: Catalogue;
  readonly firstTick: number;
  /** At least 1. */
  readonly ticks: number;
  /** Wall clock of the robot at the first tick; one tick later, `catalogue.tickNs` more. */
  readonly timeNs: bigint;
}

/** The ground has stored the samples of these ticks durably, or will never store them. */
export interface Stored {
  readonly kind: 'stored';
  readonly run: bigint;
  readonly firstTick: number;
  readonly ticks: number;
}

/** Samples of a batch: it bounds the work of a receiver. */
export const MAX_OUTBOX_SAMPLES = 1_000;

/** Writes the content of an OutboxBatch. */
export function writeOutbox(writer: Writer, { run, catalogue, samples }: OutboxBatch): void {
  writeFixed64(writer.uint32(tagOf(1, FIXED64)), run);
  if (catalogue !== undefined) nested(writer, 2, () => writeCatalogue(catalogue, writer));
  for (const sample of samples) nested(writer, 3, () => writeOutboxSample(writer, sample));
}

/** Writes an OutboxSample. */
export function writeOutboxSample(writer: Writer, { tick, timeNs, values }: OutboxSample): Writer {
  varint(writer, 1, tick);
  writeFixed64(writer.uint32(tagOf(2, FIXED64)), timeNs);
  nested(writer, 3, () => values.forEach((value) => writer.double(value)));
  return writer;
}

/** Reads an OutboxBatch. Throws a WireFault or a RangeError with what is wrong with it. */
export function readOutbox(bytes: Uint8Array): OutboxBatch {
  let run = 0n;
  let catalogue: Catalogue | undefined;
  const samples: OutboxSample[] = [];
  readFields(bytes, {
    1: [FIXED64, (reader) => (run = BigInt.asUintN(64, readFixed64(reader)))],
    2: [LENGTH_DELIMITED, (reader) => (catalogue = readCatalogue(reader.bytes()))],
    3: [
      LENGTH_DELIMITED,
      (reader) => {
        if (samples.push(readOutboxSample(reader.bytes())) > MAX_OUTBOX_SAMPLES)
          throw new WireFault(`more than ${MAX_OUTBOX_SAMPLES} samples`);
      },
    ],
  });
  if (samples.length === 0) throw new WireFault('a batch without samples');
  if (samples.some(({ tick }, i) => i > 0 && tick <= samples[i - 1]!.tick))
    throw new WireFault('the ticks of a batch do not ascend');
  const width = samples[0]!.values.length;
  if (samples.some(({ values }) => values.length !== width))
    throw new WireFault('the samples of a batch differ in their number of values');
  if (catalogue !== undefined && catalogue.fields.length !== width)
    throw new WireFault('the catalogue does not belong to the values');
  return { kind: 'outbox', run, ...(catalogue === undefined ? {} : { catalogue }), samples };
}

/** Reads an OutboxSample. Throws a WireFault or a RangeError with what is wrong with it. */
export function readOutboxSample(bytes: Uint8Array): OutboxSample {
  let tick = 0;
  let timeNs = 0n;
  const values: number[] = [];
  readFields(bytes, {
    1: [VARINT, (reader) => (tick = readUint53(reader))],
    2: [FIXED64, (reader) => (timeNs = readFixed64(reader))],
    3: [
      LENGTH_DELIMITED,
      (reader) => {
        const packed = Reader.create(reader.bytes());
        while (packed.pos < packed.len) values.push(packed.double());
      },
    ],
  });
  if (values.length > MAX_FIELDS) throw new WireFault(`${values.length} values, allowed: ${MAX_FIELDS}`);
  return { tick, timeNs, values };
}

/** Writes the content of a Stored. */
export function writeStored(writer: Writer, { run, firstTick, ticks }: Stored): void {
  writeFixed64(writer.uint32(tagOf(1, FIXED64)), run);
  varint(writer, 2, firstTick);
  varint(writer, 3, ticks);
}

/** Reads a Stored. Throws a WireFault or a RangeError with what is wrong with it. */
export function readStored(bytes: Uint8Array): Stored {
  let run = 0n;
  let [firstTick, ticks] = [0, 0];
  readFields(bytes, {
    1: [FIXED64, (reader) => (run = BigInt.asUintN(64, readFixed64(reader)))],
    2: [VARINT, (reader) => (firstTick = readUint53(reader))],
    3: [VARINT, (reader) => (ticks = readUint53(reader))],
  });
  return { kind: 'stored', run, firstTick, ticks };
}

/** Writes the content of a RemovedSamples. */
export function writeRemoved(writer: Writer, removed: RemovedSamples): void {
  const { run, catalogue, firstTick, ticks, timeNs } = removed;
  writeFixed64(writer.uint32(tagOf(1, FIXED64)), run);
  nested(writer, 2, () => writeCatalogue(catalogue, writer));
  varint(writer, 3, firstTick);
  varint(writer, 4, ticks);
  writeFixed64(writer.uint32(tagOf(5, FIXED64)), timeNs);
}

/** Reads a RemovedSamples. Throws a WireFault or a RangeError with what is wrong with it. */
export function readRemoved(bytes: Uint8Array): RemovedSamples {
  let run = 0n;
  let catalogue: Catalogue | undefined;
  let [firstTick, ticks, timeNs] = [0, 0, 0n];
  readFields(bytes, {
    1: [FIXED64, (reader) => (run = BigInt.asUintN(64, readFixed64(reader)))],
    2: [LENGTH_DELIMITED, (reader) => (catalogue = readCatalogue(reader.bytes()))],
    3: [VARINT, (reader) => (firstTick = readUint53(reader))],
    4: [VARINT, (reader) => (ticks = readUint53(reader))],
    5: [FIXED64, (reader) => (timeNs = readFixed64(reader))],
  });
  if (catalogue === undefined) throw new WireFault('removed samples without their fields');
  if (ticks < 1) throw new WireFault('0 removed ticks, allowed: at least 1');
  return { kind: 'removed', run, catalogue, firstTick, ticks, timeNs };
}
