import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import {
  readConfirmationRequest,
  writeConfirmationRequest,
  CONFIRM_FILE,
} from '../../src/core/confirmation.js';
import { dataFolder } from '../../src/core/data-folder.js';
import { decodeEvent, encodeEvent } from '../../src/core/event-files.js';
import { KNOWN_STORES_FILE, knownStoreFiles } from '../../src/core/known-stores.js';
import {
  decodeLakeChange,
  decodeLakeSegment,
  encodeLake,
  type LakeChange,
  type LakeSegment,
} from '../../src/core/lake-manifest.js';
import { decodeManifest, encodeManifest, type Manifest } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { contentRecords, encodeRecord, type ContentRecord } from '../../src/sync/content-record.js';
import { receiptFiles, type StoreReceipt } from '../../src/core/receipt-file.js';
import { readRequiredSinks, SINKS_FILE, writeRequiredSinks, type RequiredSink } from '../../src/core/sink.js';
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  type FetchAnswer,
  type FetchRequest,
} from '../../src/core/fetch-request.js';
import { readTagFile, TAG_FILE, writeTagFile } from '../../src/core/tag-file.js';
import { LIMITS_FILE, readLimits, writeLimits } from '../../src/core/space-limits.js';
import { writeKnownStore } from '../../src/sync/known-stores.js';
import { decodeProgress, encodeProgress, type ProgressRecord } from '../../src/sync/progress-record.js';
import { Receipts } from '../../src/sync/receipts.js';
import { SerialQueue } from '../../src/core/serial-queue.js';
import { readHead, writeHead, type WalHead } from '../../src/wal/wal-head.js';
import { identity } from '../wal/wal-support.js';
import { goldenDeletion } from './golden-deletion.js';
import { textDocument, type GoldenDocument } from './golden-document.js';
import { goldenGround } from './golden-ground.js';
import { goldenMessages } from './golden-messages.js';
import { goldenPolicy, policy } from './golden-policy.js';

const hex = (digit: string, length = 64): string => digit.repeat(length);
const STORE = hex('e', 32);
const NAME = '000000000006-0123456789abcdef0123456789abcdef.squid';
const id = '000000000006-0123456789abcdef0123456789abcdef' as Manifest['segment']['id'];
const key = `robot=squid/date=2023-11-14/hour=22/${NAME}.mcap`;
const gap = {
  ...({ id: 'golden-gap', reason: 'queue_full_drop_oldest', robot: 'squid', topic: '/scan' } as const),
  ...{ count: 2 ** 33, bytes: 2 ** 45, firstTime: '1700000000000000001', lastTime: '1700000000000000002' },
  ...{ firstSourceSequence: 1, lastSourceSequence: 2 ** 34, settledThrough: 2 ** 34, detail: 'détail' },
} as const;
const event = { id: hex('f', 32), label: 'hard stop – Größe', at: '30', from: '10', to: '40' };

/** Every member that the version knows. */
const manifest: Manifest = {
  format: 'holdfast-manifest',
  version: 1,
  segment: { id, number: 6, priority: 'high', salvagedFrom: id },
  robot: 'squid',
  file: { name: `${NAME}.mcap`, bytes: 70_123, sha256: hex('a'), crc32: 0xffff_fffe, compression: 'zstd' },
  key,
  messages: 3,
  payloadBytes: 70_300,
  firstLogTime: '1700000000001000000',
  lastLogTime: '18446744073709551615',
  firstSequence: 101,
  lastSequence: 104,
  channels: [
    {
      ...{ topic: '/scan', type: 'std_msgs/msg/String', encoding: 'cdr', schemaEncoding: 'ros2msg' },
      ...{ latched: false, count: 3, bytes: 70_300, carried: 0 },
      ...{ firstLogTime: '1700000000001000000', lastLogTime: '18446744073709551615' },
      ...{ firstSourceSequence: 2 ** 34 + 1, lastSourceSequence: 2 ** 34 + 2 },
    },
    {
      ...{ topic: '/état', type: '', encoding: 'json', schemaEncoding: '', latched: true },
      ...{ count: 0, bytes: 0, carried: 1 },
    },
  ],
  gaps: [gap],
  events: [event],
  identity,
  clockSteps: [{ at: '1700000000000000000', stepNs: '-1500000000' }],
  uncleanEnd: true,
  sealedAt: '1700000100000000000',
  software: { name: 'holdfast', version: '0.1.0', node: 'v20' },
};
/** A manifest with what version 1 has gained since. */
const TAGGED = NAME.replace('000000000006', '000000000008');
const taggedId = id.replace('000000000006', '000000000008');
const tags = { mission: 'Größe 3', site: 'north' };
const tagged: Manifest = {
  ...manifest,
  segment: { id: taggedId, number: 8 },
  file: { ...manifest.file, name: `${TAGGED}.mcap` },
  tags,
};
const OF_VEHICLE = NAME.replace('000000000006', '000000000013');
const ofVehicle: Manifest = {
  ...manifest,
  segment: { id: id.replace('000000000006', '000000000013'), number: 13 },
  file: { ...manifest.file, name: `${OF_VEHICLE}.mcap` },
  vin: '1ZZZ5A3T0RF000001',
};
const WITH_POLICY = NAME.replace('000000000006', '000000000011');
const withPolicy: Manifest = {
  ...manifest,
  segment: { id: id.replace('000000000006', '000000000011'), number: 11 },
  file: { ...manifest.file, name: `${WITH_POLICY}.mcap` },
  policy,
};
/** Made of a sealed segment by sync.transform. */
const DERIVED = NAME.replace('000000000006', '000000000012');
const derivedManifest: Manifest = {
  ...manifest,
  segment: { id: id.replace('000000000006', '000000000012'), number: 12 },
  file: { ...manifest.file, name: `${DERIVED}.mcap` },
  derived: {
    version: 1,
    source: { bytes: 80_000, sha256: hex('c'), crc32: 9, messages: 4, payloadBytes: 90_000 },
    stages: [{ name: 'fields', version: 1, rule: '/état hash=größe round=latitude+longitude:100m' }],
  },
};
/** The same by a version that counts what each rule did. */
const COUNTED = NAME.replace('000000000006', '000000000014');
const countedManifest: Manifest = {
  ...derivedManifest,
  segment: { id: id.replace('000000000006', '000000000014'), number: 14 },
  file: { ...manifest.file, name: `${COUNTED}.mcap` },
  derived: {
    version: 1,
    source: { bytes: 80_000, sha256: hex('c'), crc32: 9, messages: 4, payloadBytes: 90_000 },
    stages: [
      {
        ...{ name: 'h264', version: 1, rule: '/caméra h264=23', program: 'ffmpeg 5.1.6-0+deb12u1' },
        counts: { unchanged: 1, changed: 2, dropped: 3, made: 4 },
      },
    ],
  },
};
/** Version 2: finished in its place, and not read since. */
const UNDIGESTED = NAME.replace('000000000006', '000000000009');
const { sha256: _sha256, ...unread } = manifest.file;
const undigested: Manifest = {
  ...manifest,
  version: 2,
  segment: { id: id.replace('000000000006', '000000000009'), number: 9 },
  file: { ...unread, name: `${UNDIGESTED}.mcap` },
};
/** Version 3: the object is encrypted. */
const ENCRYPTED = NAME.replace('000000000006', '000000000010');
const encryptedManifest: Manifest = {
  ...manifest,
  version: 3,
  segment: { id: id.replace('000000000006', '000000000010'), number: 10 },
  key: manifest.key.replace('.mcap', '.mcap.enc'),
  file: { ...manifest.file, name: `${ENCRYPTED}.mcap` },
  encryption: {
    ...{ version: 1, keyId: hex('7', 32), plainBytes: 3 },
    keys: [
      {
        ...{ type: 'X25519', recipient: `hfpub1_${'A'.repeat(48)}`, ephemeral: `${'B'.repeat(43)}=` },
        wrapped: 'C'.repeat(64),
      },
      {
        ...{ type: 'symmetric', recipient: 'key:0123456789abcdef', salt: `${'D'.repeat(22)}==` },
        wrapped: 'E'.repeat(64),
      },
    ],
  },
};
const contentRecord: ContentRecord = {
  ...{ version: 1, dataKey: `${'F'.repeat(43)}=`, salt: `${'G'.repeat(43)}=` },
  plain: { bytes: 3, sha256: hex('1'), crc32: 4 },
  sealed: { bytes: 139, sha256: hex('2'), crc32: 5 },
  ...{ blocks: `${'H'.repeat(22)}==`, recipients: hex('8', 32) },
  encryption: present(encryptedManifest.encryption),
};
const fetchRequest: FetchRequest = {
  ...{ format: 'holdfast-request', version: 1, id: hex('4', 32), robot: 'squid', from: '1', to: '2' },
  ...{ topics: ['/scan*'], createdAt: '3', expiresAt: '4', by: 'Grüße' },
};
const fetchAnswer: FetchAnswer = {
  ...{ format: 'holdfast-answer', version: 1, id: hex('4', 32), robot: 'squid', state: 'expired', at: '5' },
  ...{ reason: 'late', matched: { segments: 2, bytes: 7 }, stored: { segments: 1, bytes: 3 }, progress: 0.5 },
  segments: [{ name: NAME, key, bytes: 3, state: 'parked', reason: 'too large' }],
  gone: [
    {
      ...{ name: NAME, firstLogTime: '1', lastLogTime: '2', messages: 3, bytes: 4, at: '5' },
      reason: 'quota',
    },
  ],
  isRecording: true,
};
const { priority: _priority, salvagedFrom: _salvaged, ...segment } = manifest.segment;
/** None of the optional members, and a deletion by policy. */
const tombstone: Manifest = {
  format: 'holdfast-manifest',
  version: 1,
  segment,
  robot: 'squid',
  file: manifest.file,
  key,
  ...{ messages: 0, payloadBytes: 0, channels: [], gaps: [], identity, clockSteps: [], uncleanEnd: false },
  sealedAt: '1700000100000000000',
  software: manifest.software,
  evicted: { at: '1700000200000000000', reason: 'disk floor' },
};

const asked = { key: `${key.slice(0, -5)}.json`, bytes: 1_234, sha256: hex('b'), crc32: 7 };
const receipt: StoreReceipt = {
  ...{ storeId: STORE, uri: 's3://fleet/a', key, sha256: hex('a') },
  ...{ verification: 'store-checksum', verifiedAt: '1700000300000000000' },
  asked: {
    ...{ answer: 'held', askedAt: '1700000400000000000', storeId: STORE, request: hex('9', 32) },
    object: { key, bytes: 70_123, sha256: hex('a'), crc32: 0xffff_fffe },
    manifest: asked,
  },
};
const lakeFile = {
  ...({
    key: 'topic=scan/a.parquet',
    bytes: 10,
    sha256: hex('c'),
    crc32: 1,
    rows: 3,
    table: 'topics',
  } as const),
} as const;
const marker: LakeSegment = {
  ...{ format: 'holdfast-lake-segment', version: 1, form: 'parquet-1', segment: { id, number: 6 } },
  robot: 'squid',
  source: { name: `${NAME}.mcap`, key, bytes: 70_123, sha256: hex('a') },
  ...{ rows: 3, undecoded: 1, files: [lakeFile], gaps: [gap] },
};
const change: LakeChange = {
  ...{ format: 'holdfast-lake-change', version: 1, form: 'parquet-1', number: 12, at: '1700000500000000000' },
  replaces: ['topic=scan/b.parquet'],
  adds: [lakeFile],
  ...{ duplicates: 2, abandons: ['topic=scan/c.parquet'] },
};
const head: WalHead = {
  ...{ version: 1, nextNumber: 7, nextSequence: 105, sourceSequences: { 'squid//scan': 2 ** 34 + 2 } },
  ...{ seen: { 'nats:LOGS': '1-9' }, cuts: { [id]: 103 }, closed: true },
};
const sinks: readonly RequiredSink[] = [
  { uri: 's3://fleet/a', storeId: STORE, form: '', selection: {} },
  {
    ...{ uri: 'dir:/mnt/nas', form: 'parquet-1' },
    selection: { robots: ['squid'], priorities: ['high'], topics: ['/scan*'] },
  },
];
const limits = { minFreeBytes: 2e9, minFreePercent: 5.5, maxBytes: 0, slackBytes: 67_108_864 };
const request = { nonce: hex('9', 32), names: [NAME] };
const progress: Readonly<Record<string, ProgressRecord>> = {
  sending: { state: 'sending', suffix: 2 },
  uploading: {
    ...{ state: 'uploading', suffix: 0, uri: 's3://fleet/a', key, uploadId: 'a/b+c=', partBytes: 8_388_608 },
    started: 3,
  },
  verified: {
    ...{ state: 'verified', key, bytes: 70_123, sha256: hex('a') },
    ...{ verification: 'read-back', verifiedAt: '1700000300000000000' },
  },
  parked: {
    ...{ state: 'parked', robot: 'squid', bytes: 70_123, code: 'STORE_REJECTED', message: 'too large' },
  },
};

function manifestDocument(format: string, name: string, value: Manifest): GoldenDocument {
  return textDocument(format, `${name}.json`, value, encodeManifest, (text, file) => {
    const { manifestCrc32: _crc, ...fields } = decodeManifest(text, file) as Manifest & {
      manifestCrc32?: number;
    };
    return fields;
  });
}

/** Without its own version: the reader gives it, the writer adds it. */
const versioned = <T extends object>(value: T): T & { version: 1 } => ({ version: 1, ...value });

export const goldenDocuments: readonly GoldenDocument[] = [
  manifestDocument('manifest', NAME, manifest),
  manifestDocument('manifest', TAGGED, tagged),
  manifestDocument('manifest', UNDIGESTED, undigested),
  manifestDocument('manifest', ENCRYPTED, encryptedManifest),
  manifestDocument('manifest', WITH_POLICY, withPolicy),
  manifestDocument('manifest', OF_VEHICLE, ofVehicle),
  manifestDocument('manifest', DERIVED, derivedManifest),
  manifestDocument('manifest', COUNTED, countedManifest),
  ...goldenPolicy,
  {
    ...{ format: 'tags', file: TAG_FILE, value: { now: tags, configured: { site: 'south' } } },
    write: (folder) => writeTagFile(fs, folder, { now: tags, configured: { site: 'south' } }),
    read: (folder) => readTagFile(fs, folder),
  },
  textDocument('encryption-record', `${NAME}.json`, contentRecord, encodeRecord, (text, name) =>
    contentRecords.parse(text, name),
  ),
  textDocument('request', 'request.json', fetchRequest, encodeRequest, decodeRequest),
  textDocument('answer', 'answer.json', fetchAnswer, encodeAnswer, decodeAnswer),
  manifestDocument('tombstone', NAME, tombstone),
  textDocument('lake-segment', 'marker.json', marker, encodeLake, decodeLakeSegment),
  textDocument('lake-change', '0000000012.json', change, encodeLake, decodeLakeChange),
  textDocument('event', `${event.id}.json`, event, encodeEvent, (text) => decodeEvent(text, event.id)),
  ...Object.entries(progress).map(([state, value]) =>
    textDocument('progress', `${state}.json`, value, encodeProgress, decodeProgress),
  ),
  {
    ...{ format: 'receipt', file: `${NAME}.json` },
    value: versioned({ segment: id, robot: 'squid', stores: [receipt] }),
    async write(folder) {
      const ports = { fs, form: '', uri: receipt.uri, turns: new SerialQueue(), onTrouble: assertNever };
      const receipts = new Receipts({ ...ports, folder: { ...dataFolder(folder), receipts: folder } });
      await receipts.write(NAME, { segment: id, robot: 'squid', receipt });
    },
    read: async (folder) =>
      receiptFiles.parse(await fs.readFile(join(folder, `${NAME}.json`), 'utf8'), 'receipt'),
  },
  {
    ...{ format: 'wal-head', file: 'head.json', value: head },
    write: (folder) => writeHead(fs, folder, head),
    read: (folder) => readHead(fs, folder),
  },
  {
    ...{ format: 'sinks', file: SINKS_FILE, value: sinks },
    write: (folder) => writeRequiredSinks(fs, join(folder, SINKS_FILE), sinks),
    read: (folder) => readRequiredSinks(fs, join(folder, SINKS_FILE)),
  },
  {
    ...{ format: 'limits', file: LIMITS_FILE, value: versioned(limits) },
    write: (folder) => writeLimits(fs, folder, limits),
    read: (folder) => readLimits(fs, folder),
  },
  {
    ...{ format: 'confirmation', file: CONFIRM_FILE, value: versioned(request) },
    write: (folder) => writeConfirmationRequest(fs, join(folder, CONFIRM_FILE), request),
    read: (folder) => readConfirmationRequest(fs, join(folder, CONFIRM_FILE)),
  },
  {
    ...{ format: 'stores', file: KNOWN_STORES_FILE },
    value: versioned({ stores: [{ uri: 's3://fleet/a', storeId: STORE, marks: { mcap: hex('8', 32) } }] }),
    write: (folder) => writeKnownStore(fs, dataFolder(folder), 's3://fleet/a', STORE, 'mcap', hex('8', 32)),
    read: async (folder) =>
      knownStoreFiles.parse(await fs.readFile(join(folder, KNOWN_STORES_FILE), 'utf8'), 'stores'),
  },
  ...goldenDeletion,
  ...goldenGround,
  ...goldenMessages,
];

function assertNever(message: string): never {
  throw new Error(message);
}
