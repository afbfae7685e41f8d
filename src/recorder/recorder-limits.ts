import type { BatchLimits } from '../ingest/batch.js';
import type { BufferLimits } from '../ingest/ingest-buffer.js';
import type { WalOptions } from '../wal/wal-ports.js';
import type { RecorderOptions } from '../settings/recorder-options.js';

export function bufferLimits({ queue, maxChannels }: RecorderOptions): BufferLimits {
  return { totalMaxBytes: queue.totalMaxBytes, maxChannels };
}

/** The limit at which a source that supports backpressure must wait. */
export function flowMarks({ queue, batch }: RecorderOptions): { highBytes: number; highMessages: number } {
  return {
    highBytes: Math.min(queue.totalMaxBytes, queue.maxBytes) / 2,
    highMessages: 4 * batch.maxCount,
  };
}

/** A source at the high mark waits for a commit, so the commit must not wait for more messages. */
export function batchLimits(options: RecorderOptions): BatchLimits {
  return { ...options.batch, maxBytes: Math.min(options.batch.maxBytes, flowMarks(options).highBytes) };
}

export function walLimits({
  durability,
  segment,
  seal,
  latchedMaxBytes,
}: RecorderOptions): Omit<WalOptions, 'durability' | 'softwareVersion'> {
  return {
    intervalMs: durability.intervalMs,
    segmentMaxBytes: segment.maxBytes,
    segmentMaxAgeMs: segment.maxAgeMs,
    latchedMaxBytes,
    ...(seal.inPlace === 'never'
      ? {}
      : { inPlace: { minBytes: seal.inPlaceMinBytes, splitByPriority: segment.splitByPriority } }),
  };
}
