import type { SegmentContent } from '../../core/monitoring.js';
import type { MarkedEvent } from '../../core/marked-event.js';
import { SerialQueue } from '../../core/serial-queue.js';
import { objectKey, objectName } from '../../core/object-name.js';
import { isSegmentId } from '../../core/segment-id.js';
import type { Database } from '../database/database.js';
import { ceilTime, cleanTags, cleanText, floorTime, ROBOT_STORE } from './catalogue-rows.js';
import { ADD_CHANNELS } from './write-catalogue.js';
import { storeNumber } from './list-store.js';
import { priorityOf, type ReportedPlace } from './uploaded-keys.js';

/** A segment as its robot reports it. */
export interface ReportedRecording extends ReportedPlace {
  readonly bytes: number;
  readonly messages?: number;
  readonly lastLogTime?: string;
  readonly sealedAt?: string;
  /** Lists of missing messages in it. */
  readonly gaps: number;
  /** Its topics and tags; absent: the robot does not say. */
  readonly holds?: SegmentContent;
}

/** Segments of one report: with fewer, a complete one has everything that the robot lists. */
const LISTED_MAX = 200;
/** Rows of one robot; the robot reports its newest segments only. */
const ROWS_MAX = 10_000;
/** Reports that wait for the database; a robot reports everything again within 30 s. */
const WAITING_MAX = 1_000;

const ADD = `
  INSERT INTO recordings (store, key, manifest_bytes, manifest_etag, state, segment, robot, vin, priority,
    first_at, last_at, first_log_time, last_log_time, messages, payload_bytes, bytes, gaps, gap_messages,
    unclean_end, sealed_at, software, machine, session, tags, channels)
  SELECT $1, r.key, 0, '', 'local', r.segment, $2, r.vin, r.priority, r.first_at, r.last_at, r.first_log_time,
    r.last_log_time, r.messages, r.bytes, r.bytes, r.gaps, 0, false, r.sealed_at, '', '', '', r.tags,
    coalesce((
      SELECT array_agg(c.channel)
      FROM jsonb_to_recordset(r.topics) AS t(topic text, type text, encoding text)
      JOIN catalogue_channels c USING (topic, type, encoding)
    ), '{}')
  FROM jsonb_to_recordset($3::jsonb) AS r(key text, segment text, vin text, priority text, first_at timestamptz,
    last_at timestamptz, first_log_time text, last_log_time text, messages bigint, bytes bigint, gaps integer,
    sealed_at timestamptz, tags jsonb, topics jsonb)
  -- A robot tells again what was deleted on request.
  WHERE NOT EXISTS (
    SELECT FROM deleted_times d WHERE d.robot = $2 AND d.topics IS NULL
      AND r.first_at >= d.first_at AND r.last_at <= d.last_at)
  ON CONFLICT (store, key) DO UPDATE SET bytes = excluded.bytes, payload_bytes = excluded.payload_bytes,
    messages = excluded.messages, gaps = excluded.gaps, last_at = excluded.last_at,
    last_log_time = excluded.last_log_time,
    -- A later report may not say what the segment holds.
    vin = CASE WHEN excluded.vin = '' THEN recordings.vin ELSE excluded.vin END,
    tags = CASE WHEN excluded.channels = '{}' THEN recordings.tags ELSE excluded.tags END,
    channels = CASE WHEN excluded.channels = '{}' THEN recordings.channels ELSE excluded.channels END`;

const ADD_VINS = `
  INSERT INTO robot_vins (vin, robot)
  SELECT DISTINCT r.vin, $1 FROM jsonb_to_recordset($2::jsonb) AS r(vin text) WHERE r.vin <> '' ORDER BY 1
  ON CONFLICT DO NOTHING`;

interface KnownRecording {
  readonly bytes: number;
  /** Its topics and tags are known. */
  readonly isHeld: boolean;
}

/** Events of one robot that are kept for segments that are sealed later. */
const EVENTS_MAX = 32;

const ADD_EVENTS = `
  INSERT INTO recording_events (recording, event, label, at, from_at, to_at)
  SELECT r.recording, e.event, e.label, e.at, e.from_at, e.to_at
  FROM jsonb_to_recordset($3::jsonb) AS e(event text, label text, at timestamptz, from_at timestamptz,
    to_at timestamptz)
  JOIN recordings r ON r.store = $1 AND r.robot = $2 AND r.first_at <= e.to_at AND r.last_at >= e.from_at
  WHERE NOT EXISTS (
    SELECT FROM deleted_times d WHERE d.robot = $2 AND d.topics IS NULL
      AND e.at >= d.first_at AND e.at <= d.last_at)
  ON CONFLICT DO NOTHING`;

/** What lies on the robots and in no store: told by the robots, and in the catalogue in the state `local`. */
export class LocalRecordings implements AsyncDisposable {
  readonly #database: Database;
  readonly #onError: (error: unknown) => void;
  readonly #turns = new SerialQueue();
  /** What is in the database, by robot. Undefined: not read yet. */
  readonly #known = new Map<string, Map<string, KnownRecording>>();
  /** By robot and id, the events that were marked last. */
  readonly #events = new Map<string, Map<string, MarkedEvent>>();
  #store: number | undefined;

  constructor(database: Database, onError: (error: unknown) => void) {
    this.#database = database;
    this.#onError = onError;
  }

  /**
   * Notes what has changed; a robot repeats what is lost here. What a complete report no longer has is gone.
   *
   * @param report.isFirst - Of a connection: the robot may have reported to another process of the ground in between.
   */
  note(
    robot: string,
    segments: readonly ReportedRecording[],
    report: {
      readonly isFirst: boolean;
      readonly isComplete: boolean;
      readonly events?: readonly MarkedEvent[];
    },
  ): void {
    const { isFirst, isComplete, events = [] } = report;
    if (segments.length + events.length === 0 || this.#turns.length >= WAITING_MAX) return;
    const work = async (): Promise<void> => {
      if (isFirst) this.#known.delete(robot);
      const isChanged = segments.length > 0 && (await this.#note(robot, segments, isComplete));
      if (this.#remember(robot, events) || isChanged) await this.#addEvents(robot);
    };
    void this.#turns.run(work).catch(this.#onError);
  }

  /** False: none of them is new. */
  #remember(robot: string, events: readonly MarkedEvent[]): boolean {
    const known = this.#events.get(robot) ?? new Map<string, MarkedEvent>();
    const fresh = events.filter(({ id }) => !known.has(id));
    for (const event of fresh) known.set(event.id, event);
    this.#events.set(robot, new Map([...known].slice(-EVENTS_MAX)));
    return fresh.length > 0;
  }

  /** Marks the recordings whose time lies in the window of an event. */
  async #addEvents(robot: string): Promise<void> {
    const events = [...(this.#events.get(robot)?.values() ?? [])];
    if (events.length === 0) return;
    const rows = events.map(({ id, label, at, from, to }) => ({
      ...{ event: cleanText(id), label: cleanText(label), at: floorTime(at) },
      ...{ from_at: floorTime(from), to_at: ceilTime(to) },
    }));
    const store = (this.#store ??= await storeNumber(this.#database, ROBOT_STORE));
    await this.#database.query(ADD_EVENTS, [store, robot, JSON.stringify(rows)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.run(() => Promise.resolve());
  }

  /** True: recordings were added. */
  async #note(robot: string, segments: readonly ReportedRecording[], isComplete: boolean): Promise<boolean> {
    const store = (this.#store ??= await storeNumber(this.#database, ROBOT_STORE));
    const known = await this.#knownOf(store, robot);
    const added = new Map<string, Record<string, unknown>>();
    const gone = isComplete ? [...missingIn(robot, segments, [...known.keys()])] : [];
    for (const segment of segments) {
      const key = keyOf(robot, segment);
      if (key === undefined) continue;
      const isLocal = segment.state === 'sealed' || segment.state === 'uploading';
      if (!isLocal && known.has(key)) gone.push(key);
      const before = known.get(key);
      const isNews = before?.bytes !== segment.bytes || (segment.holds !== undefined && !before.isHeld);
      if (isLocal && isNews && (known.size < ROWS_MAX || before !== undefined))
        added.set(key, rowOf(key, segment));
    }
    if (added.size > 0) {
      const json = JSON.stringify([...added.values()]);
      await this.#database.query(ADD_CHANNELS, [json]);
      await this.#database.query(ADD_VINS, [robot, json]);
      await this.#database.query(ADD, [store, robot, json]);
    }
    if (gone.length > 0)
      await this.#database.query('DELETE FROM recordings WHERE store = $1 AND key = ANY($2)', [store, gone]);
    for (const [key, { bytes, topics }] of added) {
      const isHeld = known.get(key)?.isHeld === true || (topics as readonly object[]).length > 0;
      known.set(key, { bytes: bytes as number, isHeld });
    }
    for (const key of gone) known.delete(key);
    return added.size > 0;
  }

  async #knownOf(store: number, robot: string): Promise<Map<string, KnownRecording>> {
    const before = this.#known.get(robot);
    if (before !== undefined) return before;
    const rows = await this.#database.query<{ key: string } & KnownRecording>(
      `SELECT key, bytes, channels <> '{}' AS "isHeld" FROM recordings WHERE store = $1 AND robot = $2`,
      [store, robot],
    );
    const known = new Map(rows.map(({ key, ...rest }) => [key, rest]));
    this.#known.set(robot, known);
    return known;
  }
}

/** Known keys that a complete report should have and has not: a robot reports its newest segments. */
function missingIn(
  robot: string,
  segments: readonly ReportedRecording[],
  known: readonly string[],
): readonly string[] {
  // A recorder that starts has not looked at its disk yet.
  if (segments.length === 0) return [];
  const reported = new Set(segments.map((one) => keyOf(robot, one)));
  const oldest = segments.length < LISTED_MAX ? '' : (segments.map(numberOf).sort()[0] ?? '');
  return known.filter((key) => !reported.has(key) && (/\/(\d{12})-[^/]*$/.exec(key)?.[1] ?? '') >= oldest);
}

/** Twelve digits. */
function numberOf({ segment }: ReportedPlace): string {
  return segment.slice(0, 12);
}

/** The key that the segment will have in a store; undefined: it has no messages, or is not sealed under a known name. */
function keyOf(robot: string, { segment, priority, firstLogTime }: ReportedPlace): string | undefined {
  const id = segment.split('.')[0] ?? '';
  if (firstLogTime === undefined || !isSegmentId(id)) return undefined;
  return objectKey(id, objectName(robot, priorityOf(priority)), BigInt(firstLogTime));
}

function rowOf(key: string, one: ReportedRecording): Record<string, unknown> {
  const { segment, priority, firstLogTime = '0', lastLogTime = firstLogTime, sealedAt = lastLogTime } = one;
  return {
    ...{ key, segment: segment.split('.')[0], priority: priorityOf(priority) ?? 'normal' },
    ...{ first_at: floorTime(firstLogTime), last_at: ceilTime(lastLogTime) },
    ...{ first_log_time: firstLogTime, last_log_time: lastLogTime, messages: one.messages ?? 0 },
    ...{ bytes: one.bytes, gaps: one.gaps, sealed_at: floorTime(sealedAt) },
    vin: cleanText(one.holds?.vin ?? ''),
    tags: cleanTags(one.holds?.tags ?? {}),
    topics: (one.holds?.topics ?? []).map(({ topic, type, encoding }) => ({
      ...{ topic: cleanText(topic), type: cleanText(type), encoding: cleanText(encoding) },
    })),
  };
}
