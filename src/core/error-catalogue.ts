/** The meaning of a code. */
export interface CatalogueEntry {
  /** Whether the same call can succeed later with the same input. */
  readonly retryable: boolean;
  /** What happened. */
  readonly meaning: string;
  /** What the reader should do next. */
  readonly remedy: string;
}

const entries = {
  INTERNAL: {
    retryable: false,
    meaning: 'Holdfast violated one of its own invariants. This is a bug.',
    remedy: 'Report the bug with the log. The data folder stays as it is.',
  },
  CONFIG_INVALID: {
    retryable: false,
    meaning:
      'The command line or the configuration file has values that are not allowed. The message lists all of them.',
    remedy: 'Correct the listed parameters. docs/parameters.md says what each one allows.',
  },
  KEY_INVALID: {
    retryable: false,
    meaning: 'A key file or a recipient is not valid. The message names the place and what is allowed.',
    remedy: 'Copy the key again as a whole, or make a new one with holdfast keygen.',
  },
  IDENTITY_MISSING: {
    retryable: false,
    meaning: 'A recording, or what a recorder has not sealed yet, is encrypted, and no given key fits.',
    remedy:
      'Give the key file of one of the recipients in the message with --identity. For wal/ and outbox/, give it in encryption.at_rest_key.',
  },
  CIPHERTEXT_CORRUPT: {
    retryable: false,
    meaning:
      'An encrypted file was changed, truncated or damaged. The message names the header or the chunk. Holdfast ' +
      'gives no byte of a chunk that fails.',
    remedy: 'Read another copy of it. holdfast verify finds damaged objects of a store without a key.',
  },
  RECEIPT_UNPROVEN: {
    retryable: false,
    meaning:
      'The signature of the receipt of a deletion is not one of the given keys, or the receipt was changed.',
    remedy: 'Get the receipt again from its signer, and give the verifying key that the signer published.',
  },
  DELETION_REFUSED: {
    retryable: false,
    meaning: 'A deletion did not start. The message says why: its plan no longer fits, or it is too large.',
    remedy: 'Run holdfast delete without --confirm, read the new plan, and confirm that one.',
  },
  SEGMENT_DELETED: {
    retryable: false,
    meaning:
      'A segment, or a part of it, was deleted on request from the store and not from the data folder, or the other way ' +
      'round. Sync does not upload it again, and it uploads no rest beside the whole.',
    remedy:
      'Delete the same in the other place too: holdfast delete with --data and --store. Nothing is uploaded meanwhile.',
  },
  DATA_FOLDER_BUSY: {
    retryable: true,
    meaning: 'Another process already runs as recorder or sync on this data folder.',
    remedy: 'Stop the other process, or use another data folder.',
  },
  DATA_FOLDER_UNUSABLE: {
    retryable: true,
    meaning: 'Holdfast cannot create, read or write the data folder.',
    remedy: 'Check the path and its permissions, and that the disk is mounted read-write.',
  },
  ROLE_NOT_RUNNING: {
    retryable: true,
    meaning: 'No recorder or sync process answers on this data folder.',
    remedy:
      'Start it. If it runs, check that --data names the same folder and that the same user runs both processes.',
  },
  REQUEST_INVALID: {
    retryable: false,
    meaning:
      'A control request has an invalid argument. The message gives the argument, its value and the allowed values.',
    remedy: 'Correct the argument and send the request again.',
  },
  STATE_REFUSED: {
    retryable: true,
    meaning: 'The process cannot do this in its current state. The message gives the state and the reason.',
    remedy:
      'Bring the process into the state that the message names, or wait until the current transition ends.',
  },
  REQUEST_UNSUPPORTED: {
    retryable: false,
    meaning: 'The process does not know this control request.',
    remedy: 'Use one of the requests that the message lists.',
  },
  DISK_FULL: {
    retryable: true,
    meaning: 'The disk or its quota has no room left for a write.',
    remedy: 'Free disk space, or let sync upload segments. Recording resumes by itself.',
  },
  SEGMENT_ID_INVALID: {
    retryable: false,
    meaning: 'A file or folder name contains an invalid segment id.',
    remedy: 'Restore the original name. Do not rename files in a data folder.',
  },
  DATA_FOLDER_GONE: {
    retryable: false,
    meaning:
      'The data folder was removed or replaced while a recorder wrote into it. The recorder ends within seconds.',
    remedy: 'Start it again: it makes a new data folder. Stop the recorder before its folder is removed.',
  },
  WAL_CLOSED: {
    retryable: false,
    meaning: 'The code used the WAL after it was closed. This is a bug.',
    remedy: 'Report the bug with the log.',
  },
  WAL_WRITE_FAILED: {
    retryable: true,
    meaning: 'A commit did not become durable. Holdfast closes the segment and opens a new one.',
    remedy: 'Look at the cause: a full disk, a read-only file system or an I/O error.',
  },
  WAL_ENCODE_FAILED: {
    retryable: false,
    meaning:
      'A message or a gap has no form in the WAL. It is left out and counted as `invalid_message`; the rest is recorded.',
    remedy: 'Report the source it came from, with the log.',
  },
  WAL_CORRUPT: {
    retryable: false,
    meaning: 'A WAL segment has bytes that fail their checksum, their chain or their format.',
    remedy:
      'Read the report in quarantine/. Holdfast salvaged the readable records and kept the segment. Check the disk.',
  },
  MANIFEST_INVALID: {
    retryable: false,
    meaning:
      'A manifest or another document of Holdfast is not valid JSON, one of its fields is missing or not what its ' +
      'schema allows, or it lies at another place than its own.',
    remedy: 'Run `holdfast verify` on the recording. The segment itself may be intact.',
  },
  SEGMENT_CORRUPT: {
    retryable: false,
    meaning: 'A sealed segment does not match the size, SHA-256, CRC or counts in its manifest.',
    remedy: 'Keep both files. Fetch the verified copy from the store if there is one.',
  },
  MCAP_UNREADABLE: {
    retryable: false,
    meaning: 'An MCAP file is truncated, corrupt or compressed with an unknown method.',
    remedy:
      'Holdfast reads what is readable, and the message says how much is not. Check where the file comes from.',
  },
  SEAL_FAILED: {
    retryable: true,
    meaning:
      'Holdfast could not write a WAL segment as MCAP. The segment stays in the WAL, and sealing is tried again.',
    remedy: 'Look at the cause.',
  },
  TRANSFORM_FAILED: {
    retryable: false,
    meaning:
      'A rule of sync.transform could not be applied to a segment. Nothing of the segment was sent, and it stays in ' +
      'the data folder. The message has the rule, the topic and the reason.',
    remedy:
      'Correct the rule, or drop the topic, and start sync with --retry-parked. docs/transform.md says what each rule allows.',
  },
  TRANSFORM_PROCESS_FAILED: {
    retryable: true,
    meaning:
      'A program of sync.transform crashed, exceeded a limit or broke the protocol. Nothing of the segment was sent. ' +
      'It is tried again twice, and then parked with TRANSFORM_FAILED.',
    remedy:
      'Look at the reason in the message. docs/transform-process.md describes the protocol and the limits.',
  },
  SOURCE_UNKNOWN: {
    retryable: false,
    meaning: 'No source supports this URI.',
    remedy: 'Use one of the sources that the message lists. docs/sources.md describes them.',
  },
  SOURCE_UNREADABLE: {
    retryable: false,
    meaning: 'A source cannot be opened, or it has an unknown format.',
    remedy: 'Check the path or the address.',
  },
  SOURCE_DISCONNECTED: {
    retryable: true,
    meaning: 'Holdfast lost the connection to a source.',
    remedy: 'Check the other side if this lasts. Holdfast reconnects by itself.',
  },
  SCHEMA_MISSING: {
    retryable: false,
    meaning: 'A channel has no schema. Holdfast records its messages but cannot decode them.',
    remedy: 'Provide the message definition at the source.',
  },
  OUTPUT_UNUSABLE: {
    retryable: false,
    meaning: 'The output exists already, cannot be written, or exceeds what its format can hold.',
    remedy: 'Choose another path, or narrow the selection.',
  },
  QUERY_UNAVAILABLE: {
    retryable: false,
    meaning: 'DuckDB runs the queries, and it is not installed or does not load on this machine.',
    remedy: 'Run `npm install @duckdb/node-api` on a system that DuckDB supports.',
  },
  QUERY_INVALID: {
    retryable: false,
    meaning:
      'DuckDB refuses the SQL, or the SQL asks for something that a query may not do. The message comes from DuckDB.',
    remedy: 'Correct the SQL. `holdfast query --list` shows the views and their columns.',
  },
  QUERY_FAILED: {
    retryable: true,
    meaning: 'DuckDB could not finish a valid query. The message comes from DuckDB.',
    remedy: 'Raise --memory-limit, free disk space, or select less data.',
  },
  STORE_UNKNOWN: {
    retryable: false,
    meaning: 'No store supports this URI.',
    remedy: 'Use dir:PATH, s3://bucket/prefix, azure://account/container/prefix or sftp://host/path.',
  },
  STORE_UNAVAILABLE: {
    retryable: false,
    meaning: 'The client library of this kind of store or source is not installed, or does not load.',
    remedy:
      'Run `npm install @azure/storage-blob` for an `azure:` store, `npm install ssh2` for an `sftp:` store, or `npm install @platformatic/kafka` for Kafka.',
  },
  STORE_OFFLINE: {
    retryable: true,
    meaning:
      'The store does not answer, or its id object is absent, for example because a disk is not mounted.',
    remedy:
      'Check the link or mount the disk. Holdfast tries again with backoff and keeps every local copy until then.',
  },
  STORE_MISMATCH: {
    retryable: false,
    meaning: 'The store has another id than the one that this data folder knows.',
    remedy: 'Point the URI at the right store, or accept the new store with --accept-new-store.',
  },
  STORE_COPIED: {
    retryable: false,
    meaning: 'Two sinks have stores of one id: one place spelled twice, or a store and its copy.',
    remedy:
      'Remove one of the sinks; or give the copy an id of its own: delete its `.holdfast/` and start sync again.',
  },
  STORE_ACCESS_DENIED: {
    retryable: false,
    meaning: 'The store refuses the credentials or lacks a permission for them.',
    remedy:
      'Check the AWS credential chain and the policy of the bucket, the key or signature of the Azure account, or ' +
      'the token of the sink.',
  },
  STORE_NOT_FOUND: {
    retryable: false,
    meaning: 'The bucket, container, folder or database does not exist.',
    remedy: 'Create it. Holdfast creates prefixes but never buckets, containers or databases.',
  },
  STORE_BUSY: {
    retryable: true,
    meaning: 'The store asks for fewer requests (429, 503 SlowDown) or has an internal error (500).',
    remedy: 'Wait. Holdfast tries again with backoff.',
  },
  STORE_REJECTED: {
    retryable: false,
    meaning: 'The store refuses this request permanently (400, invalid key, entity too large).',
    remedy: 'Look at the message. Holdfast parks the segment with an alarm and continues with the others.',
  },
  STORE_FULL: {
    retryable: true,
    meaning: 'The store has no room left, or its quota is used up.',
    remedy: 'Free space in the store. Uploads resume by themselves.',
  },
  OBJECT_EXISTS: {
    retryable: false,
    meaning: 'A conditional write found an object at its key (412).',
    remedy: 'Nothing to do if the bytes are equal: Holdfast compares them. Otherwise look at the alarm.',
  },
  OBJECT_MISSING: {
    retryable: false,
    meaning: 'The store has no object at this key.',
    remedy: 'Run `holdfast verify --store`.',
  },
  OBJECT_CONFLICT: {
    retryable: true,
    meaning: 'Another conditional write to the same key won (409).',
    remedy: 'Nothing to do. Holdfast starts the upload over.',
  },
  OBJECT_CORRUPT: {
    retryable: true,
    meaning: 'The object in the store has another checksum than the local file.',
    remedy: 'Check the store if this happens again. Holdfast keeps the local copy and uploads it again.',
  },
  UPLOAD_UNKNOWN: {
    retryable: true,
    meaning: 'The store no longer knows this multipart upload (NoSuchUpload).',
    remedy: 'Nothing to do. Holdfast looks for the object and starts the upload over if it is absent.',
  },
  UPLOAD_MISMATCH: {
    retryable: true,
    meaning: 'The store does not have the parts that the upload consists of (InvalidPart).',
    remedy: 'Nothing to do. Holdfast lists the parts again, or aborts the upload and starts over.',
  },
  ROS_NOT_SOURCED: {
    retryable: false,
    meaning: 'A ROS 2 source was requested, but no ROS 2 environment is sourced in this process.',
    remedy:
      'Run `source /opt/ros/<distro>/setup.bash` (and your workspace) in the shell that starts Holdfast.',
  },
  ROS_NOT_BUILT: {
    retryable: false,
    meaning: 'The native part of rclnodejs is missing or does not load on this machine.',
    remedy: 'Run `npm rebuild rclnodejs --ignore-scripts=false` in a shell with ROS 2 sourced.',
  },
  ROS_DISTRO_MISMATCH: {
    retryable: false,
    meaning: 'The native part of rclnodejs was built for another ROS distribution than the sourced one.',
    remedy: 'Source the distribution that it was built for, or build it again.',
  },
  ROS_UNUSABLE: {
    retryable: true,
    meaning: 'The ROS middleware could not create a node.',
    remedy:
      'Check RMW_IMPLEMENTATION, ROS_DOMAIN_ID, the network settings and the number of ROS processes on this machine. With SROS2, check that the enclave has keys, and that the keystore was made for this ROS_DOMAIN_ID.',
  },
  LOGGER_QUEUE_FULL: {
    retryable: true,
    meaning:
      'A logger of a control program had no room for new entries. Holdfast counts them and records a gap.',
    remedy: 'Check the disk. A larger queueEntries bridges longer stalls.',
  },
  LOGGER_INPUT_INVALID: {
    retryable: false,
    meaning:
      'A control program logged an invalid entry: a wrong type, a missing field, a value that is too long, or an entry after close.',
    remedy: 'Correct the first invalid field. The message names it and says what is allowed.',
  },
  LOGGER_CSV_FAILED: {
    retryable: true,
    meaning: 'A logger cannot write its CSV files. Its entries wait in their queues.',
    remedy: 'Check the folder and its disk. Writing resumes by itself.',
  },
  LOGGER_WAL_FAILED: {
    retryable: true,
    meaning: 'A logger cannot write its recording. Its entries wait in their queues.',
    remedy: 'Check the data folder and its disk. Recording resumes by itself.',
  },
  LOGGER_THREAD_DIED: {
    retryable: true,
    meaning: 'The writer thread of the loggers died. Holdfast starts it again.',
    remedy: 'Nothing to do. Report it if it happens again.',
  },
  GROUND_UNREACHABLE: {
    retryable: true,
    meaning: 'The robot cannot connect to the ground service.',
    remedy:
      'Check ground.url, the network, and that holdfast ground runs. The robot keeps trying; recording continues.',
  },
  GROUND_REFUSED: {
    retryable: true,
    meaning: 'The ground service does not accept the token of the robot.',
    remedy:
      'Enrol the robot with holdfast ground enrol, and put the token into the file of ground.token_file.',
  },
  GROUND_UNTRUSTED: {
    retryable: true,
    meaning: 'The robot does not trust the certificate of the ground service.',
    remedy:
      'Put the certificate of the ground, or of the authority that signed it, into the file of ground.certificate_file. Check its names and dates, and the clock of the robot. The robot keeps trying; recording continues.',
  },
  GROUND_BUS_UNREACHABLE: {
    retryable: true,
    meaning: 'The ground cannot connect to NATS.',
    remedy: 'Check --bus, --bus-creds, the network and the server, and start the ground again.',
  },
  GROUND_DATABASE_UNREACHABLE: {
    retryable: true,
    meaning: 'The ground cannot reach its PostgreSQL database, or the connection ended.',
    remedy:
      'Check --database, the network and the server. A running ground tries again; robots keep what is not stored.',
  },
  GROUND_DATABASE_UNUSABLE: {
    retryable: false,
    meaning:
      'The ground cannot use its PostgreSQL database: there is no server program, it does not start, its version or its schema does not fit, or it refuses the login.',
    remedy:
      'Follow the message. --database postgres://... selects another server, and --database none runs the ground without history.',
  },
  GROUND_DATABASE_FAILED: {
    retryable: false,
    meaning: 'The database of the ground refused a statement.',
    remedy: 'Check the space and the limits of the server. Report it if it happens again.',
  },
  V2V_SEND_FAILED: {
    retryable: true,
    meaning: 'Holdfast could not send a vehicle-to-vehicle datagram or estimation.',
    remedy:
      'Check the network interface, and that all numbers are finite. The next datagram is sent as usual.',
  },
  V2V_DATAGRAM_REFUSED: {
    retryable: false,
    meaning: 'Holdfast refused a vehicle-to-vehicle datagram of another sender.',
    remedy: 'Check the format (docs/udp.md), the key and the clock of the sender.',
  },
  V2V_NAME_TAKEN: {
    retryable: false,
    meaning: 'Another vehicle of the group sends under the id of this one.',
    remedy: 'Give each vehicle an id of its own.',
  },
  V2V_CALLBACK_FAILED: {
    retryable: false,
    meaning: 'A logger or callback that was given to V2vManager threw an error.',
    remedy: 'Correct the callback. Holdfast counts the datagram and passes on the next one as usual.',
  },
} as const satisfies Record<string, CatalogueEntry>;

/** Stable name of a kind of error: a key of {@link errorCatalogue}. docs/errors.md lists all of them. */
export type ErrorCode = keyof typeof entries;

/** Every error code of the product. docs/errors.md is generated from this table. */
export const errorCatalogue: Readonly<Record<ErrorCode, CatalogueEntry>> = entries;
