import type { SyncOptions } from '../../sync/sync-options.js';
import { CrossCheck } from './cross-check.js';
import { deepFreeze } from './deep-freeze.js';
import type { Resolved } from './resolve.js';

/** Everything the sync process is told; checked, with all defaults filled in, and frozen. */
export interface SyncSettings {
  /** The data folder's path. */
  readonly data: string;
  readonly storeUri: string;
  readonly s3: S3Settings;
  readonly options: SyncOptions;
}

export interface S3Settings {
  /** Empty: AWS. */
  readonly endpoint: string;
  /** Empty: from the AWS chain. */
  readonly region: string;
  readonly pathStyle: boolean;
  readonly checksum: 'auto' | 'crc32' | 'none';
}

/** Sync's settings out of the resolved parameters. Throws `CONFIG_INVALID` with all faults. */
export function compileSyncSettings(resolved: Resolved): SyncSettings {
  const { values } = resolved;
  const check = new CrossCheck(resolved);
  if (values['store.uri'] === '') {
    check.fault('store.uri', '', 'a store: --store dir:PATH or --store s3://bucket/prefix');
  }
  const settings: SyncSettings = {
    data: values.data,
    storeUri: values['store.uri'],
    s3: compileS3Settings(resolved),
    options: {
      order: values['upload.order'],
      partBytes: values['upload.part_bytes'],
      partsInFlight: values['upload.parts_in_flight'],
      partsPerUpload: values['upload.parts_per_upload'],
      uploadsInFlight: values['upload.uploads_in_flight'],
      segmentsInFlight: values['upload.segments_in_flight'],
      bandwidthBytesPerS: values['upload.bandwidth_limit'],
      pollIntervalMs: values.poll_interval_ms,
      housekeepingIntervalMs: values.housekeeping_interval_ms,
      backoffFirstMs: check.atMost('link.backoff_first_ms', 'link.backoff_max_ms'),
      backoffMaxMs: values['link.backoff_max_ms'],
      backoffJitter: values['link.backoff_jitter'],
      idleProbeMs: values['link.idle_probe_ms'],
      callTimeoutMs: values['link.call_timeout_ms'],
      attemptsPerTurn: values['upload.attempts_per_turn'],
      staleUploadAgeMs: values['upload.stale_age_ms'],
      createStoreId: values['store.create_id'],
      acceptNewStore: values['store.accept_new'],
      retryParked: values['upload.retry_parked'],
    },
  };
  check.done();
  return deepFreeze(settings);
}

/** For commands that open a store without syncing (`verify`, `ls`, `cat`, `replay`). */
export function compileS3Settings({ values }: Resolved): S3Settings {
  return {
    endpoint: values['s3.endpoint'],
    region: values['s3.region'],
    pathStyle: values['s3.path_style'],
    checksum: values['s3.checksum'],
  };
}
