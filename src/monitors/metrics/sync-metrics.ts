import type { SyncStatus } from '../../core/status.js';
import { histogramSamples } from './histogram-samples.js';
import type { Known } from './known.js';
import { one, type Metric, type Sample } from './metric.js';

const links = ['unknown', 'online', 'offline'] as const;

/** Absent while sync does not answer. */
function ofSync(
  read: (sync: SyncStatus, known: Known) => number | undefined,
): (known: Known) => readonly Sample[] {
  return (known) => (known.status.sync === null ? [] : one(read(known.status.sync, known)));
}

/** Sinks that write Parquet; for a sync process with a single sink, the status itself. */
function parquetSinks(
  sync: SyncStatus | null,
): readonly { readonly sink: string; readonly writes: NonNullable<SyncStatus['writes']> }[] {
  if (sync === null) return [];
  const sinks = sync.sinks ?? [{ name: 'parquet', writes: sync.writes }];
  return sinks.flatMap(({ name: sink, writes }) => (writes === undefined ? [] : [{ sink, writes }]));
}

/** Metrics of sync, from its last answer. */
export const syncMetrics: readonly Metric<Known>[] = [
  {
    name: 'holdfast_sync_up',
    help: '1 while the sync process answers.',
    type: 'gauge',
    samples: ({ status }) => one(status.sync === null ? 0 : 1),
  },
  {
    name: 'holdfast_link_state',
    help: '1 for the state the link to the store is in, 0 for the others.',
    type: 'gauge',
    samples: ({ status: { sync } }) =>
      sync === null ? [] : links.map((state) => ({ labels: { state }, value: sync.link === state ? 1 : 0 })),
  },
  {
    name: 'holdfast_uploaded_bytes_total',
    help: 'Bytes of segments verified in the store since sync started.',
    type: 'counter',
    samples: ofSync((sync) => sync.uploads?.bytes),
  },
  {
    name: 'holdfast_uploaded_segments_total',
    help: 'Segments verified in the store since sync started.',
    type: 'counter',
    samples: ofSync((sync) => sync.uploads?.segments),
  },
  {
    name: 'holdfast_sent_bytes_total',
    help: 'Part bytes sent since sync started, repeated ones included.',
    type: 'counter',
    samples: ofSync((sync) => sync.uploads?.sentBytes),
  },
  {
    name: 'holdfast_resent_bytes_total',
    help: 'Part bytes that had to be sent again since sync started.',
    type: 'counter',
    samples: ofSync((sync) => sync.bytes.resent),
  },
  {
    name: 'holdfast_upload_retries_total',
    help: 'Calls to the store that were repeated since sync started.',
    type: 'counter',
    samples: ofSync((sync) => sync.uploads?.retries),
  },
  {
    name: 'holdfast_upload_errors_total',
    help: 'Calls to the store that failed since sync started.',
    type: 'counter',
    samples: ofSync((sync) => sync.uploadErrors),
  },
  {
    name: 'holdfast_upload_duration_seconds',
    help: 'From the first byte of a segment sent to the segment verified.',
    type: 'histogram',
    samples: ({ status }) => histogramSamples(status.sync?.uploads?.durations),
  },
  {
    name: 'holdfast_parquet_write_duration_seconds',
    help: 'Making the Parquet files of one segment, from reading it to the last file on the local disk; by sink.',
    type: 'histogram',
    samples: ({ status }) =>
      parquetSinks(status.sync).flatMap(({ sink, writes }) =>
        histogramSamples(writes.durations).map((sample) => ({
          ...sample,
          labels: { sink, ...sample.labels },
        })),
      ),
  },
  {
    name: 'holdfast_parquet_write_failures_total',
    help: 'Attempts to make the Parquet files of a segment that failed, by sink.',
    type: 'counter',
    samples: ({ status }) =>
      parquetSinks(status.sync).map(({ sink, writes }) => ({ labels: { sink }, value: writes.failures })),
  },
  {
    name: 'holdfast_parquet_undecoded_total',
    help: 'Messages of which Parquet files hold bytes alone, or nothing, since sync started; by sink.',
    type: 'counter',
    samples: ({ status }) =>
      parquetSinks(status.sync).map(({ sink, writes }) => ({
        labels: { sink },
        value: writes.undecoded ?? 0,
      })),
  },
  {
    name: 'holdfast_parquet_schema_changes_total',
    help: 'Tables whose columns differ from those of the segment before, since sync started; by sink.',
    type: 'counter',
    samples: ({ status }) =>
      parquetSinks(status.sync).map(({ sink, writes }) => ({
        labels: { sink },
        value: writes.schemaChanges ?? 0,
      })),
  },
  {
    name: 'holdfast_transfer_bytes_per_second',
    help: 'Upload rate over the last ten seconds.',
    type: 'gauge',
    samples: ofSync((sync) => sync.transferBytesPerS),
  },
  {
    name: 'holdfast_pending_segments',
    help: 'Sealed segments that wait for the store.',
    type: 'gauge',
    samples: ofSync((sync) => sync.segments.pending),
  },
  {
    name: 'holdfast_pending_bytes',
    help: 'Bytes of sealed segments that wait for the store.',
    type: 'gauge',
    samples: ofSync((sync) => sync.bytes.pending),
  },
  {
    name: 'holdfast_encryption_recipients',
    help: 'Recipients that can read what is uploaded; 0: it is not encrypted.',
    type: 'gauge',
    samples: ofSync((sync) => sync.encryptedFor?.length ?? 0),
  },
  {
    name: 'holdfast_held_segments',
    help: 'Sealed segments that the upload policy keeps on this disk.',
    type: 'gauge',
    samples: ofSync((sync) => sync.segments.held ?? 0),
  },
  {
    name: 'holdfast_held_bytes',
    help: 'Bytes of the segments that the upload policy keeps on this disk.',
    type: 'gauge',
    samples: ofSync((sync) => sync.bytes.held ?? 0),
  },
  {
    name: 'holdfast_parked_segments',
    help: 'Segments the store refused for good.',
    type: 'gauge',
    samples: ofSync((sync) => sync.segments.parked),
  },
  {
    name: 'holdfast_lost_segments',
    help: 'Segments that were evicted here and that the store no longer holds: no copy of them is known.',
    type: 'gauge',
    samples: ofSync((sync) => sync.segments.lost ?? 0),
  },
  {
    name: 'holdfast_oldest_unsynced_age_seconds',
    help: 'Age of the oldest message in a sealed segment that no store holds; 0: no such segment.',
    type: 'gauge',
    samples: ofSync(({ oldestUnsyncedAt }, { status }) =>
      oldestUnsyncedAt === undefined
        ? 0
        : Math.max(0, status.atMs / 1_000 - Number(BigInt(oldestUnsyncedAt) / 1_000_000n) / 1_000),
    ),
  },
];
