import type { GapJson } from '../core/gap.js';
import {
  isDigested,
  MANIFEST_VERSION,
  UNDIGESTED_VERSION,
  withoutSegmentEnd,
  type DeletedFacts,
  type Manifest,
} from '../core/manifest.js';

/**
 * The manifest that stays in place of a deleted segment. It keeps names, counts and times: a reader can tell a deletion
 * from a loss. It drops the texts of events and tags, and the wrapped keys, with which a copy that was left behind could
 * be decrypted.
 */
export function deletionTombstone(manifest: Manifest, facts: DeletedFacts): Manifest {
  const { encryption: _keys, events: _events, tags: _tags, ...rest } = manifest;
  const reason = `deleted on request of ${facts.by}: ${facts.reason}`;
  return {
    ...rest,
    version: isDigested(manifest) ? MANIFEST_VERSION : UNDIGESTED_VERSION,
    gaps: [...manifest.gaps, deletionGap(manifest, reason)],
    evicted: { at: facts.at, reason },
    deleted: facts,
  };
}

function deletionGap(manifest: Manifest, detail: string): GapJson {
  const { firstLogTime: firstTime, lastLogTime: lastTime = firstTime } = manifest;
  return {
    id: `deleted-${withoutSegmentEnd(manifest.file.name)}`,
    reason: 'evicted',
    robot: manifest.robot,
    count: manifest.messages,
    bytes: manifest.payloadBytes,
    ...(firstTime === undefined || lastTime === undefined ? {} : { firstTime, lastTime }),
    detail,
  };
}
