import * as realFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defined } from '../../src/core/defined.js';
import type { Clock } from '../../src/core/clock.js';
import { dataFolder, type DataFolder } from '../../src/core/data-folder.js';
import type { FileSystem } from '../../src/core/file-system.js';
import type { Gap, GapReason } from '../../src/core/gap.js';
import type { Identity } from '../../src/core/identity.js';
import { silentLogger, type Logger } from '../../src/core/logger.js';
import type { Channel, Message, Priority } from '../../src/core/message.js';
import type { Batch } from '../../src/ingest/batch.js';
import { recoverWal, type RecoveredWal } from '../../src/wal/recover.js';
import {
  SegmentReader,
  payloadIntact,
  type SegmentEntry,
  type SegmentReport,
} from '../../src/wal/segment-reader.js';
import type { WalHead } from '../../src/wal/wal-head.js';
import type { WalKeys } from '../../src/wal/segment-cipher.js';
import type { ClosedSegment, WalOptions } from '../../src/wal/wal-ports.js';
import { Wal } from '../../src/wal/wal.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';
import { TestClock } from '../support/test-clock.js';

export const identity: Identity = {
  dataFolderId: 'd'.repeat(32),
  machineId: 'a'.repeat(32),
  bootId: 'b'.repeat(32),
  sessionId: 'c'.repeat(32),
  hostname: 'crab',
};

export function channel(topic: string, options: Partial<Channel> = {}): Channel {
  return Object.freeze({
    robot: 'crab',
    topic,
    encoding: 'cdr',
    schema: { name: 'std_msgs/msg/String', encoding: 'ros2msg', data: Buffer.from('string data\n') },
    metadata: {},
    latched: false,
    ...options,
  });
}

let made = 0n;

export function message(of: Channel, data: string | Uint8Array, options: Partial<Message> = {}): Message {
  const receivedAt = options.receivedAt ?? 1_700_000_000_000_000_000n + made++ * 1_000_000n;
  return {
    kind: 'message',
    channel: of,
    data: typeof data === 'string' ? Buffer.from(data) : data,
    receivedAt,
    publishedAt: receivedAt,
    ...options,
  };
}

export function batch(messages: readonly Message[], gaps: readonly Gap[] = []): Batch {
  const bytes = messages.reduce((sum, { data }) => sum + data.byteLength, 0);
  return { messages, gaps, bytes, oldestAt: 0n };
}

/** `size` bytes that differ from message to message and do not compress to nothing. */
export function payload(size: number, seed: number): Uint8Array {
  return seededBytes(seed * 7919 + 13)(size);
}

export interface WalSetup {
  readonly fs?: FileSystem;
  readonly options?: Partial<WalOptions>;
  readonly logger?: Logger;
  readonly random?: (size: number) => Uint8Array;
  readonly priorityOf?: (channel: Channel) => Priority;
  /** Encrypt the segments. */
  readonly keys?: WalKeys;
}

export interface OpenedWal {
  readonly wal: Wal;
  readonly clock: TestClock;
  readonly recovered: RecoveredWal;
  readonly closed: ClosedSegment[];
  readonly stalls: (GapReason | undefined)[];
}

let opened = 0;

/** Recovers a data folder and opens its WAL, as the recorder does. */
export async function openWal(folder: DataFolder, setup: WalSetup = {}): Promise<OpenedWal> {
  const fs = setup.fs ?? realFs;
  const clock = new TestClock();
  const logger = setup.logger ?? silentLogger;
  const recovered = await recoverWal(fs, folder, logger, setup.keys);
  return { ...makeWal(folder, recovered.head, clock, setup), clock, recovered };
}

export function makeWal(
  folder: DataFolder,
  head: WalHead,
  clock: Clock,
  setup: WalSetup = {},
): Omit<OpenedWal, 'clock' | 'recovered'> {
  const closed: ClosedSegment[] = [];
  const stalls: (GapReason | undefined)[] = [];
  const wal = new Wal(
    folder,
    head,
    identity,
    {
      durability: 'commit',
      intervalMs: 20,
      segmentMaxBytes: 64 * 1024 * 1024,
      segmentMaxAgeMs: 60_000,
      latchedMaxBytes: 1024 * 1024,
      softwareVersion: '0.0.0-test',
      ...setup.options,
    },
    {
      fs: setup.fs ?? realFs,
      clock,
      random: setup.random ?? seededBytes(++opened),
      logger: setup.logger ?? silentLogger,
      priorityOf: setup.priorityOf ?? (() => 'normal'),
      onClosed: (segment) => closed.push(segment),
      onStall: (reason) => stalls.push(reason),
      ...defined({ keys: setup.keys }),
    },
  );
  return { wal, closed, stalls };
}

/** A fresh data folder under the system's temporary folder. */
export async function temporaryFolder(): Promise<DataFolder> {
  return dataFolder(await realFs.mkdtemp(join(tmpdir(), 'holdfast-wal-')));
}

export interface ReadSegment {
  readonly entries: readonly SegmentEntry[];
  readonly report: SegmentReport;
  /** Every record that is not carried, in order. */
  readonly records: readonly ReadRecord[];
  readonly carried: readonly ReadRecord[];
  readonly gaps: readonly Gap[];
}

export interface ReadRecord {
  readonly sequence: number;
  readonly topic: string;
  readonly robot: string;
  readonly data: Buffer;
  readonly receivedAt: bigint;
  readonly publishedAt: bigint;
  readonly sourceSequence: number;
  readonly publisher: string | null;
  /** False: the payload fails its CRC, and sealing would leave it out. */
  readonly intact: boolean;
}

/** Reads a whole segment, copying what the reader would reuse. */
export async function readSegment(
  directory: string,
  fs: FileSystem = realFs,
  keys: WalKeys = [],
): Promise<ReadSegment> {
  const reader = new SegmentReader(fs, directory, true, undefined, keys);
  const entries: SegmentEntry[] = [];
  const records: ReadRecord[] = [];
  const carried: ReadRecord[] = [];
  const gaps: Gap[] = [];
  const channels = new Map<number, Channel>();
  for await (const entry of reader.entries()) {
    entries.push(entry);
    if (entry.kind === 'channel') channels.set(entry.id, entry.channel);
    else if (entry.kind === 'gap') gaps.push(entry.gap);
    else if (entry.kind === 'batch' || entry.kind === 'carried') {
      const { columns, payload: bytes, firstSequence } = entry.batch;
      let at = 0;
      for (let i = 0; i < columns.lengths.length; i++) {
        const end = at + (columns.lengths[i] as number);
        const of = channels.get(columns.channelIds[i] as number);
        const data = Buffer.from(bytes.subarray(at, end));
        (entry.kind === 'carried' ? carried : records).push({
          sequence: firstSequence + i,
          topic: of?.topic ?? '(unknown)',
          robot: of?.robot ?? '(unknown)',
          data,
          intact: payloadIntact(columns, i, data),
          receivedAt: columns.receivedAt[i] as bigint,
          publishedAt: columns.publishedAt[i] as bigint,
          sourceSequence: columns.sourceSequences?.[i] ?? -1,
          publisher: columns.publishers?.[i] ?? null,
        });
        at = end;
      }
    }
  }
  return { entries, report: reader.report(), records, carried, gaps };
}
