import { defined } from '../core/defined.js';
import type { RecorderStatus } from '../core/status.js';
import type { Batch } from '../ingest/batch.js';
import type { RecorderParts } from './recorder-parts.js';
import type { RecordedSource } from './recorder-source.js';
import { symmetricKeyName } from '../encryption/stored-key.js';
import { recipientName } from '../encryption/wrapped-key.js';
import { version } from '../host/version.js';

/** The parts that it uses. */
type Parts = Pick<
  RecorderParts,
  | 'buffer'
  | 'condition'
  | 'drops'
  | 'folder'
  | 'identity'
  | 'meters'
  | 'options'
  | 'ports'
  | 'recipients'
  | 'retention'
  | 'sealer'
  | 'tags'
  | 'wal'
  | 'walKeys'
>;

export interface StatusInput extends Parts {
  readonly sources: readonly RecordedSource[];
  readonly startedAt: bigint;
  /** Messages out of the queues and not committed yet. */
  readonly inFlight: Iterable<Batch>;
  readonly anomalies: RecorderStatus['anomalies'] | undefined;
}

/** The recorder's state as plain JSON. */
export function buildRecorderStatus(input: StatusInput): RecorderStatus {
  const { wal, buffer, drops, meters, sealer, retention, options, condition } = input;
  const { state, stalledReason } = condition;
  const disk = retention.state;
  const open = wal.open;
  const unsealed = sealer.firstSetAside;
  return {
    role: 'recorder',
    version,
    pid: process.pid,
    state,
    ...defined({ stalledReason }),
    sessionId: input.identity.sessionId,
    dataFolder: input.folder.root,
    startedAt: String(input.startedAt),
    sources: input.sources.map(({ uri, state, detail, stats }) => ({
      uri,
      state,
      ...defined({ detail, stats }),
    })),
    totals: {
      ...meters.sums(),
      durable: wal.durable,
      durableBytes: wal.durableBytes,
      droppedByReason: drops.droppedByReason(),
    },
    rates: { messagesPerS: meters.messagesPerS, bytesPerS: meters.bytesPerS },
    lossWindow: lossWindow(input),
    commits: {
      count: wal.stats.count,
      p50Ms: wal.stats.quantile(0.5),
      p99Ms: wal.stats.quantile(0.99),
      failed: wal.stats.failed,
      durations: wal.stats.histogram.toJson(),
    },
    queue: { bytes: buffer.bytes, maxBytes: options.queue.totalMaxBytes, messages: buffer.messages },
    wal: {
      ...(open ? { openSegment: open.id } : {}),
      openBytes: open?.bytes ?? 0,
      segmentMaxBytes: options.segment.maxBytes,
      segmentAgeMs: open?.ageMs ?? 0,
      waiting: sealer.waiting,
      setAside: sealer.setAside,
      ...(unsealed ? { setAsideError: `segment ${unsealed.id}: ${unsealed.error}` } : {}),
    },
    sealed: {
      segments: retention.index.segments,
      bytes: retention.index.bytes,
      ...(sealer.lastSealedAt === undefined ? {} : { lastSealedAt: String(sealer.lastSealedAt) }),
    },
    disk: {
      freeBytes: disk.freeBytes,
      totalBytes: disk.totalBytes,
      evictedSegments: disk.evictedSegments,
    },
    robots: meters.robots(),
    tags: input.tags.now,
    ...(input.recipients.length === 0 ? {} : { encryptedFor: input.recipients.map(recipientName) }),
    ...defined({ atRestKeyName: writingKeyName(input.walKeys), anomalies: input.anomalies }),
  };
}

/** The first key encrypts; the others read what an earlier recorder has written. */
function writingKeyName([key]: Parts['walKeys']): string | undefined {
  return key && symmetricKeyName(key);
}

/** Received and not durable yet: queued, in a commit, or only with the operating system. */
function lossWindow({ wal, buffer, inFlight, ports }: StatusInput): RecorderStatus['lossWindow'] {
  const pending = [...inFlight, ...wal.unsynced];
  let oldest = buffer.oldestAt;
  for (const { oldestAt } of pending) if (oldest === undefined || oldestAt < oldest) oldest = oldestAt;
  const ms = oldest === undefined ? 0 : Number(ports.clock.monotonic() - oldest) / 1e6;
  return {
    ms,
    messages: buffer.messages + pending.reduce((sum, batch) => sum + batch.messages.length, 0),
    bytes: buffer.bytes + pending.reduce((sum, batch) => sum + batch.bytes, 0),
    maxMs: Math.max(wal.maxLossWindowMs, ms),
  };
}
