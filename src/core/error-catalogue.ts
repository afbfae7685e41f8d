interface CatalogueEntry {
  /** Whether the same call can succeed later without anyone changing its input. */
  readonly retryable: boolean;
  readonly meaning: string;
  readonly remedy: string;
}

/** Every error code of the product. docs/errors.md is generated from this table. */
export const errorCatalogue = {
  INTERNAL: {
    retryable: false,
    meaning: 'Holdfast broke one of its own rules.',
    remedy: 'Report it with the log.',
  },
  CONFIG_INVALID: {
    retryable: false,
    meaning: 'Options or the configuration file hold values that are not allowed; all are listed.',
    remedy: 'Correct the listed parameters; docs/parameters.md says what is allowed.',
  },
  DATA_FOLDER_BUSY: {
    retryable: true,
    meaning: 'Another process holds this role (recorder or sync) on the data folder.',
    remedy: 'Stop the other process, or use another data folder.',
  },
  DATA_FOLDER_UNUSABLE: {
    retryable: true,
    meaning: 'The data folder cannot be created, read or written.',
    remedy: 'Check the path, its permissions and that the disk is mounted read-write.',
  },
  ROLE_NOT_RUNNING: {
    retryable: true,
    meaning: 'No process of this role (recorder or sync) listens on the data folder, or it does not answer.',
    remedy: 'Start it, or check that --data names the same folder and the same user runs both.',
  },
  REQUEST_INVALID: {
    retryable: false,
    meaning:
      'What a request was given with is not allowed; the message names the thing, its value and what is.',
    remedy: 'Correct the request.',
  },
  STATE_REFUSED: {
    retryable: true,
    meaning: 'What was asked is not possible in the state the process is in; the message says why.',
    remedy: 'Bring it into the state the message names, or wait for the transition under way.',
  },
  REQUEST_UNSUPPORTED: {
    retryable: false,
    meaning: 'The process does not know this control request.',
    remedy: 'Use one of the requests the message lists.',
  },
  DISK_FULL: {
    retryable: true,
    meaning: 'The disk (or quota) has no room for what must be written.',
    remedy: 'Free space or let sync upload; recording resumes by itself.',
  },
  SEGMENT_ID_INVALID: {
    retryable: false,
    meaning: 'A name that should be a segment id is none.',
    remedy: 'Do not rename files inside the data folder.',
  },
  WAL_CLOSED: {
    retryable: false,
    meaning: 'The WAL was used after it was closed.',
    remedy: 'Report it with the log.',
  },
  WAL_WRITE_FAILED: {
    retryable: true,
    meaning: 'A commit could not be made durable. The segment is closed and a new one is opened.',
    remedy: 'See the cause (disk full, read-only, I/O error).',
  },
  WAL_CORRUPT: {
    retryable: false,
    meaning: 'A WAL segment holds bytes that fail their checksum, chain or format.',
    remedy: 'Readable records were salvaged; the segment is kept in quarantine/ with a report.',
  },
  MANIFEST_INVALID: {
    retryable: false,
    meaning: 'A manifest does not parse, or a field is missing or of the wrong type.',
    remedy: 'Run `holdfast verify`; the segment itself may be intact.',
  },
  SEGMENT_CORRUPT: {
    retryable: false,
    meaning: 'A sealed segment does not match its manifest (size, SHA-256, CRC or counts).',
    remedy: 'Keep both files; fetch the verified copy from the store if there is one.',
  },
  MCAP_UNREADABLE: {
    retryable: false,
    meaning: 'An MCAP is truncated or corrupt, or uses an unknown compression.',
    remedy: 'What can be read is read; the message says how much could not be.',
  },
  SEAL_FAILED: {
    retryable: true,
    meaning: 'A WAL segment could not be turned into MCAP. It stays in the WAL and is tried again.',
    remedy: 'See the cause.',
  },
  SOURCE_UNKNOWN: {
    retryable: false,
    meaning: 'No source understands this URI.',
    remedy: 'Use one of those the message lists; docs/sources.md describes them.',
  },
  SOURCE_UNREADABLE: {
    retryable: false,
    meaning: 'A source cannot be opened or its format is not understood.',
    remedy: 'Check the path or address.',
  },
  SOURCE_DISCONNECTED: {
    retryable: true,
    meaning: 'The connection to a source was lost.',
    remedy: 'It reconnects by itself.',
  },
  SCHEMA_MISSING: {
    retryable: false,
    meaning: 'A channel has no schema, so its payload can be recorded but not decoded.',
    remedy: 'Provide the definition at the source.',
  },
  OUTPUT_UNUSABLE: {
    retryable: false,
    meaning: 'What should be written exists already, cannot be written, or exceeds what its format can hold.',
    remedy: 'Choose another path, or narrow the selection.',
  },
  QUERY_UNAVAILABLE: {
    retryable: false,
    meaning: 'DuckDB, which runs queries, is not installed or cannot be loaded here.',
    remedy: 'npm install @duckdb/node-api, on a system it has a library for.',
  },
  QUERY_INVALID: {
    retryable: false,
    meaning: 'DuckDB refuses the SQL, or it asks for what a query may not do; the message is DuckDB’s.',
    remedy: 'Correct the SQL; `holdfast query --list` shows the views and their columns.',
  },
  QUERY_FAILED: {
    retryable: true,
    meaning: 'A query that was well formed could not be carried out; the message is DuckDB’s.',
    remedy: 'See the message: raise --memory-limit, free disk space, or ask for less.',
  },
  STORE_UNKNOWN: {
    retryable: false,
    meaning: 'No store understands this URI.',
    remedy: 'Use dir:PATH or s3://bucket/prefix.',
  },
  STORE_OFFLINE: {
    retryable: true,
    meaning: 'The store cannot be reached, or its id object is absent (an unmounted disk).',
    remedy: 'It is tried again with backoff; nothing local is evicted meanwhile.',
  },
  STORE_MISMATCH: {
    retryable: false,
    meaning: 'The store carries another id than the one this data folder knows.',
    remedy: 'Point the URI at the right store, or accept the new one explicitly.',
  },
  STORE_ACCESS_DENIED: {
    retryable: false,
    meaning: 'The store refuses the credentials or the permission.',
    remedy: 'Check the AWS credential chain and the bucket policy.',
  },
  STORE_NOT_FOUND: {
    retryable: false,
    meaning: 'The bucket or folder does not exist.',
    remedy: 'Create it; Holdfast creates prefixes, never buckets.',
  },
  STORE_BUSY: {
    retryable: true,
    meaning: 'The store asks to slow down (429, 503 SlowDown) or had an internal error (500).',
    remedy: 'It is tried again with backoff.',
  },
  STORE_REJECTED: {
    retryable: false,
    meaning: 'The store refuses this request for good (400, invalid key, entity too large).',
    remedy: 'The segment is parked with an alarm; others go on.',
  },
  STORE_FULL: {
    retryable: true,
    meaning: 'The store has no room left (disk full, quota).',
    remedy: 'Free space in the store; uploading resumes by itself.',
  },
  OBJECT_EXISTS: {
    retryable: false,
    meaning: 'A conditional write found an object at the key (412).',
    remedy: 'Its bytes are compared; equal bytes count as done.',
  },
  OBJECT_MISSING: {
    retryable: false,
    meaning: 'No object at this key.',
    remedy: 'Run `holdfast verify --store`.',
  },
  OBJECT_CONFLICT: {
    retryable: true,
    meaning: 'A concurrent conditional write won (409).',
    remedy: 'The upload starts over.',
  },
  OBJECT_CORRUPT: {
    retryable: true,
    meaning: 'The object in the store does not have the checksum of the local file.',
    remedy: 'It is uploaded again; the local copy stays.',
  },
  UPLOAD_UNKNOWN: {
    retryable: true,
    meaning: 'The store no longer knows this multipart upload (NoSuchUpload).',
    remedy: 'The object is compared; if it is not there, the upload starts over.',
  },
  UPLOAD_MISMATCH: {
    retryable: true,
    meaning: 'The store does not have the parts it was told to assemble (InvalidPart).',
    remedy: 'The parts are listed again, or the upload is aborted and starts over.',
  },
  ROS_NOT_SOURCED: {
    retryable: false,
    meaning: 'ROS 2 is asked for, but the environment of this process does not hold it.',
    remedy: 'Run `source /opt/ros/<distro>/setup.bash` (and your workspace) in the shell that starts it.',
  },
  ROS_NOT_BUILT: {
    retryable: false,
    meaning: 'The native part of rclnodejs is missing or does not load here.',
    remedy: 'Run `npm rebuild rclnodejs --ignore-scripts=false` where ROS 2 is sourced.',
  },
  ROS_DISTRO_MISMATCH: {
    retryable: false,
    meaning: 'The native part of rclnodejs was built for another ROS distribution than the one sourced.',
    remedy: 'Source the distribution it was built for, or build it again.',
  },
  ROS_UNUSABLE: {
    retryable: true,
    meaning: 'The ROS middleware refused to start a node.',
    remedy: 'Check RMW_IMPLEMENTATION, ROS_DOMAIN_ID, the network settings and the number of processes.',
  },
  LOGGER_QUEUE_FULL: {
    retryable: true,
    meaning: 'A logger of a control program had no room for entries; they are counted and leave a gap.',
    remedy: 'Look at the disk; a larger queueEntries rides out longer stalls.',
  },
  LOGGER_INPUT_INVALID: {
    retryable: false,
    meaning: 'A control program logged what cannot be taken (wrong type, missing, too long, after close).',
    remedy: 'The message names the first field at fault and what is allowed.',
  },
  LOGGER_CSV_FAILED: {
    retryable: true,
    meaning: 'CSV files of a logger cannot be written; entries wait in its queues meanwhile.',
    remedy: 'Check the folder and its disk; writing goes on by itself.',
  },
  LOGGER_WAL_FAILED: {
    retryable: true,
    meaning: 'The recording of a logger cannot be written; entries wait in its queues meanwhile.',
    remedy: 'Check the data folder and its disk; recording goes on by itself.',
  },
  LOGGER_THREAD_DIED: {
    retryable: true,
    meaning: 'The thread that writes for the loggers of a process died; it is started again.',
    remedy: 'Nothing to do; report it where it happens again.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof errorCatalogue;
