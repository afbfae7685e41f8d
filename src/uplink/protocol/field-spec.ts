import type { PredictorName } from '../../core/predictor-name.js';

/** Turns of a circular field: `lowest` <= value < `lowest` + `period`. */
export interface Circle {
  /** One turn, in the unit of the field. More than 0. */
  readonly period: number;
  /** Smallest value. */
  readonly lowest: number;
}

/** One number of the messages of a topic, as both ends of the uplink know it. */
export interface FieldSpec {
  readonly topic: string;
  /** Path in the message, such as `pose.pose.position.x`. */
  readonly path: string;
  /** Unit of the value after conversion, such as `mph`. Empty: none. */
  readonly unit: string;
  /** A value is sent if it differs from its prediction by more than this, in `unit`. At least 0. */
  readonly threshold: number;
  /** Unit of the residuals in frames, in `unit`; 0: values are sent as doubles. Usually `quantumOf(threshold)`. */
  readonly quantum: number;
  /** The field has a sample at ticks that this number divides, and in full frames. At least 1. */
  readonly everyTicks: number;
  readonly predictor: PredictorName;
  /** Undefined: not circular. */
  readonly circle?: Circle;
  /** The number in the message is multiplied by it. Absent: 1. */
  readonly scale?: number;
}

/** The fields of a robot, numbered by their place. */
export interface Catalogue {
  /** Numbered within an epoch, from 1. */
  readonly version: number;
  /** Time between two ticks, nanoseconds. */
  readonly tickNs: number;
  readonly fields: readonly FieldSpec[];
  /** VIN of the vehicle with which the samples are taken; absent: the robot does not know it. */
  readonly vin?: string;
}

/** Maximum length of a VIN, bytes. Those of ISO 3779 have 17. */
export const MAX_VIN_BYTES = 64;

/** Maximum number of fields of one robot: it bounds what one robot can make the ground keep. */
export const MAX_FIELDS = 256;

/** Maximum length of a topic or a path, bytes. A catalogue of the largest size fits into one message. */
const MAX_NAME = 256;
const MAX_UNIT = 32;
const MAX_EVERY_TICKS = 1_000_000;
const MIN_TICK_NS = 1e6;
const MAX_TICK_NS = 3_600e9;
/** Residuals of one threshold. A power of two, so that the quotient is exact. */
const QUANTA_PER_THRESHOLD = 8;

/** Unit of the residuals for a threshold. */
export function quantumOf(threshold: number): number {
  return threshold / QUANTA_PER_THRESHOLD;
}

/** Whether a field has a sample at a tick. */
export function isDue({ everyTicks }: FieldSpec, tick: number): boolean {
  return tick % everyTicks === 0;
}

/** What is wrong with a catalogue, with the value and what is allowed; undefined: nothing. */
export function catalogueFault({ version, tickNs, fields, vin = '' }: Catalogue): string | undefined {
  if (version < 1) return 'the version of the catalogue is 0, allowed: at least 1';
  if (tickNs < MIN_TICK_NS || tickNs > MAX_TICK_NS)
    return `a tick of ${tickNs} ns, allowed: ${MIN_TICK_NS} to ${MAX_TICK_NS}`;
  if (!isVinText(vin))
    return `a VIN of ${Buffer.byteLength(vin)} bytes, allowed: up to ${MAX_VIN_BYTES}, without NUL`;
  if (fields.length > MAX_FIELDS) return `${fields.length} fields, allowed: ${MAX_FIELDS}`;
  for (const [index, field] of fields.entries()) {
    const fault = fieldFault(field);
    if (fault !== undefined) return `field ${index}: ${fault}`;
  }
  return undefined;
}

/** Whether a VIN may be in a message. A text of PostgreSQL holds no NUL. */
export function isVinText(vin: string): boolean {
  return Buffer.byteLength(vin) <= MAX_VIN_BYTES && !vin.includes('\0');
}

function fieldFault({
  topic,
  path,
  unit,
  threshold,
  quantum,
  everyTicks,
  circle,
  scale = 1,
}: FieldSpec): string | undefined {
  const topicBytes = Buffer.byteLength(topic);
  const pathBytes = Buffer.byteLength(path);
  const unitBytes = Buffer.byteLength(unit);
  if (topicBytes < 1 || topicBytes > MAX_NAME)
    return `a topic of ${topicBytes} bytes, allowed: 1 to ${MAX_NAME}`;
  if (pathBytes < 1 || pathBytes > MAX_NAME) return `a path of ${pathBytes} bytes, allowed: 1 to ${MAX_NAME}`;
  if (unitBytes > MAX_UNIT) return `a unit of ${unitBytes} bytes, allowed: up to ${MAX_UNIT}`;
  if (!isSize(threshold)) return `threshold ${threshold}, allowed: a finite number from 0`;
  if (!isSize(quantum)) return `quantum ${quantum}, allowed: a finite number from 0`;
  if (everyTicks < 1 || everyTicks > MAX_EVERY_TICKS)
    return `a sample every ${everyTicks} ticks, allowed: 1 to ${MAX_EVERY_TICKS}`;
  if (!Number.isFinite(scale) || scale === 0) return `scale ${scale}, allowed: a finite number other than 0`;
  if (circle === undefined) return undefined;
  if (!isSize(circle.period) || circle.period === 0)
    return `period ${circle.period}, allowed: a finite number above 0`;
  return Number.isFinite(circle.lowest) ? undefined : `lowest ${circle.lowest}, allowed: a finite number`;
}

function isSize(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}
