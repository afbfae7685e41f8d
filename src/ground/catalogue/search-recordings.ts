import type { Tags } from '../../core/tags.js';
import type { Queries } from '../database/database.js';
import { writeTimestamp } from '../database/postgres-values.js';
import type { RecordingState } from './catalogue-rows.js';

/** What to look for; everything that is given must hold. `*` in a text stands for any text. */
export interface RecordingFilter {
  /** Its name or VIN. */
  readonly robot?: string;
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from?: bigint;
  readonly to?: bigint;
  /** With messages. */
  readonly topic?: string;
  readonly type?: string;
  /** Label of a marked event. */
  readonly event?: string;
  readonly tags?: Tags;
  /** Reason of a gap; `*`: any gap. */
  readonly gap?: string;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly state?: RecordingState;
}

export interface RecordingPage {
  /** 1 to {@link PAGE_MAX}. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly after?: string;
}

export const PAGE_MAX = 1_000;

/** A recording as a search shows it. */
export interface FoundRecording {
  readonly recording: number;
  readonly store: string;
  readonly key: string;
  readonly state: RecordingState;
  readonly segment: string;
  readonly robot: string;
  /** VIN of the vehicle by the manifest; empty: it has none. */
  readonly vin: string;
  readonly priority: string;
  /** Exact, decimal nanoseconds since the Unix epoch; null without messages. */
  readonly firstLogTime: string | null;
  readonly lastLogTime: string | null;
  readonly messages: number;
  readonly bytes: number;
  readonly gaps: number;
  readonly uncleanEnd: boolean;
  readonly software: string;
  readonly tags: Tags;
  readonly topics: number;
  readonly evictedReason: string | null;
}

/** A recording with everything that the catalogue knows. */
export interface RecordingDetail extends FoundRecording {
  readonly channels: readonly {
    readonly topic: string;
    readonly type: string;
    readonly encoding: string;
    /** Null: it is on its robot only, which does not say it. */
    readonly messages: number | null;
    readonly bytes: number | null;
    readonly rateHz: number | null;
  }[];
  readonly events: readonly { readonly event: string; readonly label: string; readonly at: string }[];
  readonly gapList: readonly {
    readonly reason: string;
    readonly topic: string;
    readonly messages: number | null;
  }[];
}

const SHOWN = `r.recording, s.uri AS store, r.key, r.state, r.segment, r.robot, r.vin, r.priority,
  r.first_log_time AS "firstLogTime", r.last_log_time AS "lastLogTime", r.messages, r.bytes, r.gaps,
  r.unclean_end AS "uncleanEnd", r.software, r.tags, cardinality(r.channels) AS topics,
  r.evicted_reason AS "evictedReason"`;
const FROM = 'FROM recordings r JOIN catalogue_stores s USING (store)';

/** The newest recordings that fit, and where the next page begins. */
export async function searchRecordings(
  queries: Queries,
  filter: RecordingFilter,
  { limit, after }: RecordingPage,
): Promise<{ readonly recordings: readonly FoundRecording[]; readonly next?: string }> {
  const values: unknown[] = [];
  const value = (one: unknown): string => `$${values.push(one)}`;
  const wanted = conditions(filter, await namedIn(queries, filter), value);
  if (after !== undefined)
    wanted.push(`(coalesce(r.first_at, '-infinity'), r.recording) < ${placeAfter(after, value)}`);
  const where = wanted.length === 0 ? '' : `WHERE ${wanted.join(' AND ')}`;
  const rows = await queries.query<FoundRecording & { at: string }>(
    `SELECT ${SHOWN}, coalesce(r.first_at, '-infinity')::text AS at ${FROM} ${where}
     ORDER BY r.first_at DESC NULLS LAST, r.recording DESC LIMIT ${value(limit + 1)}`,
    values,
  );
  const recordings = rows.slice(0, limit).map(({ at: _at, ...row }) => row);
  const last = rows[limit - 1];
  if (rows.length <= limit || last === undefined) return { recordings };
  return { recordings, next: Buffer.from(JSON.stringify([last.at, last.recording])).toString('base64url') };
}

const CHANNELS = `
  SELECT c.topic, c.type, c.encoding, t.messages, t.bytes, t.rate_hz AS "rateHz"
  FROM recording_topics t JOIN catalogue_channels c USING (channel) WHERE t.recording = $1 ORDER BY 1, 2, 3`;
const LOCAL_CHANNELS = `
  SELECT c.topic, c.type, c.encoding, NULL AS messages, NULL AS bytes, NULL AS "rateHz"
  FROM recordings r JOIN catalogue_channels c ON c.channel = ANY(r.channels)
  WHERE r.recording = $1 ORDER BY 1, 2, 3`;

/** Undefined: there is no such recording. */
export async function recordingDetail(
  queries: Queries,
  recording: number,
): Promise<RecordingDetail | undefined> {
  const [row] = await queries.query<FoundRecording>(`SELECT ${SHOWN} ${FROM} WHERE r.recording = $1`, [
    recording,
  ]);
  if (row === undefined) return undefined;
  const channels = await queries.query<RecordingDetail['channels'][number]>(
    row.state === 'local' ? LOCAL_CHANNELS : CHANNELS,
    [recording],
  );
  const events = await queries.query<RecordingDetail['events'][number]>(
    'SELECT event, label, at::text AS at FROM recording_events WHERE recording = $1 ORDER BY recording_events.at',
    [recording],
  );
  const gapList = await queries.query<RecordingDetail['gapList'][number]>(
    'SELECT reason, topic, messages FROM recording_gaps WHERE recording = $1 ORDER BY first_at, gap',
    [recording],
  );
  return { ...row, channels, events, gapList };
}

/** What the names of a filter stand for; each undefined: the filter does not name it. */
interface Named {
  readonly channels: readonly number[] | undefined;
  /** Robots with the name or VIN, and those that have been in that vehicle only. */
  readonly robots: readonly string[] | undefined;
  readonly robotsOnlyIn: readonly string[] | undefined;
}

/**
 * Looked up by a statement of its own: with the values themselves, PostgreSQL can estimate how many recordings fit, and
 * chooses between the index of what is looked for and the newest recordings one after the other.
 */
async function namedIn(queries: Queries, { robot, topic, type }: RecordingFilter): Promise<Named> {
  const values: unknown[] = [];
  const value = (one: unknown): string => `$${values.push(one)}`;
  const shown: string[] = [];
  if (topic !== undefined || type !== undefined) {
    const of: string[] = [];
    if (topic !== undefined) of.push(likes('c.topic', topic, value));
    if (type !== undefined) of.push(likes('c.type', type, value));
    shown.push(`ARRAY(SELECT c.channel FROM catalogue_channels c WHERE ${of.join(' AND ')}) AS channels`);
  }
  if (robot !== undefined && !robot.includes('*')) {
    const name = value(robot);
    shown.push(`robots_named(${name}) AS robots, robots_only_in(${name}) AS "robotsOnlyIn"`);
  }
  const [named] = shown.length === 0 ? [] : await queries.query<Named>(`SELECT ${shown.join(', ')}`, values);
  return { channels: undefined, robots: undefined, robotsOnlyIn: undefined, ...named };
}

function conditions(filter: RecordingFilter, named: Named, value: (one: unknown) => string): string[] {
  const { robot, from, to, event, tags = {}, gap, minBytes, maxBytes, state } = filter;
  const wanted: string[] = [];
  if (robot !== undefined) wanted.push(isRobot(robot, named, value));
  if (from !== undefined) wanted.push(`r.last_at >= ${value(writeTimestamp(from))}`);
  if (to !== undefined) wanted.push(`r.first_at <= ${value(writeTimestamp(to))}`);
  if (named.channels !== undefined) wanted.push(`r.channels && ${value(named.channels)}::integer[]`);
  if (event !== undefined) {
    wanted.push(
      `r.recording IN (SELECT e.recording FROM recording_events e WHERE ${likes('e.label', event, value)})`,
    );
  }
  if (gap === '*') wanted.push('r.gaps > 0');
  else if (gap !== undefined) {
    wanted.push(
      `r.recording IN (SELECT g.recording FROM recording_gaps g WHERE ${likes('g.reason', gap, value)})`,
    );
  }
  const exact = Object.entries(tags).filter(([, text]) => !text.includes('*'));
  if (exact.length > 0) wanted.push(`r.tags @> ${value(JSON.stringify(Object.fromEntries(exact)))}::jsonb`);
  for (const [name, text] of Object.entries(tags)) {
    if (!text.includes('*')) continue;
    wanted.push(`r.tags ? ${value(name)} AND ${likes(`r.tags ->> ${value(name)}`, text, value)}`);
  }
  if (minBytes !== undefined) wanted.push(`r.bytes >= ${value(minBytes)}`);
  if (maxBytes !== undefined) wanted.push(`r.bytes <= ${value(maxBytes)}`);
  if (state !== undefined) wanted.push(`r.state = ${value(state)}`);
  return wanted;
}

/**
 * By its name or VIN. A manifest says whose a recording is; one without a VIN belongs to the vehicle of its robot, if
 * that has been in one only.
 */
function isRobot(pattern: string, named: Named, value: (one: unknown) => string): string {
  if (named.robots !== undefined) {
    const name = value(pattern);
    const isOfVehicle = `r.vin = ${name} OR (r.vin = '' AND r.robot = ANY(${value(named.robotsOnlyIn)}))`;
    return `(r.robot = ANY(${value(named.robots)}) AND (r.robot = ${name} OR ${isOfVehicle}))`;
  }
  const ofVin = `SELECT v.robot FROM vehicles v GROUP BY v.robot HAVING bool_and(${likes('v.vin', pattern, value)})`;
  const byVin = `${likes('r.vin', pattern, value)} OR (r.vin = '' AND r.robot IN (${ofVin}))`;
  return `(${likes('r.robot', pattern, value)} OR ${byVin})`;
}

/** The robot that recorded last with a VIN; undefined: no recording has it. */
export async function robotByVin(queries: Queries, vin: string): Promise<string | undefined> {
  const [row] = await queries.query<{ robot: string }>(
    `SELECT r.robot FROM recordings r WHERE r.vin = $1 AND r.vin <> ''
     ORDER BY r.first_at DESC NULLS LAST, r.recording DESC LIMIT 1`,
    [vin],
  );
  return row?.robot;
}

function likes(column: string, pattern: string, value: (one: unknown) => string): string {
  if (!pattern.includes('*')) return `${column} = ${value(pattern)}`;
  return `${column} LIKE ${value(pattern.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%'))}`;
}

/** A place that is not one of ours begins at the start. */
function placeAfter(after: string, value: (one: unknown) => string): string {
  const [at, recording] = parsePlace(after);
  return `(${value(at)}::timestamptz, ${value(recording)}::bigint)`;
}

function parsePlace(after: string): readonly [at: string, recording: number] {
  try {
    const [at, recording] = JSON.parse(Buffer.from(after, 'base64url').toString('utf8')) as [
      unknown,
      unknown,
    ];
    const isTime = typeof at === 'string' && /^(-infinity|\d{4,6}-[\d: .+-]{5,30})$/.test(at);
    if (isTime && Number.isSafeInteger(recording)) return [at, recording as number];
  } catch {
    // Below.
  }
  return ['infinity', Number.MAX_SAFE_INTEGER];
}
