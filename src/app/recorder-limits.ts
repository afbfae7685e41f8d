import type { BatchLimits } from '../ingest/batch.js';
import type { BufferLimits } from '../ingest/ingest-buffer.js';
import type { WalOptions } from '../wal/wal-ports.js';
import type { RecorderOptions } from './parameters/recorder-options.js';
import { retentionOptions } from './recorder-folder.js';
import type { RecorderParts } from './recorder-parts.js';

export function bufferLimits({ queue, maxChannels }: RecorderOptions): BufferLimits {
  return { totalMaxBytes: queue.totalMaxBytes, maxChannels };
}

/** Where a source that can wait is told to. */
export function flowMarks({ queue, batch }: RecorderOptions): { highBytes: number; highMessages: number } {
  return {
    highBytes: Math.min(queue.totalMaxBytes, queue.maxBytes) / 2,
    highMessages: 4 * batch.maxCount,
  };
}

/** A source that waits at the high mark waits for a commit: that must not wait for more. */
export function batchLimits(options: RecorderOptions): BatchLimits {
  return { ...options.batch, maxBytes: Math.min(options.batch.maxBytes, flowMarks(options).highBytes) };
}

export function walLimits({
  durability,
  segment,
  latchedMaxBytes,
}: RecorderOptions): Omit<WalOptions, 'durability' | 'softwareVersion'> {
  return {
    intervalMs: durability.intervalMs,
    segmentMaxBytes: segment.maxBytes,
    segmentMaxAgeMs: segment.maxAgeMs,
    latchedMaxBytes,
  };
}

/**
 * Takes over other options in one turn of the event loop: no message is judged by half of them. Only live
 * parameters may differ.
 */
export function reconfigureParts(parts: RecorderParts, options: RecorderOptions): void {
  const { buffer, flow, wal, sealer, retention } = parts;
  parts.options = options;
  buffer.reconfigure(bufferLimits(options));
  Object.assign(parts.batchLimits, batchLimits(options));
  const { highBytes, highMessages } = flowMarks(options);
  flow.limit(highBytes, highMessages);
  parts.limitsChanged.emit();
  wal.reconfigure(walLimits(options));
  sealer.reconfigure(options.seal);
  retention.reconfigure(retentionOptions(options));
  parts.filterChanged.emit();
  void retention.tick(sealer.unfinished());
}
