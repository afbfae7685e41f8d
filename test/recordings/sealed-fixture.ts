import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import { gapToJson, type Gap } from '../../src/core/gap.js';
import {
  encodeManifest,
  localFileName,
  manifestKey,
  MANIFEST_VERSION,
  type Manifest,
} from '../../src/core/manifest.js';
import { segmentNumber } from '../../src/core/segment-id.js';
import type { Store } from '../../src/core/store.js';
import { chunkCompressor } from '../../src/seal/compression.js';
import { objectKey, objectName, sealedFileName } from '../../src/core/object-name.js';
import { ObjectWriter } from '../../src/seal/object-writer.js';
import type { SegmentChannel } from '../../src/wal/segment-format.js';
import { cdrString } from '../support/test-mcap.js';

export const SECOND = 1_000_000_000n;
export const START = 1_800_000_000n * SECOND;

const identity = {
  dataFolderId: 'd'.repeat(32),
  machineId: 'a'.repeat(32),
  bootId: 'boot-1',
  sessionId: 'e'.repeat(32),
  hostname: 'robot',
};

const channel = (robot: string, topic: string, latched: boolean): SegmentChannel => ({
  robot,
  topic,
  encoding: 'cdr',
  schema: { name: 'std_msgs/msg/String', encoding: 'ros2msg', data: Buffer.from('string data') },
  metadata: latched ? { offered_qos_profiles: '- durability: transient_local\n  depth: 1' } : {},
  latched,
  priority: 'normal',
});

export const segmentIdOf = (number: number): string =>
  `${String(number).padStart(12, '0')}-${String(number).repeat(32).slice(0, 32)}`;

/** Messages of `/<robot>/chat` in each segment; one per 10 ms from second `10 * number` on. */
export const CHAT_MESSAGES = 50;

/** What {@link sealedFolder} seals, and how. */
export interface Made {
  /** The message with this number, from 0, of `/<robot>/chat` in a segment. */
  readonly textOf: (robot: string, segment: number, line: number) => string;
  readonly compression: 'zstd' | 'none';
}

const usual: Made = {
  textOf: (robot, segment, line) => `${robot} segment ${segment} line ${line}`,
  compression: 'zstd',
};

/** WAL sequences of one segment, both robots together. */
export const SEGMENT_SEQUENCES = 200;

/**
 * A data folder with sealed segments of two robots, written by the sealer's own writer: in the first segment
 * `/<robot>/tf_static` is published, in the others it is carried.
 */
export async function sealedFolder(root: string, segments = 2, made: Made = usual): Promise<DataFolder> {
  const folder = dataFolder(root);
  for (const path of [folder.sealed, folder.wal, folder.receipts, folder.tombstones, folder.quarantine]) {
    await fs.mkdir(path, { recursive: true });
  }
  for (let number = 1; number <= segments; number++) {
    for (const [index, robot] of ['r1', 'r2'].entries()) await seal(folder, number, robot, index, made);
  }
  return folder;
}

async function seal(
  folder: DataFolder,
  number: number,
  robot: string,
  index: number,
  { textOf, compression }: Made,
): Promise<void> {
  const id = segmentIdOf(number);
  const name = objectName(robot, undefined);
  const fileName = sealedFileName(id, name);
  const path = join(folder.sealed, fileName);
  const handle = await fs.open(path, 'w');
  const compressChunk = await chunkCompressor(compression, 1);
  const writer = new ObjectWriter(handle, { softwareVersion: '0', chunkBytes: 2000, compressChunk });
  const first = START + BigInt(number) * 10n * SECOND + BigInt(index);
  await writer.start({ segment: id, robot, data_folder_id: identity.dataFolderId });
  writer.addChannel(1, channel(robot, `/${robot}/tf_static`, true));
  writer.addChannel(2, channel(robot, `/${robot}/chat`, false));
  const record = { publishTime: first, sourceSequence: -1 };
  const tf = { ...record, channelId: 1, logTime: first, data: cdrString(`transform of ${robot}`) };
  if (number === 1) await writer.add(tf);
  else await writer.addCarried(tf, first);
  for (let i = 0; i < CHAT_MESSAGES; i++) {
    const data = cdrString(textOf(robot, number, i));
    await writer.add({ ...record, channelId: 2, logTime: first + BigInt(i) * 10_000_000n, data });
  }
  const gap: Gap = {
    id: `gap-${number}-${robot}`,
    reason: 'memory_limit',
    robot,
    count: 3,
    firstTime: first,
  };
  await writer.addGap(gap);
  const content = await writer.finish();
  await handle.close();
  const firstSequence = (number - 1) * SEGMENT_SEQUENCES + 1 + index;
  const lastSequence = index === 0 ? firstSequence + 2 * content.messages : number * SEGMENT_SEQUENCES;
  const manifest: Manifest = {
    format: 'holdfast-manifest',
    version: MANIFEST_VERSION,
    segment: { id, number: segmentNumber(id) },
    robot,
    file: { name: fileName, ...content.digest, compression },
    key: objectKey(id, name, first),
    messages: content.messages,
    payloadBytes: content.payloadBytes,
    firstLogTime: String(content.firstLogTime),
    lastLogTime: String(content.lastLogTime),
    firstSequence,
    lastSequence,
    channels: content.channels,
    gaps: [gapToJson(gap)],
    identity,
    clockSteps: [],
    uncleanEnd: false,
    sealedAt: String(first),
    software: { name: 'holdfast', version: '0', node: '20' },
  };
  await fs.writeFile(path.replace(/\.mcap$/, '.json'), encodeManifest(manifest));
}

/** Puts every sealed segment of the folder into the store, as sync does. */
export async function uploadAll(folder: DataFolder, store: Store): Promise<void> {
  for (const name of await fs.readdir(folder.sealed)) {
    if (!name.endsWith('.json')) continue;
    const text = await fs.readFile(join(folder.sealed, name), 'utf8');
    const manifest = JSON.parse(text) as Manifest;
    const { key } = manifest;
    await store.put(key, await fs.readFile(join(folder.sealed, localFileName(manifest))));
    await store.put(manifestKey(key), Buffer.from(text));
  }
}
