import type { FileSystem } from '../core/file-system.js';
import type { ClockStep, SegmentChannel, SegmentMeta } from '../wal/segment-format.js';
import {
  SegmentReader,
  payloadIntact,
  type ReadBatch,
  type SegmentFault,
  type SegmentReport,
} from '../wal/segment-reader.js';
import { objectName, type ObjectName } from './object-name.js';

/** What one sealed object of a segment will hold; found before anything is written. */
export interface ObjectSurvey {
  readonly name: ObjectName;
  records: number;
  /** Earliest log time; undefined where there are only gaps. */
  firstLogTime: bigint | undefined;
}

export interface SegmentSurvey {
  readonly report: SegmentReport;
  readonly meta: SegmentMeta | undefined;
  readonly objects: Map<string, ObjectSurvey>;
  readonly clockSteps: ClockStep[];
}

/**
 * Reads the heads of a segment (and with `verifyPayloads` checks every payload) to learn which objects it becomes and their first log
 * times, which carried messages and keys need up front.
 */
export async function surveySegment(
  fs: FileSystem,
  directory: string,
  splitByPriority: boolean,
  cutAtSequence: number,
  verifyPayloads: boolean,
): Promise<SegmentSurvey> {
  const reader = new SegmentReader(fs, directory, verifyPayloads);
  const objects = new Map<string, ObjectSurvey>();
  const byChannel = new Map<number, ObjectSurvey>();
  const clockSteps: ClockStep[] = [];
  let meta: SegmentMeta | undefined;
  const objectFor = (robot: string, channel?: SegmentChannel): ObjectSurvey => {
    const name = objectName(robot, splitByPriority ? channel?.priority : undefined);
    let object = objects.get(name.suffix);
    if (!object) objects.set(name.suffix, (object = { name, records: 0, firstLogTime: undefined }));
    return object;
  };
  const channels = new Map<number, SegmentChannel>();
  const faults: SegmentFault[] = [];
  const unknown = new Map<number, number>();
  for await (const entry of reader.entries()) {
    if (entry.kind === 'meta') meta = entry.meta;
    else if (entry.kind === 'channel') channels.set(entry.id, entry.channel);
    else if (entry.kind === 'clock') clockSteps.push(entry.step);
    else if (entry.kind === 'gap') objectFor(entry.gap.robot);
    else if (entry.kind === 'carried') {
      if (verifyPayloads) faults.push(...damagedPayloads(entry.batch, 'carried message'));
    } else if (entry.kind === 'batch') {
      const { columns, firstSequence } = entry.batch;
      if (verifyPayloads) {
        faults.push(...damagedPayloads(entry.batch, 'sequence', cutAtSequence));
      }
      for (let i = 0; i < columns.channelIds.length && firstSequence + i < cutAtSequence; i++) {
        const id = columns.channelIds[i] as number;
        let object = byChannel.get(id);
        if (!object) {
          const channel = channels.get(id);
          if (!channel) {
            unknown.set(id, (unknown.get(id) ?? 0) + 1);
            continue;
          }
          byChannel.set(id, (object = objectFor(channel.robot, channel)));
        }
        object.records++;
        const at = columns.receivedAt[i] as bigint;
        if (object.firstLogTime === undefined || at < object.firstLogTime) object.firstLogTime = at;
      }
    }
  }
  for (const [id, count] of unknown) {
    faults.push({ where: `channel ${id}`, what: `was not read, ${count} records of it are left out` });
  }
  return { report: withFaults(reader.report(), faults, unknown), meta, objects, clockSteps };
}

function withFaults(
  report: SegmentReport,
  faults: readonly SegmentFault[],
  unknown: ReadonlyMap<number, number>,
): SegmentReport {
  if (faults.length === 0) return report;
  const left = [...unknown.values()].reduce((sum, count) => sum + count, 0);
  return {
    ...report,
    state: 'corrupt',
    faults: [...report.faults, ...faults],
    missingRecords: report.missingRecords + left,
  };
}

function damagedPayloads(
  { columns, payload, firstSequence }: ReadBatch,
  what: string,
  cutAtSequence = Infinity,
): SegmentFault[] {
  const faults: SegmentFault[] = [];
  let offset = 0;
  for (let i = 0; i < columns.lengths.length && firstSequence + i < cutAtSequence; i++) {
    const end = offset + (columns.lengths[i] as number);
    if (!payloadIntact(columns, i, payload.subarray(offset, end))) {
      faults.push({ where: `${what} ${firstSequence + i}`, what: 'the payload fails its CRC' });
    }
    offset = end;
  }
  return faults;
}
