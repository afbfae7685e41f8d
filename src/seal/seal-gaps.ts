import type { Gap, GapReason } from '../core/gap.js';
import type { SegmentId } from '../core/segment-id.js';
import type { SegmentReport } from '../wal/segment-reader.js';

/**
 * The gaps that the state of a segment adds for one robot. Their ids follow from the segment, so sealing it
 * twice reports them once. `lastLogTime` is the robot's last readable log time.
 */
export function stateGaps(
  id: SegmentId,
  robot: string,
  report: SegmentReport,
  lastLogTime: bigint | undefined,
): Gap[] {
  const time = lastLogTime === undefined ? {} : { firstTime: lastLogTime };
  switch (report.state) {
    case 'empty':
    case 'clean':
      return [];
    case 'unclean': {
      const torn =
        report.tornBytes > 0 ? `; ${report.tornBytes} bytes of an unfinished commit were left` : '';
      const detail = `the recorder ended without closing this segment${torn}`;
      return [{ id: `unclean-${id}`, reason: 'unclean_end', robot, ...time, detail }];
    }
    case 'corrupt': {
      const { where, what } = report.faults[0] as { where: string; what: string };
      const others = report.faults.length + report.faultsLeftOut - 1;
      const more = others > 0 ? ` and ${others} more faults` : '';
      // Only the missing record itself says which robot it belonged to.
      const count =
        report.missingRecords > 0 ? ` ${report.missingRecords} records of all robots are missing;` : '';
      const detail = `the segment is damaged:${count} ${where}: ${what}${more}`;
      return [{ id: `corrupt-${id}`, reason: 'corrupt', robot, ...time, detail }];
    }
  }
}

/** One record whose payload does not match its CRC. */
export function payloadGap(id: SegmentId, robot: string, topic: string, sequence: number, time: bigint): Gap {
  return {
    id: `corrupt-${id}-${sequence}`,
    reason: 'corrupt',
    robot,
    topic,
    count: 1,
    firstTime: time,
    lastTime: time,
    detail: `the payload of record ${sequence} fails its CRC`,
  };
}

/** The id of the gap that stands for many of a segment: the same each time it is sealed. */
export function severalGapsId(id: SegmentId, reason: GapReason, robot: string): string {
  return `several-${id}-${reason}-${robot}`;
}

/** The deterministic id under which a damaged segment's readable records are sealed. */
export function salvageIdSource(id: SegmentId): string {
  return `salvage of ${id}`;
}
