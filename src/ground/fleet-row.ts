import { formatTime, NS_PER_MS } from '../core/clock.js';
import type { RobotFigures } from '../uplink/protocol/robot-figures.js';
import type { ReportedAlert } from '../uplink/protocol/robot-report.js';
import type { FieldReading } from './field-view.js';

/** Degrees north and east. */
export interface Position {
  readonly latitude: number;
  readonly longitude: number;
}

/** A position, and what it comes from. */
export interface MeasuredPosition extends Position {
  /** On the robot's clock, RFC 3339; absent: kept by an earlier version. */
  readonly at?: string;
  readonly topic?: string;
}

/** A robot in one line of the fleet's page. */
export interface FleetRow {
  readonly robot: string;
  readonly vin: string;
  readonly version: string;
  readonly connected: boolean;
  /** Milliseconds since the Unix epoch on the ground's clock; of a connected robot in steps of 10 s. */
  readonly heardMs: number;
  /** Null: nothing was reported, or reports are missing. */
  readonly status: RobotFigures | null;
  /**
   * When the oldest message was recorded that is in no store, milliseconds since the Unix epoch on the ground's clock,
   * although the robot's may be hours off. Null: nothing waits, or it is unknown.
   */
  readonly unsyncedSinceMs: number | null;
  readonly alerts: readonly ReportedAlert[];
  /** Null: it has none, or it is unknown. */
  readonly position: Position | null;
  /** Numbers of fields by their state. */
  readonly fields: { readonly known: number; readonly absent: number; readonly unknown: number };
}

/** Of a robot that is heard all the time, only so many changes of the time are sent. */
const HEARD_STEP_MS = 10_000;

/** The time at which a robot was heard, as a row shows it. */
export function heardMsOf(heardAtNs: bigint, connected: boolean): number {
  const ms = Number(heardAtNs / NS_PER_MS);
  return connected ? ms - (ms % HEARD_STEP_MS) : ms;
}

/** {@link FleetRow.unsyncedSinceMs} of what a robot reports. */
export function unsyncedSinceMsOf(status: RobotFigures | null, clockBehindNs: bigint): number | null {
  const since = status?.oldestUnsyncedAt;
  return since === undefined ? null : Number((BigInt(since) + clockBehindNs) / NS_PER_MS);
}

/** How many fields are known, absent and unknown. */
export function countFields(fields: readonly FieldReading[]): FleetRow['fields'] {
  const counts = { known: 0, absent: 0, unknown: 0 };
  for (const { state } of fields) counts[state]++;
  return counts;
}

/** The position of the first topic that has latitude and longitude. */
export function positionIn(fields: readonly FieldReading[]): MeasuredPosition | null {
  for (const { spec, value, timeNs } of fields) {
    const { topic, path } = spec;
    if (value === null || !/(^|\.)latitude$/.test(path)) continue;
    const other = path.replace(/latitude$/, 'longitude');
    const longitude =
      fields.find((one) => one.spec.topic === topic && one.spec.path === other)?.value ?? null;
    if (longitude !== null && Math.abs(value) <= 90 && Math.abs(longitude) <= 180)
      return { latitude: value, longitude, topic, ...(timeNs === null ? {} : { at: formatTime(timeNs) }) };
  }
  return null;
}
