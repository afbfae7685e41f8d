import { defined } from '../../core/defined.js';
import type { EncryptionFacts } from '../../core/encryption-facts.js';
import type { Manifest } from '../../core/manifest.js';
import type { Tags } from '../../core/tags.js';

/** The facts of a manifest for listing and choosing segments: some hundred bytes instead of some kilobytes. */
export interface ManifestSummary {
  readonly id: string;
  readonly robot: string;
  /** VIN of the vehicle; absent: the recorder did not know it. */
  readonly vin?: string;
  /** Name of the sealed file: the same for a segment in any place. */
  readonly fileName: string;
  readonly priority?: string;
  /** Log times, decimal nanoseconds since the Unix epoch. */
  readonly firstLogTime?: string;
  readonly lastLogTime?: string;
  readonly messages: number;
  /** Channels with messages. */
  readonly channels: number;
  readonly gaps: number;
  readonly uncleanEnd?: true;
  readonly tags?: Tags;
  /** A tombstone: the segment was deleted by policy. */
  readonly evicted?: true;
  /** The tombstone of a segment that was deleted on request. */
  readonly deleted?: true;
  /** The object is encrypted: its wrapped keys. */
  readonly encryption?: EncryptionFacts;
}

export function summarise(manifest: Manifest): ManifestSummary {
  const { segment, firstLogTime, lastLogTime, channels } = manifest;
  return {
    id: segment.id,
    robot: manifest.robot,
    fileName: manifest.file.name,
    ...defined({ priority: segment.priority, firstLogTime, lastLogTime }),
    messages: manifest.messages,
    channels: channels.filter(({ count }) => count > 0).length,
    gaps: manifest.gaps.length,
    ...defined({ vin: manifest.vin, tags: manifest.tags, encryption: manifest.encryption }),
    ...(manifest.uncleanEnd ? { uncleanEnd: true } : {}),
    ...(manifest.evicted === undefined ? {} : { evicted: true }),
    ...(manifest.deleted === undefined ? {} : { deleted: true }),
  };
}
