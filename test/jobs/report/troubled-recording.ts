import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { dataFolder, type DataFolder } from '../../../src/core/data-folder.js';
import { encodeEvent } from '../../../src/core/event-files.js';
import type { MarkedEvent } from '../../../src/core/marked-event.js';
import { gapToJson, type Gap } from '../../../src/core/gap.js';
import { encodeManifest, MANIFEST_VERSION, type Manifest } from '../../../src/core/manifest.js';
import type { Schema } from '../../../src/core/message.js';
import type { StoreReceipt } from '../../../src/core/receipt-file.js';
import { chunkCompressor } from '../../../src/seal/compression.js';
import { objectKey, objectName, sealedFileName } from '../../../src/core/object-name.js';
import { ObjectWriter } from '../../../src/seal/object-writer.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { Fleet } from '../../../src/simulation/fleet.js';
import { writeDiagnostics } from '../../../src/core/ros/ros-messages.js';
import { ros2Schema } from '../../../src/core/ros/schemas.js';
import { cdrString } from '../../support/test-mcap.js';

/** A test drive where everything happened that a report must tell. */
export interface Troubled {
  readonly folder: DataFolder;
  /** Messages by topic, as they were written. */
  readonly counts: ReadonlyMap<string, number>;
  readonly messages: number;
  /** Known losses by reason. */
  readonly lost: Readonly<Record<string, number>>;
  readonly evictedMessages: number;
}

const SECOND = 1_000_000_000n;
export const TROUBLED_START = 1_795_250_000n * SECOND;
export const HOSTILE_TOPIC = '/robot1/</script><script>document.title="owned"</script>';
export const HOSTILE_ROBOT = `<b onclick='x'>&amp;"robot`;
export const HOSTILE_LABEL = '<svg/onload=document.title="owned">';
const TURNED_TOPIC = '/robot1/\u202Egnp.exe\u0007';
const LONG_TOPIC = `/robot1/${'a_very_long_part_of_a_name/'.repeat(9)}end`;

interface Row {
  readonly topic: string;
  readonly encoding: string;
  readonly schema: Schema;
  readonly metadata: Readonly<Record<string, string>>;
  readonly latched: boolean;
  readonly time: bigint;
  readonly data: Uint8Array;
}

const at = (seconds: number): bigint => TROUBLED_START + BigInt(Math.round(seconds * 1_000)) * 1_000_000n;
const text: Schema = { name: 'std_msgs/msg/String', encoding: 'ros2msg', data: Buffer.from('string data') };

/** Fleet messages of 40 s, without what is lost: the recorder was down from 14 s to 17 s. */
function fleetRows(robot: string): Row[] {
  const fleet = new Fleet({
    robots: 2,
    seed: 1,
    startNs: TROUBLED_START,
    scale: 0.4,
    imuHz: 100,
    cameraKb: 2,
    topics: ['tf_static', 'imu', 'odom', 'tf', 'gps', 'battery', 'cmd_vel', 'scan', 'diagnostics', 'fleet'],
  });
  const rows: Row[] = [];
  while (fleet.elapsedUs < 40_000_000) {
    for (const { channel, stamp, data } of fleet.step()) {
      const { topic, encoding, schema, metadata, latched } = fleet.channels[channel]!;
      const seconds = Number(stamp - TROUBLED_START) / 1e9;
      const isDown = seconds > 14 && seconds < 17;
      const isDropped = topic === '/robot1/imu' && seconds > 5 && seconds < 6;
      const isSilent = topic === '/robot2/gps/fix' && seconds > 25 && seconds < 36;
      if (!topic.startsWith(`/${robot}/`) || isDown || isDropped || isSilent) continue;
      const time = stamp + 3_000_000n + ((stamp / 1_000n) % 7n) * 500_000n;
      rows.push({ topic, encoding, schema, metadata, latched, time, data });
    }
  }
  return rows;
}

function row(topic: string, seconds: number, data: Uint8Array, schema: Schema = text, encoding = 'cdr'): Row {
  return { topic, encoding, schema, metadata: {}, latched: false, time: at(seconds), data };
}

/** Names that want to be markup, payloads that cannot be decoded, a diagnostic that fails. */
function strangeRows(): Row[] {
  const rows: Row[] = [];
  const fix = ros2Schema('sensor_msgs/NavSatFix');
  const proto: Schema = { name: 'pkg.Message', encoding: 'protobuf', data: Buffer.from([1, 2, 3]) };
  for (let i = 0; i < 20; i++) {
    rows.push(row(HOSTILE_TOPIC, 2 * i + 0.1, cdrString('</script>')));
    rows.push(row(TURNED_TOPIC, 2 * i + 0.2, cdrString('x')));
    rows.push(row(LONG_TOPIC, 2 * i + 0.3, cdrString('x')));
    rows.push(row('/robot1/proto', 2 * i + 0.4, Buffer.from([8, 1]), proto, 'protobuf'));
    rows.push(row('/robot1/broken_fix', 2 * i + 0.5, Buffer.from([0, 1, 0, 0, 1, 2, 3]), fix));
  }
  rows.push(row('/robot1/once', 12, cdrString('one message')));
  return rows;
}

function hostileRows(): Row[] {
  const schema = ros2Schema('diagnostic_msgs/DiagnosticArray');
  return Array.from({ length: 40 }, (_, i) => {
    const level = i < 20 ? 0 : i < 26 ? 1 : i < 34 ? 2 : 3;
    const stamp = at(i + 0.5);
    const message = level === 2 ? '<script>document.title="owned"</script> motor stalled' : 'fine';
    const status = { level, name: 'motor <left>', message, hardwareId: '"hw"', values: {} };
    const data = writeDiagnostics(new CdrWriter().begin(), stamp, [status]).finish();
    return row('/diagnostics', i + 0.6, data, schema);
  });
}

export async function troubledRecording(root: string): Promise<Troubled> {
  const folder = dataFolder(root);
  for (const path of [folder.sealed, folder.wal, folder.receipts, folder.tombstones, folder.events]) {
    await fs.mkdir(path, { recursive: true });
  }
  const counts = new Map<string, number>();
  let messages = 0;
  let evictedMessages = 0;
  const robots: readonly (readonly [string, readonly Row[]])[] = [
    ['robot1', [...fleetRows('robot1'), ...strangeRows()]],
    ['robot2', fleetRows('robot2')],
    [HOSTILE_ROBOT, hostileRows()],
  ];
  for (const [robot, all] of robots) {
    const parts = [all.filter(({ time }) => time < at(16)), all.filter(({ time }) => time >= at(16))];
    for (const [index, rows] of parts.entries()) {
      rows.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
      const isEvicted = robot === HOSTILE_ROBOT && index === 0;
      await seal(folder, index + 1, robot, rows, isEvicted);
      if (isEvicted) {
        evictedMessages += rows.length;
        continue;
      }
      messages += rows.length;
      for (const { topic } of rows) counts.set(topic, (counts.get(topic) ?? 0) + 1);
    }
  }
  const event: MarkedEvent = {
    id: 'f'.repeat(32),
    label: HOSTILE_LABEL,
    at: String(at(21)),
    from: String(at(20)),
    to: String(at(23)),
  };
  await fs.writeFile(join(folder.events, `${event.id}.json`), encodeEvent(event));
  return {
    folder,
    counts,
    messages,
    evictedMessages,
    lost: { queue_full_drop_oldest: 40, missed_while_down: 120 },
  };
}

function gapsOf(number: number, robot: string): Gap[] {
  if (robot !== 'robot1') return [];
  const id = (name: string): string => `${name}-${robot}`;
  if (number === 1) {
    return [
      {
        id: id('drop'),
        reason: 'queue_full_drop_oldest',
        robot,
        topic: '/robot1/imu',
        count: 40,
        firstTime: at(5),
        lastTime: at(6),
      },
      {
        id: id('end'),
        reason: 'unclean_end',
        robot,
        firstTime: at(14),
        detail: 'the recorder ended without closing',
      },
    ];
  }
  return [
    {
      id: id('down'),
      reason: 'missed_while_down',
      robot,
      topic: '/robot1/odom',
      count: 120,
      firstTime: at(17),
      lastTime: at(17),
    },
  ];
}

async function seal(
  folder: DataFolder,
  number: number,
  robot: string,
  rows: readonly Row[],
  isEvicted: boolean,
): Promise<void> {
  const id = `${String(number).padStart(12, '0')}-${String(number).repeat(32)}`;
  const name = objectName(robot, undefined);
  const fileName = sealedFileName(id, name);
  const path = join(folder.sealed, fileName);
  const handle = await fs.open(path, 'w');
  const compressChunk = await chunkCompressor('zstd', 1);
  const writer = new ObjectWriter(handle, { softwareVersion: '0', chunkBytes: 50_000, compressChunk });
  const identity = {
    dataFolderId: 'd'.repeat(32),
    machineId: 'a'.repeat(32),
    bootId: 'boot-1',
    sessionId: String(number).repeat(32),
    hostname: 'rover-pc',
  };
  await writer.start({ segment: id, robot, session_id: identity.sessionId });
  const channels = new Map<string, number>();
  for (const { topic, encoding, schema, metadata, latched, time, data } of rows) {
    let channelId = channels.get(topic);
    if (channelId === undefined) {
      channels.set(topic, (channelId = channels.size + 1));
      writer.addChannel(channelId, { robot, topic, encoding, schema, metadata, latched, priority: 'normal' });
    }
    await writer.add({ channelId, logTime: time, publishTime: time, sourceSequence: -1, data });
  }
  const gaps = gapsOf(number, robot);
  for (const gap of gaps) await writer.addGap(gap);
  const content = await writer.finish();
  await handle.close();
  const sealedAt = at(20 * number);
  const manifest: Manifest = {
    format: 'holdfast-manifest',
    version: MANIFEST_VERSION,
    segment: { id, number },
    robot,
    file: { name: fileName, ...content.digest, compression: 'zstd' },
    key: objectKey(id, name, present(content.firstLogTime)),
    messages: content.messages,
    payloadBytes: content.payloadBytes,
    firstLogTime: String(content.firstLogTime),
    lastLogTime: String(content.lastLogTime),
    channels: content.channels,
    gaps: gaps.map(gapToJson),
    identity,
    clockSteps: number === 2 ? [{ at: String(at(30)), stepNs: '-1500000000' }] : [],
    uncleanEnd: number === 1,
    sealedAt: String(sealedAt),
    software: { name: 'holdfast', version: '0', node: '20' },
    ...(isEvicted ? { evicted: { at: String(at(50)), reason: 'quota' } } : {}),
  };
  const manifestName = fileName.replace(/\.mcap$/, '.json');
  if (isEvicted) {
    await fs.rm(path);
    await fs.writeFile(join(folder.tombstones, manifestName), encodeManifest(manifest));
    return;
  }
  await fs.writeFile(join(folder.sealed, manifestName), encodeManifest(manifest));
  if (number !== 1) return;
  const receipt: StoreReceipt = {
    storeId: 'store',
    uri: 's3://recordings/fleet-a',
    key: manifest.key,
    sha256: present(manifest.file.sha256),
    verification: 'store-checksum',
    verifiedAt: String(sealedAt + 7n * SECOND),
  };
  const receipts = { version: 1, segment: id, robot, stores: [receipt] };
  await fs.writeFile(join(folder.receipts, manifestName), JSON.stringify(receipts));
}
