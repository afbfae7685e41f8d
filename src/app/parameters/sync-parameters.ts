import { syncOptionTable, type SyncOptions } from '../../sync/sync-options.js';
import { bytes, choice, count, duration, rate, real, text, toggle, type Parameter } from './parameter.js';

const role = 'sync';

type NumericOption = {
  [K in keyof SyncOptions]: SyncOptions[K] extends number ? K : never;
}[keyof SyncOptions];
type BooleanOption = {
  [K in keyof SyncOptions]: SyncOptions[K] extends boolean ? K : never;
}[keyof SyncOptions];

/** A row out of the sync layer's own table, which holds defaults and limits. */
function number(option: NumericOption, flag?: string): Parameter<number> {
  const { unit, integer: _, ...rule } = syncOptionTable[option];
  const row = { role, ...rule, ...(flag === undefined ? {} : { flag }) } as const;
  if (unit === 'bytes') return bytes(row);
  if (unit === 'bytes/s') return rate(row);
  if (unit === 'ms') return duration(row);
  return syncOptionTable[option].integer ? count(row, unit) : real(row, unit);
}

function boolean(option: BooleanOption, flag: string): Parameter<boolean> {
  const { default: standard, description } = syncOptionTable[option];
  return toggle({ role, flag, default: standard, description });
}

/** Rows of the parameter table that only sync reads, in the order of the docs. */
export const syncParameters = {
  'store.uri': text(
    {
      role,
      flag: 'store',
      default: '',
      placeholder: 'uri',
      description:
        'Where sealed segments go: dir:PATH (a folder, NAS or USB disk) or s3://bucket/prefix. Credentials ' +
        'come from the standard AWS chain only.',
    },
    'dir:PATH or s3://bucket/prefix',
    (value) => value === '' || /^[a-z][a-z0-9+.-]*:./i.test(value),
  ),
  'store.create_id': boolean('createStoreId', 'create-store-id'),
  'store.accept_new': boolean('acceptNewStore', 'accept-new-store'),
  's3.endpoint': text(
    {
      role,
      default: '',
      placeholder: 'url',
      description: 'Address of an S3-compatible server. Empty: AWS, as its region says.',
    },
    'an http:// or https:// address without credentials',
    (value) => value === '' || isPlainHttpAddress(value),
  ),
  's3.region': text({
    role,
    default: '',
    placeholder: 'name',
    description: 'Region. Empty: that of the standard AWS chain, else us-east-1.',
  }),
  's3.path_style': toggle({
    role,
    default: false,
    description: 'Puts the bucket into the path instead of the host name; most self-hosted servers need it.',
  }),
  's3.checksum': choice(
    {
      role,
      default: 'auto',
      description:
        'Whether parts carry a CRC-32 for the server to check: always (crc32), never (none), or unless the ' +
        'server refuses it (auto). Without, objects are verified by reading them back.',
    },
    ['auto', 'crc32', 'none'],
  ),
  'upload.order': choice(
    { role, default: syncOptionTable.order.default, description: syncOptionTable.order.description },
    syncOptionTable.order.allowed,
  ),
  'upload.part_bytes': number('partBytes', 'part-bytes'),
  'upload.parts_in_flight': number('partsInFlight', 'parts-in-flight'),
  'upload.parts_per_upload': number('partsPerUpload', 'parts-per-upload'),
  'upload.uploads_in_flight': number('uploadsInFlight', 'uploads-in-flight'),
  'upload.segments_in_flight': number('segmentsInFlight', 'segments-in-flight'),
  'upload.bandwidth_limit': number('bandwidthBytesPerS', 'bandwidth'),
  'upload.attempts_per_turn': number('attemptsPerTurn', 'attempts-per-turn'),
  'upload.stale_age_ms': number('staleUploadAgeMs', 'stale-upload-age'),
  'upload.retry_parked': boolean('retryParked', 'retry-parked'),
  'link.backoff_first_ms': number('backoffFirstMs', 'backoff-first'),
  'link.backoff_max_ms': number('backoffMaxMs', 'backoff-max'),
  'link.backoff_jitter': number('backoffJitter', 'backoff-jitter'),
  'link.idle_probe_ms': number('idleProbeMs', 'idle-probe'),
  'link.call_timeout_ms': number('callTimeoutMs', 'call-timeout'),
  poll_interval_ms: number('pollIntervalMs', 'poll-interval'),
  housekeeping_interval_ms: number('housekeepingIntervalMs', 'housekeeping-interval'),
} as const;

function isPlainHttpAddress(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}
