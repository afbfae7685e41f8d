import { formatTime } from '../../core/clock.js';
import { manifestGaps, type Manifest } from '../../core/manifest.js';
import type { Tags } from '../../core/tags.js';
import type { ObjectInfo } from '../../core/store.js';

/** Stands for the disks of the robots among the stores. */
export const ROBOT_STORE = 'robot:';

/** `missing`: a manifest whose segment is not in the store. `local`: only on its robot, as that reports. */
export type RecordingState = 'stored' | 'evicted' | 'missing' | 'local';

/** A manifest of a store, and the state of its segment there. */
export interface CataloguedManifest {
  readonly info: ObjectInfo;
  readonly manifest: Manifest;
  readonly state: RecordingState;
}

/** PostgreSQL has microseconds: times are rounded outwards. */
const US = 1_000n;
const GAPS_MAX = 1_000;
/** The last time that Holdfast's formats hold lies in the range of a timestamptz. */
export const floorTime = (time: string): string => formatTime((BigInt(time) / US) * US);
export const ceilTime = (time: string): string => formatTime(((BigInt(time) + US - 1n) / US) * US);
/** A text of PostgreSQL holds no zero character. */
export const cleanText = (text: string): string => text.replaceAll('\0', '\uFFFD');

export const cleanTags = (tags: Tags): Tags =>
  Object.fromEntries(Object.entries(tags).map(([name, value]) => [cleanText(name), cleanText(value)]));

/** One manifest as JSON for `jsonb_to_recordset`; the names are those of the columns. */
export function recordingRow({ info, manifest, state }: CataloguedManifest): Record<string, unknown> {
  const { segment, firstLogTime, lastLogTime, channels, evicted, identity, software } = manifest;
  const gaps = manifestGaps(manifest);
  return {
    key: manifest.key,
    ...{ manifest_bytes: info.bytes, manifest_etag: info.etag ?? '', state },
    ...{ segment: segment.id, robot: cleanText(manifest.robot), priority: segment.priority ?? 'normal' },
    vin: cleanText(manifest.vin ?? ''),
    first_at: firstLogTime === undefined ? null : floorTime(firstLogTime),
    last_at: lastLogTime === undefined ? null : ceilTime(lastLogTime),
    ...{ first_log_time: firstLogTime ?? null, last_log_time: lastLogTime ?? null },
    ...{ messages: manifest.messages, payload_bytes: manifest.payloadBytes, bytes: manifest.file.bytes },
    ...{ gaps: gaps.length, gap_messages: gaps.reduce((sum, { count }) => sum + (count ?? 0), 0) },
    ...{ unclean_end: manifest.uncleanEnd, sealed_at: floorTime(manifest.sealedAt) },
    software: cleanText(`${software.name} ${software.version}`),
    ...{ machine: cleanText(identity.machineId), session: cleanText(identity.sessionId) },
    ...{
      evicted_at: evicted ? floorTime(evicted.at) : null,
      evicted_reason: evicted ? cleanText(evicted.reason) : null,
    },
    tags: cleanTags(manifest.tags ?? {}),
    topics: topicRows(channels),
    events: (manifest.events ?? []).map(({ id, label, at, from, to }) => ({
      ...{
        event: cleanText(id),
        label: cleanText(label),
        at: floorTime(at),
        from_at: floorTime(from),
        to_at: ceilTime(to),
      },
    })),
    gap_list: gaps.slice(0, GAPS_MAX).map((gap) => ({
      ...{
        gap: cleanText(gap.id),
        reason: cleanText(gap.reason),
        topic: cleanText(gap.topic ?? ''),
        messages: gap.count ?? null,
      },
      first_at: gap.firstTime === undefined ? null : floorTime(String(gap.firstTime)),
      last_at: gap.lastTime === undefined ? null : ceilTime(String(gap.lastTime)),
    })),
  };
}

/** One row for each topic with its type and encoding, which a manifest may list several times. */
function topicRows(channels: Manifest['channels']): Record<string, unknown>[] {
  const rows = new Map<
    string,
    { topic: string; type: string; encoding: string; messages: number; bytes: number; seconds: number }
  >();
  for (const { topic, type, encoding, count, bytes, firstLogTime, lastLogTime } of channels) {
    const names = { topic: cleanText(topic), type: cleanText(type), encoding: cleanText(encoding) };
    const key = JSON.stringify(names);
    const row = rows.get(key) ?? { ...names, messages: 0, bytes: 0, seconds: 0 };
    row.messages += count;
    row.bytes += bytes;
    if (firstLogTime !== undefined && lastLogTime !== undefined) {
      row.seconds = Math.max(row.seconds, Number(BigInt(lastLogTime) - BigInt(firstLogTime)) / 1e9);
    }
    rows.set(key, row);
  }
  return [...rows.values()].map(({ seconds, ...row }) => ({
    ...row,
    rate_hz: row.messages > 1 && seconds > 0 ? (row.messages - 1) / seconds : null,
  }));
}
