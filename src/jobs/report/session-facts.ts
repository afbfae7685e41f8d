import { withoutSegmentEnd } from '../../core/manifest.js';
import type { ClockStep, SessionFacts } from '../../exporters/report/report-data.js';
import { matches, type MessageFilter } from '../../recordings/message-filter.js';
import type { Segment } from '../../recordings/segments.js';
import type { RecordingFacts, SegmentRecord } from './recording-facts.js';
import type { TimeSpan } from './time-span.js';
import { present } from '../../core/present.js';

/** Facts of an MCAP about its recorder; empty for those of other tools. */
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
  /** Segments with an unclean end: each robot has one. */
  readonly uncleanEnds: Set<string>;
  first: bigint | undefined;
  last: bigint | undefined;
}

type Run = Pick<Session, 'session' | 'machine' | 'boot' | 'hostname' | 'software'>;

/** Facts of one segment about the run that recorded it. */
interface SegmentOfRun {
  readonly robot: string | undefined;
  readonly first: bigint | undefined;
  readonly last: bigint | undefined;
  /** Its id if it ended uncleanly. */
  readonly uncleanEnd?: string | undefined;
}

/** Maximum number of runs, each with the facts of its segments. */
class SessionTable {
  readonly #sessions = new Map<string, Session>();

  add(run: Run, { robot, first, last, uncleanEnd }: SegmentOfRun): void {
    const key = JSON.stringify(run);
    let session = this.#sessions.get(key);
    if (session === undefined) {
      if (this.#sessions.size >= SESSIONS_MAX) return;
      const empty = { robots: new Set<string>(), segments: 0, uncleanEnds: new Set<string>() };
      session = { ...run, ...empty, first: undefined, last: undefined };
      this.#sessions.set(key, session);
    }
    if (robot !== undefined) session.robots.add(robot);
    session.segments++;
    if (uncleanEnd !== undefined) session.uncleanEnds.add(uncleanEnd);
    if (first !== undefined && (session.first === undefined || first < session.first)) session.first = first;
    if (last !== undefined && (session.last === undefined || last > session.last)) session.last = last;
  }

  /** By their first message. */
  rows(span: TimeSpan | undefined): SessionFacts[] {
    return [...this.#sessions.values()]
      .sort(byStart)
      .map(({ robots, uncleanEnds, first, last, ...rest }) => ({
        ...rest,
        uncleanEnds: uncleanEnds.size,
        robots: [...robots].sort(),
        ...(span === undefined || first === undefined ? {} : { fromS: span.seconds(first) }),
        ...(span === undefined || last === undefined ? {} : { toS: span.seconds(last) }),
      }));
  }
}

function byStart(a: Session, b: Session): number {
  const [from, other] = [a.first ?? 0n, b.first ?? 0n];
  if (from !== other) return from < other ? -1 : 1;
  return a.session < b.session ? -1 : 1;
}

/** The recorders: one row per run, by manifests if there are any, otherwise by the files themselves. */
export function sessionFacts(
  { segments }: RecordingFacts,
  files: readonly FileIdentity[],
  filter: MessageFilter,
  span: TimeSpan | undefined,
): SessionFacts[] {
  const sessions = new SessionTable();
  const told = new Set<string>();
  for (const { name, manifest, robot, firstLogTime, lastLogTime } of inRange(segments, filter, span)) {
    if (manifest === undefined) continue;
    told.add(name);
    const { sessionId, machineId, bootId, hostname } = manifest.identity;
    const software = `${manifest.software.name} ${manifest.software.version}`;
    const uncleanEnd = manifest.uncleanEnd ? manifest.segment.id : undefined;
    sessions.add(
      { session: sessionId, machine: machineId, boot: bootId, hostname, software },
      { robot, first: firstLogTime, last: lastLogTime, uncleanEnd },
    );
  }
  for (const { segment, library, metadata, firstLogTime, lastLogTime } of files) {
    if (told.has(nameOf(segment))) continue;
    const {
      session_id: session = '',
      machine_id: machine = '',
      boot_id: boot = '',
      hostname = '',
    } = metadata;
    sessions.add(
      { session, machine, boot, hostname, software: library },
      { robot: metadata['robot'], first: firstLogTime, last: lastLogTime },
    );
  }
  return sessions.rows(span);
}

/** Jumps of the wall clock, each once, although every robot's segment reports it. */
export function clockSteps(
  { segments }: RecordingFacts,
  filter: MessageFilter,
  span: TimeSpan | undefined,
): ClockStep[] {
  const steps = new Map<string, ClockStep>();
  for (const { manifest } of inRange(segments, filter, span)) {
    for (const { at, stepNs } of manifest?.clockSteps ?? []) {
      const session = present(manifest).identity.sessionId;
      const step = { atS: span?.seconds(BigInt(at)) ?? 0, stepMs: Number(stepNs) / 1e6, session };
      if (steps.size < STEPS_MAX) steps.set(`${session} ${at}`, step);
    }
  }
  return [...steps.values()].sort((a, b) => a.atS - b.atS);
}

/** Segments of the selected robots and time. */
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
  return withoutSegmentEnd(name.slice(name.lastIndexOf('/') + 1));
}
