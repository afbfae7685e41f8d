import { Reader } from 'protobufjs/minimal.js';
import { FIXED64, LENGTH_DELIMITED, readFixed64, readUint53, VARINT } from '../../core/protobuf-wire.js';
import { catalogueFault, MAX_FIELDS, type Catalogue, type FieldSpec } from './field-spec.js';
import { predictorNames } from './predictor-names.js';
import { MAX_TICKS, type Change, type FullState, type TelemetryFrame } from './telemetry-frame.js';
import { readFields, utf8, WireFault } from './read-fields.js';

/** Reads a TelemetryFrame. Throws a WireFault or a RangeError with what is wrong with it. */
export function readTelemetry(bytes: Uint8Array): TelemetryFrame {
  let [epoch, sequence, firstTick, ticks] = [0, 0, 0, 0];
  let timeNs: bigint | undefined;
  let full: FullState | undefined;
  const changed: number[] = [];
  const residuals: number[] = [];
  const exactAt: number[] = [];
  const exact: number[] = [];
  const absentAt: number[] = [];
  readFields(bytes, {
    1: [VARINT, (reader) => (epoch = readUint53(reader))],
    2: [VARINT, (reader) => (sequence = readUint53(reader))],
    3: [VARINT, (reader) => (firstTick = readUint53(reader))],
    4: [VARINT, (reader) => (ticks = readUint53(reader))],
    5: [FIXED64, (reader) => (timeNs = readFixed64(reader))],
    6: [LENGTH_DELIMITED, (reader) => (full = readFull(reader.bytes()))],
    7: [LENGTH_DELIMITED, (reader) => readPacked(reader.bytes(), changed, readUint53)],
    8: [LENGTH_DELIMITED, (reader) => readPacked(reader.bytes(), residuals, (one) => one.sint32())],
    9: [LENGTH_DELIMITED, (reader) => readPacked(reader.bytes(), exactAt, readUint53)],
    10: [LENGTH_DELIMITED, (reader) => readPacked(reader.bytes(), exact, (one) => one.double())],
    11: [LENGTH_DELIMITED, (reader) => readPacked(reader.bytes(), absentAt, readUint53)],
  });
  if (ticks < 1 || ticks > MAX_TICKS) throw new WireFault(`${ticks} ticks, allowed: 1 to ${MAX_TICKS}`);
  if (changed.length !== residuals.length || exactAt.length !== exact.length)
    throw new WireFault('positions and values differ in number');
  if (exact.some((value) => !Number.isFinite(value))) throw new WireFault('an exact value is not finite');
  const changes: Change[] = [
    ...absolute(changed).map((position, i) => ({
      position,
      kind: 'residual' as const,
      residual: residuals[i]!,
    })),
    ...absolute(exactAt).map((position, i) => ({ position, kind: 'exact' as const, value: exact[i]! })),
    ...absolute(absentAt).map((position) => ({ position, kind: 'absent' as const })),
  ].sort((a, b) => a.position - b.position);
  if (changes.some(({ position }, i) => i > 0 && position === changes[i - 1]!.position))
    throw new WireFault('two values for one position');
  const head = { epoch, sequence, firstTick, ticks, ...(timeNs === undefined ? {} : { timeNs }) };
  if (full === undefined) return { ...head, changes };
  if (ticks !== 1 || changes.length > 0 || timeNs === undefined)
    throw new WireFault('a full frame must cover one tick, with its time and without changes');
  return { ...head, full, changes };
}

function readFull(bytes: Uint8Array): FullState {
  let run = 0n;
  let catalogueVersion = 0;
  let catalogue: Catalogue | undefined;
  const values: number[] = [];
  readFields(bytes, {
    1: [FIXED64, (reader) => (run = BigInt.asUintN(64, readFixed64(reader)))],
    2: [VARINT, (reader) => (catalogueVersion = readUint53(reader))],
    3: [LENGTH_DELIMITED, (reader) => (catalogue = readCatalogue(reader.bytes()))],
    4: [LENGTH_DELIMITED, (reader) => readPacked(reader.bytes(), values, (one) => one.double())],
  });
  if (values.length > MAX_FIELDS) throw new WireFault(`${values.length} values, allowed: ${MAX_FIELDS}`);
  if (values.some((value) => Math.abs(value) === Infinity)) throw new WireFault('a value is infinite');
  if (catalogue === undefined) return { run, catalogueVersion, values };
  if (catalogue.version !== catalogueVersion || catalogue.fields.length !== values.length)
    throw new WireFault('the catalogue does not belong to the values');
  return { run, catalogueVersion, catalogue, values };
}

/** Reads a Catalogue. Throws a WireFault or a RangeError with what is wrong with it. */
export function readCatalogue(bytes: Uint8Array): Catalogue {
  let [version, tickNs] = [0, 0];
  let vin = '';
  const fields: FieldSpec[] = [];
  readFields(bytes, {
    1: [VARINT, (reader) => (version = readUint53(reader))],
    2: [VARINT, (reader) => (tickNs = readUint53(reader))],
    3: [
      LENGTH_DELIMITED,
      (reader) => {
        if (fields.push(readField(reader.bytes())) > MAX_FIELDS)
          throw new WireFault(`more than ${MAX_FIELDS} fields`);
      },
    ],
    4: [LENGTH_DELIMITED, (reader) => (vin = utf8(reader))],
  });
  const catalogue = { version, tickNs, fields, ...(vin === '' ? {} : { vin }) };
  const fault = catalogueFault(catalogue);
  if (fault !== undefined) throw new WireFault(fault);
  return catalogue;
}

function readField(bytes: Uint8Array): FieldSpec {
  let [topic, path, unit] = ['', '', ''];
  let [threshold, quantum, everyTicks, predictor, period, lowest, scale] = [0, 0, 0, 0, 0, 0, 0];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (topic = utf8(reader))],
    2: [LENGTH_DELIMITED, (reader) => (path = utf8(reader))],
    3: [LENGTH_DELIMITED, (reader) => (unit = utf8(reader))],
    4: [FIXED64, (reader) => (threshold = reader.double())],
    5: [FIXED64, (reader) => (quantum = reader.double())],
    6: [VARINT, (reader) => (everyTicks = readUint53(reader))],
    7: [VARINT, (reader) => (predictor = readUint53(reader))],
    8: [FIXED64, (reader) => (period = reader.double())],
    9: [FIXED64, (reader) => (lowest = reader.double())],
    10: [FIXED64, (reader) => (scale = reader.double())],
  });
  const name = predictorNames[predictor];
  // Another predictor would show wrong values.
  if (name === undefined)
    throw new WireFault(`predictor ${predictor}, allowed: 0 to ${predictorNames.length - 1}`);
  const scaled = scale === 0 ? {} : { scale };
  const field = { topic, path, unit, threshold, quantum, everyTicks, predictor: name, ...scaled };
  return period === 0 ? field : { ...field, circle: { period, lowest } };
}

function readPacked(bytes: Uint8Array, list: number[], read: (reader: Reader) => number): void {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) list.push(read(reader));
}

function absolute(relative: readonly number[]): number[] {
  let position = 0;
  return relative.map((step) => (position += step));
}
