import type { Gap } from '../../../src/core/gap.js';
import type { Manifest } from '../../../src/core/manifest.js';
import type { RecorderStatus, SyncStatus, TopicStats } from '../../../src/core/status.js';

/** A status with every field set, to a value of its own where that can be. */
export const recorderStatus: RecorderStatus = {
  role: 'recorder',
  version: '1.2.3',
  pid: 4711,
  state: 'stalled',
  stalledReason: 'disk_full: Größe überschritten',
  sessionId: 'a'.repeat(32),
  dataFolder: '/data/ö',
  startedAt: '1795235891384222069',
  sources: [
    { uri: 'ros:', state: 'open' },
    { uri: 'sim:', state: 'waiting', detail: 'nobody there' },
  ],
  totals: {
    received: 100,
    receivedBytes: 2 ** 40,
    durable: 90,
    durableBytes: 900,
    dropped: 3,
    droppedByReason: { queue_full_drop_oldest: 2, paused: 1 },
  },
  rates: { messagesPerS: 12.5, bytesPerS: 1250.25 },
  lossWindow: { ms: 21.5, messages: 7, bytes: 700, maxMs: 43.25 },
  commits: { count: 11, p50Ms: 1.5, p99Ms: 9.25, failed: 1 },
  queue: { bytes: 70, maxBytes: 64 * 2 ** 20, messages: 8 },
  wal: {
    openSegment: 'b'.repeat(32),
    openBytes: 1234,
    segmentMaxBytes: 64 * 2 ** 20,
    segmentAgeMs: 555.5,
    waiting: 2,
    setAside: 1,
    setAsideError: 'segment 3: a record does not match its checksum',
  },
  sealed: { segments: 6, bytes: 66, lastSealedAt: '1795235891384222070' },
  disk: { freeBytes: 5e9, totalBytes: 6e10, evictedSegments: 4 },
  robots: [
    {
      robot: 'robot_1',
      channels: 5,
      received: 50,
      durable: 45,
      dropped: 1,
      bytesPerS: 10.5,
      messagesPerS: 1.5,
    },
    { robot: 'r2', channels: 6, received: 51, durable: 46, dropped: 2, bytesPerS: 11.5, messagesPerS: 2.5 },
  ],
  anomalies: {
    rules: [
      { rule: 'imu jump', seen: 12, marked: 9, lastAt: '1795235891384222068', last: '/imu: 99' },
      { rule: 'low battery', seen: 0, marked: 0 },
    ],
    suppressed: 13,
    failedMarks: 14,
    channels: 15,
    looked: 16,
    skipped: 17,
    undecoded: 18,
  },
};

/** A status with every field set. */
export const syncStatus: SyncStatus = {
  role: 'sync',
  version: '1.2.3',
  pid: 4712,
  dataFolder: '/data',
  store: 's3://bucket/prefix',
  storeId: 'c'.repeat(32),
  startedAt: '1795235891384222071',
  isSyncing: true,
  link: 'online',
  linkSince: '1795235891384222072',
  lastSyncAt: '1795235891384222073',
  uploadErrors: 9,
  lastError: 'put: timed out',
  nextRetryInMs: 1500,
  segmentsSynced: 77,
  storeRefuses: { what: 'checksums', server: 'Pail/1.0', since: '1795235891384222067' },
  storeLatencyMs: 12.5,
  segments: { pending: 1, verified: 2, parked: 3, lost: 5, retrying: 14 },
  bytes: { pending: 10, verified: 20, resent: 30 },
  resumedUploads: 4,
  current: { segment: 'seg.robot_1', robot: 'robot_1', bytes: 1000, progress: 0.25 },
  oldestUnsyncedAt: '1795235891384222074',
  transferBytesPerS: 2500.5,
  etaMs: 60_000,
  alarms: [
    { segment: 'x.robot_1', robot: 'robot_1', code: 'STORE_REJECTED', message: 'no' },
    { segment: '', robot: '', code: 'STORE_MISMATCH', message: 'another id' },
  ],
  sinks: [
    {
      name: 'mcap',
      kind: 'mcap',
      store: 's3://bucket/prefix',
      required: true,
      link: 'online',
      segments: { pending: 6, verified: 7, parked: 8, lost: 9, retrying: 16 },
      bytes: { pending: 60, verified: 70, resent: 80 },
      alarms: 10,
      lastSyncAt: '1795235891384222066',
      lastError: 'put: refused',
    },
    {
      name: 'parquet',
      kind: 'parquet',
      store: 'dir:/lake',
      required: false,
      link: 'offline',
      segments: { pending: 11, verified: 12, parked: 13 },
      bytes: { pending: 110, verified: 120, resent: 130 },
      alarms: 0,
    },
  ],
};

export function topicStats(index: number): TopicStats {
  return {
    robot: 'robot_1',
    topic: `/topic_${index}`,
    type: 'sensor_msgs/msg/Imu',
    encoding: 'cdr',
    latched: true,
    priority: 'low',
    received: index,
    receivedBytes: 10 * index,
    dropped: 2,
    messagesPerS: 3.5,
    bytesPerS: index,
    queuedBytes: 5,
    lastReceivedAt: '1795235891384222075',
    present: true,
  };
}

export const gap: Gap = {
  id: 'gap-1',
  reason: 'paused',
  robot: 'robot_1',
  topic: '/imu',
  count: 3,
  bytes: 300,
  firstTime: 1_795_235_891_384_222_076n,
  lastTime: 1_795_235_891_384_222_077n,
  detail: 'paused by hand',
};

export const manifest = {
  segment: { id: 'd'.repeat(32), number: 1 },
  robot: 'robot_1',
  file: { name: 'seg.robot_1.mcap', bytes: 1000, sha256: 'e'.repeat(64), crc32: 1, compression: 'zstd' },
  key: 'robot=robot_1/date=2026-11-21/hour=08/seg.mcap',
  messages: 12,
  payloadBytes: 1200,
  firstLogTime: '1795235891384222078',
  lastLogTime: '1795235891384222079',
  channels: [{}, {}],
  gaps: [{}],
  uncleanEnd: true,
} as unknown as Manifest;
