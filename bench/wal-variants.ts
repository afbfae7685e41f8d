import { randomFillSync } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { Level } from 'level';
import { Subject } from 'rxjs';
import { dataFolder } from '../src/core/data-folder.js';
import { silentLogger } from '../src/core/logger.js';
import type { Channel, Message } from '../src/core/message.js';
import { BufferFlow } from '../src/recorder/recorder-flow.js';
import { systemClock } from '../src/host/system-clock.js';
import { DropLedger } from '../src/ingest/drop-ledger.js';
import { groupCommit } from '../src/ingest/group-commit.js';
import { IngestBuffer } from '../src/ingest/ingest-buffer.js';
import { recoverWal } from '../src/wal/recover.js';
import { Wal } from '../src/wal/wal.js';
import { randomBytes } from 'node:crypto';

/** The recorder's own defaults; every variant commits batches of this shape. */
export const BATCH_MAX_BYTES = 4 * 1024 * 1024;
export const BATCH_MAX_COUNT = 20_000;
const SEGMENT_MAX_BYTES = 64 * 1024 * 1024;
const POOL = 64;

export const benchChannel: Channel = Object.freeze({
  robot: 'robot1',
  topic: '/robot1/bench',
  encoding: 'cdr',
  schema: { name: 'std_msgs/msg/UInt8MultiArray', encoding: 'ros2msg', data: Buffer.from('uint8[] data') },
  metadata: {},
  latched: false,
});

export interface VariantResult {
  readonly seconds: number;
  readonly commitMs: readonly number[];
}

/** Makes `count` messages durable in a fresh folder, as fast as it can. */
export type Variant = (folder: string, size: number, count: number) => Promise<VariantResult>;

function payloads(size: number): Buffer[] {
  return Array.from({ length: POOL }, () => randomFillSync(Buffer.allocUnsafe(size)));
}

/** Messages per batch at this size. */
function perBatch(size: number): number {
  return Math.max(1, Math.min(BATCH_MAX_COUNT, Math.floor(BATCH_MAX_BYTES / size)));
}

async function timed(work: (commitMs: number[]) => Promise<void>): Promise<VariantResult> {
  const commitMs: number[] = [];
  const start = performance.now();
  await work(commitMs);
  return { seconds: (performance.now() - start) / 1000, commitMs };
}

async function openWal(folder: string, keys: readonly Uint8Array[]): Promise<Wal> {
  const data = dataFolder(folder);
  const recovered = await recoverWal(fs, data, silentLogger);
  const identity = { dataFolderId: '', machineId: '', bootId: '', sessionId: '', hostname: '' };
  return new Wal(
    data,
    recovered.head,
    identity,
    {
      durability: 'commit',
      intervalMs: 1000,
      segmentMaxBytes: SEGMENT_MAX_BYTES,
      segmentMaxAgeMs: 60_000,
      latchedMaxBytes: 1024,
      softwareVersion: 'bench',
    },
    {
      fs,
      clock: systemClock,
      random: randomBytes,
      logger: silentLogger,
      keys,
      priorityOf: () => 'normal',
      // Sealing is measured elsewhere; here the closed segment only goes away.
      onClosed: ({ directory }) => void fs.rm(directory, { recursive: true, force: true }),
      onStall: (reason, detail) => {
        if (reason) throw new Error(detail);
      },
    },
  );
}

/**
 * The product: queue, group commit, WAL. The feeder waits while the buffer is full, as a file source does. With keys, the
 * WAL is encrypted.
 */
async function product(
  keys: readonly Uint8Array[],
  folder: string,
  size: number,
  count: number,
): Promise<VariantResult> {
  const wal = await openWal(folder, keys);
  const drops = new DropLedger(randomBytes);
  const buffer = new IngestBuffer(
    { totalMaxBytes: 64 * 1024 * 1024, maxChannels: 10 },
    () => ({ priority: 'normal', policy: 'block', queueMaxBytes: 16 * 1024 * 1024 }),
    drops,
  );
  const flow = new BufferFlow(buffer, Math.max(2 * BATCH_MAX_BYTES, 2 * size), 2 * BATCH_MAX_COUNT);
  const pool = payloads(size);
  const input = new Subject<Message>();
  const result = await timed(async (commitMs) => {
    const done = new Promise<void>((resolve, reject) => {
      input
        .pipe(
          groupCommit({
            buffer,
            drops,
            limits: { maxBytes: BATCH_MAX_BYTES, maxCount: BATCH_MAX_COUNT, maxAgeMs: 20 },
            clock: systemClock,
            commit: async (batch) => {
              const before = performance.now();
              await wal.commit(batch);
              commitMs.push(performance.now() - before);
            },
            upcoming: (batch) => wal.writeAhead(batch),
          }),
        )
        .subscribe({ next: () => flow.update(), error: reject, complete: resolve });
    });
    for (let i = 0; i < count;) {
      await flow.whenReady();
      for (let burst = 0; burst < 256 && i < count && !flow.whenReady(); burst++, i++) {
        const now = systemClock.now();
        input.next({
          kind: 'message',
          channel: benchChannel,
          data: pool[i % POOL] as Buffer,
          receivedAt: now,
          publishedAt: now,
          sourceSequence: i + 1,
        });
      }
    }
    input.complete();
    await done;
  });
  await wal.close();
  if (wal.durable !== count) throw new Error(`durable ${wal.durable} of ${count}`);
  return result;
}

const holdfast: Variant = (...how) => product([], ...how);
const encrypted: Variant = (...how) => product([randomBytes(32)], ...how);

/** (a) The floor: the payloads of the same batches, appended to one file, fdatasync after each. */
const append: Variant = async (folder, size, count) => {
  const pool = payloads(size);
  const file = await fs.open(join(folder, 'append'), 'a');
  const result = await timed(async (commitMs) => {
    for (let done = 0; done < count;) {
      const batch = Math.min(perBatch(size), count - done);
      const bytes = Buffer.allocUnsafe(batch * size);
      for (let i = 0; i < batch; i++) (pool[(done + i) % POOL] as Buffer).copy(bytes, i * size);
      const before = performance.now();
      for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten;
      await file.datasync();
      commitMs.push(performance.now() - before);
      done += batch;
    }
  });
  await file.close();
  return result;
};

/** (b) One LevelDB put per record, the batch made durable by syncing its last put. */
const levelPut: Variant = async (folder, size, count) => {
  const pool = payloads(size);
  const level = new Level<Buffer, Buffer>(join(folder, 'level'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
  });
  await level.open();
  const result = await timed(async (commitMs) => {
    for (let done = 0; done < count; done++) {
      const key = Buffer.alloc(8);
      key.writeBigUInt64BE(BigInt(done));
      const before = performance.now();
      await level.put(key, pool[done % POOL] as Buffer, { sync: true });
      commitMs.push(performance.now() - before);
    }
  });
  await level.close();
  return result;
};

/** (c) What a user would otherwise write: an MCAP straight to a file, fsync after the same batches. */
const mcap: Variant = async (folder, size, count) => {
  const pool = payloads(size);
  const file = await fs.open(join(folder, 'file.mcap'), 'a');
  let position = 0n;
  const writer = new McapWriter({
    writable: {
      position: () => position,
      write: async (bytes) => {
        for (let at = 0; at < bytes.byteLength;) at += (await file.write(bytes, at)).bytesWritten;
        position += BigInt(bytes.byteLength);
      },
    },
    chunkSize: 1024 * 1024,
  });
  const result = await timed(async (commitMs) => {
    await writer.start({ profile: 'ros2', library: 'bench' });
    const { schema, topic, encoding } = benchChannel;
    const schemaId = await writer.registerSchema({ ...schema });
    const channelId = await writer.registerChannel({
      schemaId,
      topic,
      messageEncoding: encoding,
      metadata: new Map(),
    });
    for (let done = 0; done < count;) {
      const before = performance.now();
      const end = Math.min(count, done + perBatch(size));
      for (; done < end; done++) {
        const now = systemClock.now();
        const data = pool[done % POOL] as Buffer;
        await writer.addMessage({ channelId, sequence: done, logTime: now, publishTime: now, data });
      }
      await file.datasync();
      commitMs.push(performance.now() - before);
    }
    await writer.end();
    await file.sync();
  });
  await file.close();
  return result;
};

export const variants: Readonly<Record<string, Variant>> = {
  holdfast,
  encrypted,
  append,
  'level-put': levelPut,
  mcap,
};
