import type { FileSystem } from '../core/file-system.js';
import { ClockSteps } from '../wal/clock-steps.js';
import { FaultList } from '../wal/fault-list.js';
import type { WalKeys } from '../wal/segment-cipher.js';
import type { SegmentChannel, SegmentMeta } from '../wal/segment-format.js';
import { SegmentReader, payloadIntact, type ReadBatch, type SegmentReport } from '../wal/segment-reader.js';
import { isVin, VIN_KEY, type Vins } from '../core/vin.js';
import { objectName, type ObjectName } from '../core/object-name.js';
import { PlacedSurvey } from './placed-objects.js';
import { ObjectRouter, objectKeyOf } from './object-router.js';

/** Facts of one future object of a segment, found before anything is written. */
export interface ObjectSurvey {
  readonly name: ObjectName;
  records: number;
  /** Payloads. */
  bytes: number;
  /** Channels with records. */
  channels: number;
  /** Earliest and latest log time; undefined if there are only gaps. */
  firstLogTime: bigint | undefined;
  lastLogTime: bigint | undefined;
}

export interface SegmentSurvey {
  readonly report: SegmentReport;
  readonly meta: SegmentMeta | undefined;
  readonly objects: Map<string, ObjectSurvey>;
  readonly clockSteps: ClockSteps;
  /** VINs by robot: of the parameters, or else of the first channel that has one. */
  readonly vins: Vins;
  readonly placed: PlacedSurvey;
  /** Payload bytes per second of log time, the sum of all objects. Each has at least one second. */
  readonly bytesPerS: number;
}

/**
 * Reads the heads of a segment (with `verifyPayloads` also every payload) to learn its objects and their
 * first log times, which carried messages and keys need first.
 */
export async function surveySegment(
  fs: FileSystem,
  directory: string,
  splitByPriority: boolean,
  cutAtSequence: number,
  verifyPayloads: boolean,
  keys: WalKeys = [],
): Promise<SegmentSurvey> {
  const reader = new SegmentReader(fs, directory, verifyPayloads, undefined, keys);
  const objects = new Map<string, ObjectSurvey>();
  const vins = new Map<string, string>();
  const byChannel = new Map<number, ObjectSurvey>();
  const clockSteps = new ClockSteps();
  let meta: SegmentMeta | undefined;
  const objectFor = (name: ObjectName): ObjectSurvey => objectIn(objects, name);
  const router = new ObjectRouter(splitByPriority);
  const placed = new PlacedSurvey();
  const faults = new FaultList();
  const unknown = new Map<number, number>();
  for await (const entry of reader.entries()) {
    if (entry.kind === 'meta') meta = entry.meta;
    else if (entry.kind === 'channel') {
      router.add(entry.id, entry.channel);
      addVin(vins, entry.channel);
      placed.addChannel(entry.id, entry.channel);
    } else if (entry.kind === 'object') placed.addObject(entry.number, entry.object);
    else if (entry.kind === 'clock') clockSteps.add(entry.step);
    else if (entry.kind === 'gap') objectFor(objectName(entry.gap.robot, undefined));
    else if (entry.kind === 'other') objectFor(objectName(entry.other.robot, undefined));
    else if (entry.kind === 'carried') {
      if (verifyPayloads) addDamagedPayloads(faults, entry.batch, 'carried message');
    } else if (entry.kind === 'batch') {
      const { columns, firstSequence } = entry.batch;
      placed.addBatch(entry.batch, router);
      if (verifyPayloads) {
        addDamagedPayloads(faults, entry.batch, 'sequence', cutAtSequence);
      }
      for (let i = 0; i < columns.channelIds.length && firstSequence + i < cutAtSequence; i++) {
        const id = columns.channelIds[i] as number;
        let object = byChannel.get(id);
        if (!object) {
          const name = router.nameOf(id);
          if (!name) {
            unknown.set(id, (unknown.get(id) ?? 0) + 1);
            continue;
          }
          byChannel.set(id, (object = objectFor(name)));
          object.channels++;
        }
        addRecord(object, columns.lengths[i] as number, columns.receivedAt[i] as bigint);
      }
    }
  }
  for (const [id, count] of unknown) {
    faults.add(`channel ${id}`, `was not read, ${count} records of it are left out`);
  }
  return {
    report: withFaults(reader.report(), faults, unknown),
    bytesPerS: rateOf([...objects.values()]),
    ...{ meta, objects, clockSteps, placed, vins: { ...Object.fromEntries(vins), ...meta?.vins } },
  };
}

/** The object of this name. Adds it if the survey has not met it before. */
function objectIn(objects: Map<string, ObjectSurvey>, name: ObjectName): ObjectSurvey {
  const key = objectKeyOf(name);
  const known = objects.get(key);
  if (known) return known;
  const none = { records: 0, bytes: 0, channels: 0, firstLogTime: undefined, lastLogTime: undefined };
  const object: ObjectSurvey = { name, ...none };
  objects.set(key, object);
  return object;
}

function addRecord(object: ObjectSurvey, bytes: number, logTime: bigint): void {
  object.records++;
  object.bytes += bytes;
  if (object.firstLogTime === undefined || logTime < object.firstLogTime) object.firstLogTime = logTime;
  if (object.lastLogTime === undefined || logTime > object.lastLogTime) object.lastLogTime = logTime;
}

function rateOf(objects: readonly ObjectSurvey[]): number {
  return objects.reduce((sum, { bytes, firstLogTime = 0n, lastLogTime = 0n }) => {
    return sum + bytes / Math.max(1, Number(lastLogTime - firstLogTime) / 1e9);
  }, 0);
}

/** The first channel of a robot with a VIN says it. */
function addVin(vins: Map<string, string>, { robot, metadata }: SegmentChannel): void {
  const vin = metadata[VIN_KEY];
  if (vin !== undefined && isVin(vin) && !vins.has(robot)) vins.set(robot, vin);
}

function withFaults(
  report: SegmentReport,
  faults: FaultList,
  unknown: ReadonlyMap<number, number>,
): SegmentReport {
  if (faults.count === 0) return report;
  const left = [...unknown.values()].reduce((sum, count) => sum + count, 0);
  return {
    ...report,
    state: 'corrupt',
    faults: [...report.faults, ...faults.list],
    faultsLeftOut: report.faultsLeftOut + faults.leftOut,
    missingRecords: report.missingRecords + left,
  };
}

function addDamagedPayloads(
  faults: FaultList,
  { columns, payload, firstSequence }: ReadBatch,
  what: string,
  cutAtSequence = Infinity,
): void {
  let offset = 0;
  for (let i = 0; i < columns.lengths.length && firstSequence + i < cutAtSequence; i++) {
    const end = offset + (columns.lengths[i] as number);
    if (!payloadIntact(columns, i, payload.subarray(offset, end))) {
      faults.add(`${what} ${firstSequence + i}`, 'the payload fails its CRC');
    }
    offset = end;
  }
}
