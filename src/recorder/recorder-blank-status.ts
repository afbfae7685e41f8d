import type { RecorderStatus } from '../core/status.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import { version } from '../host/version.js';

/** The status of a recorder that has not taken its data folder yet. */
export function blankStatus(options: RecorderOptions, startedAt: bigint): RecorderStatus {
  return {
    role: 'recorder',
    version,
    pid: process.pid,
    state: 'stopped',
    sessionId: '',
    dataFolder: options.data,
    startedAt: String(startedAt),
    sources: [],
    totals: {
      received: 0,
      receivedBytes: 0,
      durable: 0,
      durableBytes: 0,
      dropped: 0,
      droppedByReason: {},
      decimated: 0,
    },
    rates: { messagesPerS: 0, bytesPerS: 0 },
    lossWindow: { ms: 0, messages: 0, bytes: 0, maxMs: 0 },
    commits: { count: 0, p50Ms: 0, p99Ms: 0, failed: 0 },
    queue: { bytes: 0, maxBytes: options.queue.totalMaxBytes, messages: 0 },
    wal: { openBytes: 0, segmentMaxBytes: options.segment.maxBytes, segmentAgeMs: 0, waiting: 0 },
    sealed: { segments: 0, bytes: 0 },
    disk: { freeBytes: 0, totalBytes: 0, evictedSegments: 0 },
    robots: [],
  };
}
