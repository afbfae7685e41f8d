import { defined } from '../core/defined.js';
import { isTimeZone } from '../core/send-policy/local-time.js';
import { passClasses } from '../core/send-policy/send-class.js';
import { STORE_FORMS } from '../core/store-uri.js';
import {
  encryptionModes,
  isKmsKeyId,
  isStorageClass,
  KMS_KEY_FORM,
  parseTags,
  STORAGE_CLASS_FORM,
  TAGS_FORM,
} from '../stores/s3/new-objects.js';
import { checksumModes } from '../stores/s3/s3-options.js';
import { syncOptionTable, type SyncOptions } from '../sync/sync-options.js';
import {
  alternatives,
  bytes,
  choice,
  choices,
  count,
  duration,
  rate,
  real,
  text,
  texts,
  toggle,
  transformRules,
  type Parameter,
} from './parameter.js';
import { SINK_FORM } from './sink-spec.js';

const role = 'sync';

type NumericOption = {
  [K in keyof SyncOptions]: SyncOptions[K] extends number ? K : never;
}[keyof SyncOptions];
type BooleanOption = {
  [K in keyof SyncOptions]: SyncOptions[K] extends boolean ? K : never;
}[keyof SyncOptions];

/** A row of the sync layer's own table, which has defaults and limits. */
function number(option: NumericOption, flag?: string): Parameter<number> {
  const { unit, integer: _, ...rule } = syncOptionTable[option];
  const row = { role, ...rule, ...defined({ flag }) } as const;
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
        'Where sealed segments go: dir:PATH (a folder, NAS or USB disk), s3://bucket/prefix, ' +
        'azure://account/container/prefix or sftp://host/path. Credentials come from the environment only (for S3, the standard AWS chain).',
    },
    STORE_FORMS,
    (value) => value === '' || /^[a-z][a-z0-9+.-]*:./i.test(value),
  ),
  'store.create_id': boolean('createStoreId', 'create-store-id'),
  'store.accept_new': boolean('acceptNewStore', 'accept-new-store'),
  sinks: texts(
    {
      role,
      flag: 'sink',
      description:
        'Further places every sealed segment goes to, each with its own progress: mcap:STORE (a replica, or a tier ' +
        'with some topics), parquet:STORE (tables, docs/lake.md), influx:http://host (points of a time-series ' +
        'database, docs/time-series.md) or kafka://host:port/topic (messages, docs/kafka.md), with ?option=value&... such as required=no, topics=*/imu,/tf, robots=, ' +
        'priority=high, for Parquet compression=, row_group=, descriptors=, and for points db= or org=, bucket=. A local copy stays until every required one holds it.',
    },
    'sink',
    SINK_FORM,
  ),
  more_data: texts(
    {
      role,
      description: 'Further data folders that this sync process serves. On the command line, repeat --data.',
    },
    'folder',
    'paths',
  ),
  's3.endpoint': text(
    {
      role,
      default: '',
      placeholder: 'url',
      description: 'Address of an S3-compatible server. Empty: AWS, or the value of AWS_ENDPOINT_URL_S3.',
    },
    'an http:// or https:// address without credentials',
    (value) => value === '' || isPlainHttpAddress(value),
  ),
  's3.region': text(
    {
      role,
      default: '',
      placeholder: 'name',
      description: 'Region. Empty: the region of the standard AWS chain, or us-east-1 if an endpoint is set.',
    },
    'letters, digits and -',
    (value) => /^[A-Za-z0-9-]{0,64}$/.test(value),
  ),
  's3.path_style': choice(
    {
      role,
      default: 'auto',
      description: 'Puts the bucket into the path instead of the host name. auto: if an endpoint is set.',
    },
    ['auto', 'true', 'false'],
  ),
  's3.checksum': choice(
    {
      role,
      default: 'auto',
      description:
        'How parts and objects are protected: with a CRC-32 the store computes too (crc32), only where an ' +
        'operation demands it (when-required, objects are read back), not even signed (none, over https ' +
        'only), or crc32 until the store refuses it (auto).',
    },
    checksumModes,
  ),
  's3.conditional': toggle({
    role,
    default: true,
    description:
      'States that the store honours If-None-Match. false: Holdfast checks first and then writes, which is not atomic.',
  }),
  's3.connect_timeout_ms': duration({
    role,
    default: 10_000,
    min: 100,
    max: 300_000,
    description: 'Maximum time to establish a connection.',
  }),
  's3.timeout_ms': duration({
    role,
    default: 30_000,
    min: 100,
    max: 3_600_000,
    description: 'Maximum time without a transferred byte before a call fails.',
  }),
  's3.max_sockets': count(
    {
      role,
      default: 16,
      min: 1,
      max: 256,
      description: 'Maximum number of connections. Further calls wait for one.',
    },
    'connections',
  ),
  's3.ca_file': text({
    role,
    default: '',
    placeholder: 'file',
    description:
      "PEM file of the authority that signed the server's certificate. Empty: what the system knows.",
  }),
  's3.sse': choice(
    {
      role,
      default: 'auto',
      description: 'Server-side encryption of new objects. auto: what the bucket does by itself.',
    },
    ['auto', ...encryptionModes],
  ),
  's3.sse_kms_key_id': text(
    {
      role,
      default: '',
      placeholder: 'id',
      description: 'Key for s3.sse aws:kms and aws:kms:dsse. Empty: the default key of the bucket.',
    },
    KMS_KEY_FORM,
    (value) => value === '' || isKmsKeyId(value),
  ),
  's3.storage_class': text(
    {
      role,
      default: '',
      placeholder: 'class',
      description: 'Storage class of new objects, as the store calls it. Empty: the default of the bucket.',
    },
    STORAGE_CLASS_FORM,
    (value) => value === '' || isStorageClass(value),
  ),
  's3.tags': text(
    {
      role,
      default: '',
      placeholder: 'tags',
      description:
        'Tags of new objects, as name=value,name=value, for rules of the store about cost and age.',
    },
    TAGS_FORM,
    (value) => value === '' || parseTags(value) !== undefined,
  ),
  'sync.upload': choice(
    {
      ...{ role, flag: 'upload', default: syncOptionTable.upload.default },
      description:
        'What is uploaded without a request: every segment (all), those that overlap marked events (events), or none (requested). ' +
        'The rest stays in the data folder until it is requested (docs/fetch.md) or evicted. A sink may have its own, as the option upload.',
    },
    syncOptionTable.upload.allowed,
  ),
  'sync.when': alternatives({
    ...{ role, flag: 'when' },
    description:
      'When segments are sent (docs/send-policy.md): all conditions of one of these must hold. A condition that cannot be known counts as not met. ' +
      'Empty: at any time. A sink may have its own, as the option when.',
  }),
  'sync.budget': number('budgetBytesPerDay', 'budget'),
  'sync.pass': choices(
    {
      ...{ role, flag: 'pass' },
      description:
        'Segments that are sent although conditions are not met or the budget is spent: those that overlap marked events (events), those of high priority (high), ' +
        'and those that somebody requested (requested). A sink may have its own, as the option pass.',
    },
    'class',
    passClasses,
  ),
  'sync.time_zone': text(
    {
      role,
      default: '',
      placeholder: 'name',
      description: syncOptionTable.timeZone.description,
    },
    syncOptionTable.timeZone.form,
    isTimeZone,
  ),
  'sync.condition_poll_ms': number('conditionPollMs'),
  'sync.topic_max_age_ms': number('topicMaxAgeMs'),
  'sync.transform': transformRules({
    ...{ role, flag: 'transform', isReadByBoth: true as const },
    description:
      'What is changed before segments leave (docs/transform.md), by topic and in this order: topics and fields are dropped, texts emptied or hashed, ' +
      'numbers and positions rounded. Sealed segments stay as they are. Empty: segments leave as they are. A sink can be excepted with its option transform=no.',
  }),
  'sync.hash_key': text(
    {
      ...{ role, flag: 'hash-key' },
      default: '',
      placeholder: 'file',
      description:
        'File with the secret key of hash= in sync.transform, at least 16 bytes. Robots with the same key give a text the same hash.',
    },
    'a path',
  ),
  'sync.original': choice(
    {
      role,
      default: 'keep',
      description:
        'What happens here to a segment that left changed: it stays until retention must take it, and counts as stored nowhere (keep), ' +
        'or it counts as stored once its changed copy is (release).',
    },
    ['keep', 'release'],
  ),
  'sync.transform_cache': bytes({
    role,
    default: 256 * 1024 * 1024,
    min: 0,
    max: 1e12,
    description:
      'Changed segments that stay in transformed/ of each data folder, so that another sink or a later attempt need not make them again. 0: none.',
  }),
  'sync.recipients': texts(
    {
      ...{ role, flag: 'recipient' },
      description:
        'Who can read what is uploaded (docs/encryption.md): every segment is encrypted for each of them before it leaves. ' +
        'Empty: segments leave as they are. A sink can be excepted with its option encrypt=no.',
    },
    'recipient',
    'hfpub1_... as holdfast keygen prints it, or file:PATH of a file with recipients or symmetric keys',
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
  'upload.refused_rounds': number('refusedRounds', 'refused-rounds'),
  'upload.max_retries': number('maxRetries', 'max-retries'),
  'upload.stale_age_ms': number('staleUploadAgeMs', 'stale-upload-age'),
  'upload.retry_parked': boolean('retryParked', 'retry-parked'),
  'upload.acknowledge_lost': boolean('acknowledgeLost', 'acknowledge-lost'),
  'link.backoff_first_ms': number('backoffFirstMs', 'backoff-first'),
  'link.backoff_max_ms': number('backoffMaxMs', 'backoff-max'),
  'link.backoff_jitter': number('backoffJitter', 'backoff-jitter'),
  'link.idle_probe_ms': number('idleProbeMs', 'idle-probe'),
  'link.call_timeout_ms': number('callTimeoutMs', 'call-timeout'),
  poll_interval_ms: number('pollIntervalMs', 'poll-interval'),
  housekeeping_interval_ms: number('housekeepingIntervalMs', 'housekeeping-interval'),
  request_poll_ms: number('requestPollMs'),
  scrub_per_hour: number('scrubPerHour', 'scrub-per-hour'),
} as const;

function isPlainHttpAddress(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const url = new URL(value);
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
}
