import * as fs from 'node:fs/promises';
import { openSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { defined } from '../../src/core/defined.js';
import { dataFolder } from '../../src/core/data-folder.js';
import { silentLogger } from '../../src/core/logger.js';
import { present } from '../../src/core/present.js';
import { systemClock } from '../../src/host/system-clock.js';
import { Sealer } from '../../src/seal/sealer.js';
import { sealSegment } from '../../src/seal/seal-segment.js';
import type { Batch } from '../../src/ingest/batch.js';
import { recoverWal } from '../../src/wal/recover.js';
import type { Durability } from '../../src/wal/durability.js';
import { crashMessage, largeNumber } from './crash-message.js';
import type { Encrypted } from './crash-states.js';
import { testRecipient, testWalKeys } from '../support/encrypted-segments.js';
import { batch, identity, makeWal } from './wal-support.js';
import { Random } from '../../src/core/random.js';
import { sleep } from '../../src/testing/waiting.js';

/*
 * A small recorder for crash-state tests: recovers the folder, then commits known messages, rolls and seals,
 * and writes the number of every acknowledged message into the marks file, which the shim notes in its
 * trace.
 *
 * Arguments: data folder, marks file, seed, first message number, commits, durability, `kill` or `close`, bytes from
 * which on payloads are written in place (0: none), what is encrypted (`nothing`, `sealed` or `wal`).
 */
const [root, marks, seedText, firstText, commitsText, durability, ending, inPlaceText, encrypted] =
  process.argv.slice(2);
const inPlaceMinBytes = Number(inPlaceText);
const keys = (encrypted as Encrypted) === 'wal' ? testWalKeys : [];
const folder = dataFolder(present(root));
const marksFile = openSync(present(marks), 'a');
const random = new Random(Number(seedText));
const below = (limit: number): number => random.bits() % limit;

const recovered = await recoverWal(fs, folder, silentLogger, keys);
const sealer = new Sealer(
  folder,
  {
    compression: 'none',
    level: 1,
    chunkBytes: 64 * 1024,
    splitByPriority: false,
    softwareVersion: '0',
    nodeVersion: '0',
    recipients: (encrypted as Encrypted) === 'nothing' ? [] : [testRecipient],
    walKeys: keys,
  },
  {
    fs,
    clock: systemClock,
    logger: silentLogger,
    identity,
    seal: (request) => sealSegment(fs, request),
    onSealed: () => undefined,
  },
);
for (const { id, directory, cutAtSequence } of recovered.segments) {
  sealer.enqueue({
    id,
    directory,
    recovered: true,
    ...defined({ cutAtSequence }),
  });
}
const { wal, closed } = makeWal(folder, recovered.head, systemClock, {
  random: (size) => randomBytes(size),
  keys,
  options: {
    ...(inPlaceMinBytes > 0 ? { inPlace: { minBytes: inPlaceMinBytes, splitByPriority: false } } : {}),
    durability: durability as Durability,
    intervalMs: 5,
    segmentMaxBytes: 400_000,
  },
});

let next = Number(firstText);
const makeBatch = (large: boolean): Batch => {
  if (large) next = largeNumber(next);
  return batch(
    Array.from({ length: 1 + below(large ? 2 : 5) }, () => {
      const number = next++;
      return { ...crashMessage(number), ack: () => void writeSync(marksFile, `${number}\n`) };
    }),
  );
};
let upcoming: Batch | undefined;
for (let commit = 0; commit < Number(commitsText); commit++) {
  const large = below(3) === 0;
  const committed = wal.commit(upcoming ?? makeBatch(large));
  upcoming = large || below(2) === 0 ? makeBatch(large) : undefined;
  if (upcoming) wal.writeAhead(upcoming);
  await committed;
  if (below(6) === 0) await wal.roll();
  for (const segment of closed.splice(0)) sealer.enqueue({ ...segment, recovered: false });
  if (below(4) === 0) await sleep(below(8));
}
if (ending === 'kill') process.kill(process.pid, 'SIGKILL');
await wal.close();
for (const segment of closed.splice(0)) sealer.enqueue({ ...segment, recovered: false });
await sealer.drain();
await sealer.close();
