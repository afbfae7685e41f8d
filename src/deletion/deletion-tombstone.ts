import { defined } from '../core/defined.js';
import type { GapJson } from '../core/gap.js';
import {
  isDigested,
  MANIFEST_VERSION,
  UNDIGESTED_VERSION,
  withoutSegmentEnd,
  type DeletedFacts,
  type Manifest,
  type ManifestChannel,
} from '../core/manifest.js';
import { withChannels } from '../recordings/manifest-part.js';
import { channelName } from '../recordings/survey-object.js';
import { cutGapId } from './cut-segment.js';

/**
 * The manifest that stays in place of a deleted segment. It keeps names, counts and times: a reader can tell a deletion
 * from a loss. It drops the texts of events and tags, and the wrapped keys, with which a copy that was left behind could
 * be decrypted.
 */
export function deletionTombstone(manifest: Manifest, facts: DeletedFacts): Manifest {
  return tombstoneOf(manifest, facts, deletionGap(manifest, reasonOf(facts)));
}

/**
 * The same for a segment of which a part was removed: it counts what is gone, so that it and the remainder together
 * count what was recorded. The times of a topic are bounds: only the remainder was counted.
 */
export function partTombstone(manifest: Manifest, remainder: Manifest, facts: DeletedFacts): Manifest {
  const { id } = remainder.segment;
  const gap = remainder.gaps.find((one) => one.id === cutGapId(id));
  const gone = withChannels(manifest, goneChannels(manifest, remainder, gap));
  return tombstoneOf(gone, { ...facts, remainder: id }, gap);
}

function tombstoneOf(manifest: Manifest, facts: DeletedFacts, gap: GapJson | undefined): Manifest {
  const { encryption: _keys, events: _events, tags: _tags, ...rest } = manifest;
  return {
    ...rest,
    version: isDigested(manifest) ? MANIFEST_VERSION : UNDIGESTED_VERSION,
    gaps: [...manifest.gaps, ...(gap ? [gap] : [])],
    evicted: { at: facts.at, reason: reasonOf(facts) },
    deleted: facts,
  };
}

function reasonOf({ by, reason }: DeletedFacts): string {
  return `deleted on request of ${by}: ${reason}`;
}

function goneChannels(manifest: Manifest, remainder: Manifest, gap: GapJson | undefined): ManifestChannel[] {
  const left = new Map<string, ManifestChannel[]>();
  for (const channel of remainder.channels) {
    const name = nameOf(channel);
    left.set(name, [...(left.get(name) ?? []), channel]);
  }
  const sum = (channels: readonly ManifestChannel[], of: 'count' | 'bytes'): number =>
    channels.reduce((total, channel) => total + channel[of], 0);
  const seen = new Set<string>();
  return manifest.channels.flatMap((channel) => {
    const name = nameOf(channel);
    // Entries of one name look alike in the file, so the remainder counts them together.
    const all = seen.has(name) ? [] : manifest.channels.filter((one) => nameOf(one) === name);
    seen.add(name);
    const rest = left.get(name) ?? [];
    const count = sum(all, 'count') - sum(rest, 'count');
    if (count <= 0) return [];
    const { topic, type, encoding, schemaEncoding, latched } = channel;
    const bytes = sum(all, 'bytes') - sum(rest, 'bytes');
    return [
      {
        ...{ topic, type, encoding, schemaEncoding, latched, count, bytes, carried: 0 },
        ...defined({ firstLogTime: gap?.firstTime, lastLogTime: gap?.lastTime }),
      },
    ];
  });
}

function nameOf({ topic, type, encoding, schemaEncoding }: ManifestChannel): string {
  return channelName(topic, type, encoding, schemaEncoding);
}

function deletionGap(manifest: Manifest, detail: string): GapJson {
  const { firstLogTime: firstTime, lastLogTime: lastTime = firstTime } = manifest;
  return {
    id: `deleted-${withoutSegmentEnd(manifest.file.name)}`,
    reason: 'deleted',
    robot: manifest.robot,
    count: manifest.messages,
    bytes: manifest.payloadBytes,
    ...(firstTime === undefined || lastTime === undefined ? {} : { firstTime, lastTime }),
    detail,
  };
}
