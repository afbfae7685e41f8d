import type { ClockStep, SessionFacts } from '../../exporters/report/report-data.js';
import { matches, type MessageFilter } from '../reading/message-filter.js';
import type { Segment } from '../reading/segments.js';
import type { RecordingFacts, SegmentRecord } from './recording-facts.js';
import type { TimeSpan } from './time-span.js';

/** What an MCAP says of where it was made; empty for those of others. */
export interface FileIdentity {
  readonly segment: Segment;
  readonly library: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly firstLogTime: bigint | undefined;
  readonly lastLogTime: bigint | undefined;
}

const SESSIONS_MAX = 200;
const STEPS_MAX = 200;

interface Session {
  readonly session: string;
  readonly machine: string;
  readonly boot: string;
  readonly hostname: string;
  readonly software: string;
  readonly robots: Set<string>;
  segments: number;
  /** Segments that ended so: robots have one of each. */
  readonly uncleanEnds: Set<string>;
  first: bigint | undefined;
  last: bigint | undefined;
}

/** Who recorded it: one row per run of a recorder, by manifests where there are some, else by the files themselves. */
export function sessionFacts(
  { segments }: RecordingFacts,
  files: readonly FileIdentity[],
  filter: MessageFilter,
  span: TimeSpan | undefined,
): SessionFacts[] {
  const sessions = new Map<string, Session>();
  const told = new Set<string>();
  const add = (
    facts: Pick<Session, 'session' | 'machine' | 'boot' | 'hostname' | 'software'>,
    robot: string | undefined,
    [first, last]: readonly [bigint | undefined, bigint | undefined],
    uncleanEnd: string | undefined,
  ): void => {
    const key = JSON.stringify(facts);
    let session = sessions.get(key);
    if (session === undefined) {
      if (sessions.size >= SESSIONS_MAX) return;
      session = {
        ...facts,
        robots: new Set(),
        segments: 0,
        uncleanEnds: new Set(),
        first: undefined,
        last: undefined,
      };
      sessions.set(key, session);
    }
    if (robot !== undefined) session.robots.add(robot);
    session.segments++;
    if (uncleanEnd !== undefined) session.uncleanEnds.add(uncleanEnd);
    if (first !== undefined && (session.first === undefined || first < session.first)) session.first = first;
    if (last !== undefined && (session.last === undefined || last > session.last)) session.last = last;
  };
  for (const record of inRange(segments, filter, span)) {
    const { manifest, robot, firstLogTime, lastLogTime } = record;
    if (manifest === undefined) continue;
    told.add(record.name);
    const { sessionId, machineId, bootId, hostname } = manifest.identity;
    const { name, version } = manifest.software;
    add(
      { session: sessionId, machine: machineId, boot: bootId, hostname, software: `${name} ${version}` },
      robot,
      [firstLogTime, lastLogTime],
      manifest.uncleanEnd ? manifest.segment.id : undefined,
    );
  }
  for (const { segment, library, metadata, firstLogTime, lastLogTime } of files) {
    if (told.has(nameOf(segment))) continue;
    const { session_id, machine_id, boot_id, hostname, robot } = metadata;
    add(
      {
        session: session_id ?? '',
        machine: machine_id ?? '',
        boot: boot_id ?? '',
        hostname: hostname ?? '',
        software: library,
      },
      robot,
      [firstLogTime, lastLogTime],
      undefined,
    );
  }
  return [...sessions.values()]
    .sort((a, b) =>
      (a.first ?? 0n) < (b.first ?? 0n)
        ? -1
        : (a.first ?? 0n) > (b.first ?? 0n)
          ? 1
          : a.session < b.session
            ? -1
            : 1,
    )
    .map(({ robots, uncleanEnds, first, last, ...rest }) => ({
      ...rest,
      uncleanEnds: uncleanEnds.size,
      robots: [...robots].sort(),
      ...(span === undefined || first === undefined ? {} : { fromS: span.seconds(first) }),
      ...(span === undefined || last === undefined ? {} : { toS: span.seconds(last) }),
    }));
}

/** Jumps of the wall clock, each once though every robot's segment tells of it. */
export function clockSteps(
  { segments }: RecordingFacts,
  filter: MessageFilter,
  span: TimeSpan | undefined,
): ClockStep[] {
  const steps = new Map<string, ClockStep>();
  for (const { manifest } of inRange(segments, filter, span)) {
    for (const { at, stepNs } of manifest?.clockSteps ?? []) {
      const session = manifest!.identity.sessionId;
      const step = { atS: span?.seconds(BigInt(at)) ?? 0, stepMs: Number(stepNs) / 1e6, session };
      if (steps.size < STEPS_MAX) steps.set(`${session} ${at}`, step);
    }
  }
  return [...steps.values()].sort((a, b) => a.atS - b.atS);
}

/** Segments of the robots and the time that were chosen. */
export function inRange(
  segments: readonly SegmentRecord[],
  { robots }: MessageFilter,
  span: TimeSpan | undefined,
): SegmentRecord[] {
  return segments.filter(({ robot, firstLogTime, lastLogTime }) => {
    if (robot !== undefined && !matches(robots, robot)) return false;
    if (span === undefined || firstLogTime === undefined || lastLogTime === undefined) return true;
    return span.overlaps(firstLogTime, lastLogTime);
  });
}

/** The name without folder and ending, as {@link SegmentRecord} has it. */
export function nameOf({ name }: Segment): string {
  return name.slice(name.lastIndexOf('/') + 1).replace(/\.mcap$/, '');
}
