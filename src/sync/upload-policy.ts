import type { UploadPolicy } from '../core/sink.js';
import type { SegmentEntry } from './segment-table.js';
import type { SyncOptions } from './sync-options.js';
import type { SinkSpec } from './sync-sink.js';

interface PolicyParts {
  readonly options: Pick<SyncOptions, 'upload'>;
  readonly sink: Pick<SinkSpec, 'upload'>;
  readonly only: ReadonlySet<string> | undefined;
  readonly requested: ReadonlySet<string>;
}

/** The policy of a sink: its own, or that of the process. */
export function policyOf({ options, sink }: Pick<PolicyParts, 'options' | 'sink'>): UploadPolicy {
  return sink.upload ?? options.upload;
}

/**
 * Whether the policy keeps a segment on this disk. An upload that has begun continues under every policy.
 * Segments of `--only` and of requests go in any case.
 */
export function isHeldBack(entry: SegmentEntry, isMarked: boolean, parts: PolicyParts): boolean {
  const policy = policyOf(parts);
  if (policy === 'all' || entry.record !== undefined || entry.turns > 0) return false;
  if (parts.only?.has(entry.name) === true || parts.requested.has(entry.name)) return false;
  return policy === 'requested' || !isMarked;
}
