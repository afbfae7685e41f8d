// seal-case plain|encrypted|at-rest none|zstd copied|in-place BYTES FOLDER: writes WAL segments, then seals them; prints JSON.
import { randomBytes, randomFillSync } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { dataFolder } from '../src/core/data-folder.js';
import { silentLogger } from '../src/core/logger.js';
import { newIdentity, recipientOf } from '../src/encryption/wrapped-key.js';
import { systemClock } from '../src/host/system-clock.js';
import type { Compression } from '../src/seal/compression.js';
import { useNativeCrc } from '../src/seal/native-crc.js';
import { recoverWal } from '../src/wal/recover.js';
import { Wal } from '../src/wal/wal.js';
import type { ClosedSegment } from '../src/wal/wal-ports.js';
import { resident } from './measure.js';
import { benchChannel } from './wal-variants.js';

const SEGMENT_BYTES = 64 * 1024 * 1024;
const BATCH_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 1024 * 1024;
const IN_PLACE_MIN_BYTES = 64 * 1024;

const [variant, compression, placement, bytesText = '0', folder = ''] = process.argv.slice(2);
const isInPlace = placement === 'in-place';
const payloadBytes = isInPlace ? 1024 * 1024 : 1024;
const total = Number(bytesText);

useNativeCrc();
const { sealSegment } = await import('../src/seal/seal-segment.js');

/** Of a WAL that is encrypted too. */
const walKeys = variant === 'at-rest' ? [randomBytes(32)] : [];
const data = dataFolder(folder);
const { head } = await recoverWal(fs, data, silentLogger);
const identity = { dataFolderId: '', machineId: '', bootId: '', sessionId: '', hostname: '' };
const closed: ClosedSegment[] = [];
const wal = new Wal(
  data,
  head,
  identity,
  {
    durability: 'os',
    intervalMs: 1000,
    segmentMaxBytes: SEGMENT_BYTES,
    segmentMaxAgeMs: 600_000,
    latchedMaxBytes: 1024,
    softwareVersion: 'bench',
    ...(isInPlace ? { inPlace: { minBytes: IN_PLACE_MIN_BYTES, splitByPriority: false } } : {}),
  },
  {
    fs,
    clock: systemClock,
    random: randomBytes,
    logger: silentLogger,
    keys: walKeys,
    priorityOf: () => 'normal',
    onClosed: (segment) => closed.push(segment),
    onStall: (reason, detail) => {
      if (reason) throw new Error(detail);
    },
  },
);
// Half of each payload compresses, as with messages of sensors.
const payload = Buffer.alloc(payloadBytes);
randomFillSync(payload, 0, payloadBytes / 2);
for (let written = 0; written < total; written += BATCH_BYTES) {
  const messages = Array.from({ length: BATCH_BYTES / payloadBytes }, () => {
    const now = systemClock.now();
    return {
      kind: 'message' as const,
      ...{ channel: benchChannel, data: payload, receivedAt: now, publishedAt: now },
    };
  });
  await wal.commit({ messages, gaps: [], bytes: BATCH_BYTES, oldestAt: systemClock.monotonic() });
}
await wal.close();

const recipients = variant === 'plain' ? [] : [recipientOf(newIdentity())];
let sealedBytes = 0;
const start = performance.now();
for (const segment of closed) {
  const { manifests } = await sealSegment(fs, {
    ...{ id: segment.id, directory: segment.directory, sealedFolder: data.sealed, identity },
    ...{ recipients, walKeys },
    ...{ compression: compression as Compression, level: 1, chunkBytes: CHUNK_BYTES },
    ...{ splitByPriority: false, verifyPayloads: false, softwareVersion: 'bench', nodeVersion: '' },
    sealedAt: systemClock.now(),
  });
  sealedBytes += manifests.reduce((sum, { file }) => sum + file.bytes, 0);
}
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ seconds, sealedBytes, residentMb: resident().peak / 1e6 }));
