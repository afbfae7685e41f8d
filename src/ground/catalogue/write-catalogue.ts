import type { Database } from '../database/database.js';
import { recordingRow, ROBOT_STORE, type CataloguedManifest } from './catalogue-rows.js';

const COLUMNS = `key text, manifest_bytes bigint, manifest_etag text, state text, segment text, robot text, vin text,
  priority text, first_at timestamptz, last_at timestamptz, first_log_time text, last_log_time text,
  messages bigint, payload_bytes bigint, bytes bigint, gaps integer, gap_messages bigint, unclean_end boolean,
  sealed_at timestamptz, software text, machine text, session text, evicted_at timestamptz,
  evicted_reason text, tags jsonb`;
const NAMES = COLUMNS.split(',').map((column) => column.trim().split(' ')[0] ?? '');
const CHANNELS = 'topics jsonb';

/** Of rows with `topics`. */
export const ADD_CHANNELS = `
  INSERT INTO catalogue_channels (topic, type, encoding)
  SELECT DISTINCT t.topic, t.type, t.encoding
  FROM jsonb_to_recordset($1::jsonb) AS r(${CHANNELS}),
    jsonb_to_recordset(r.topics) AS t(topic text, type text, encoding text)
  ORDER BY 1, 2, 3
  ON CONFLICT DO NOTHING`;

const ADD_RECORDINGS = `
  INSERT INTO recordings (store, ${NAMES.join(', ')}, channels)
  SELECT $2, ${NAMES.map((name) => `r.${name}`).join(', ')},
    coalesce((
      SELECT array_agg(c.channel)
      FROM jsonb_to_recordset(r.topics) AS t(topic text, type text, encoding text, messages bigint)
      JOIN catalogue_channels c USING (topic, type, encoding)
      WHERE t.messages > 0
    ), '{}')
  FROM jsonb_to_recordset($1::jsonb) AS r(${COLUMNS}, ${CHANNELS})
  ORDER BY r.key
  ON CONFLICT (store, key) DO UPDATE SET
    ${NAMES.map((name) => `${name} = excluded.${name}`).join(', ')}, channels = excluded.channels`;

/** The rows that belong to the recordings of these keys, before they are written again. */
const OLD = (table: string): string =>
  `DELETE FROM ${table} d USING recordings r WHERE d.recording = r.recording AND r.store = $1 AND r.key = ANY($2)`;

const ADD_VINS = `
  INSERT INTO robot_vins (vin, robot)
  SELECT DISTINCT r.vin, r.robot FROM jsonb_to_recordset($1::jsonb) AS r(vin text, robot text) WHERE r.vin <> ''
  ORDER BY 1, 2
  ON CONFLICT DO NOTHING`;

/** What a store has, or a tombstone describes, is no longer only on its robot. */
const FORGET_LOCAL = `
  DELETE FROM recordings r USING catalogue_stores s
  WHERE s.store = r.store AND s.uri = $1 AND r.key = ANY($2)`;

const DETAILS = ['recording_topics', 'recording_events', 'recording_gaps'] as const;

const ADD_DETAILS: Readonly<Record<(typeof DETAILS)[number], string>> = {
  recording_topics: `
    INSERT INTO recording_topics (recording, channel, messages, bytes, rate_hz)
    SELECT o.recording, c.channel, t.messages, t.bytes, t.rate_hz
    FROM jsonb_to_recordset($1::jsonb) AS r(key text, ${CHANNELS})
    JOIN recordings o ON o.store = $2 AND o.key = r.key,
      jsonb_to_recordset(r.topics)
        AS t(topic text, type text, encoding text, messages bigint, bytes bigint, rate_hz double precision)
    JOIN catalogue_channels c USING (topic, type, encoding)`,
  recording_events: `
    INSERT INTO recording_events (recording, event, label, at, from_at, to_at)
    SELECT DISTINCT ON (o.recording, e.event) o.recording, e.event, e.label, e.at, e.from_at, e.to_at
    FROM jsonb_to_recordset($1::jsonb) AS r(key text, events jsonb)
    JOIN recordings o ON o.store = $2 AND o.key = r.key,
      jsonb_to_recordset(r.events)
        AS e(event text, label text, at timestamptz, from_at timestamptz, to_at timestamptz)`,
  recording_gaps: `
    INSERT INTO recording_gaps (recording, gap, reason, topic, messages, first_at, last_at)
    SELECT DISTINCT ON (o.recording, g.gap) o.recording, g.gap, g.reason, g.topic, g.messages, g.first_at, g.last_at
    FROM jsonb_to_recordset($1::jsonb) AS r(key text, gap_list jsonb)
    JOIN recordings o ON o.store = $2 AND o.key = r.key,
      jsonb_to_recordset(r.gap_list)
        AS g(gap text, reason text, topic text, messages bigint, first_at timestamptz, last_at timestamptz)`,
};

/** Adds or replaces what is known about these manifests, in one transaction. */
export async function writeCatalogue(
  database: Database,
  store: number,
  manifests: readonly CataloguedManifest[],
): Promise<void> {
  if (manifests.length === 0) return;
  const rows = new Map(manifests.map((one) => [one.manifest.key, recordingRow(one)]));
  const json = JSON.stringify([...rows.values()]);
  await database.transaction(async ({ query }) => {
    await query(ADD_CHANNELS, [json]);
    await query(ADD_VINS, [json]);
    for (const table of DETAILS) await query(OLD(table), [store, [...rows.keys()]]);
    await query(ADD_RECORDINGS, [json, store]);
    for (const table of DETAILS) await query(ADD_DETAILS[table], [json, store]);
    const settled = [...rows.values()].filter(({ state }) => state !== 'missing').map(({ key }) => key);
    await query(FORGET_LOCAL, [ROBOT_STORE, settled]);
  });
}

/** Removes what the store no longer has. */
export async function forgetRecordings(
  database: Database,
  store: number,
  keys: readonly string[],
): Promise<void> {
  await database.query('DELETE FROM recordings WHERE store = $1 AND key = ANY($2)', [store, keys]);
}
