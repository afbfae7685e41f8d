import type { Manifest } from '../../core/manifest.js';

/** What listing and choosing segments needs of a manifest: some hundred bytes instead of some kilobytes. */
export interface ManifestSummary {
  readonly id: string;
  readonly robot: string;
  /** Of the sealed file: the same segment has it wherever it lies. */
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
  /** A tombstone: the segment was deleted by policy. */
  readonly evicted?: true;
}

export function summarise(manifest: Manifest): ManifestSummary {
  const { segment, firstLogTime, lastLogTime, channels } = manifest;
  return {
    id: segment.id,
    robot: manifest.robot,
    fileName: manifest.file.name,
    ...(segment.priority === undefined ? {} : { priority: segment.priority }),
    ...(firstLogTime === undefined ? {} : { firstLogTime }),
    ...(lastLogTime === undefined ? {} : { lastLogTime }),
    messages: manifest.messages,
    channels: channels.filter(({ count }) => count > 0).length,
    gaps: manifest.gaps.length,
    ...(manifest.uncleanEnd ? { uncleanEnd: true } : {}),
    ...(manifest.evicted === undefined ? {} : { evicted: true }),
  };
}
