import * as fs from 'node:fs/promises';
import { openSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dataFolder } from '../../src/core/data-folder.js';
import { silentLogger } from '../../src/core/logger.js';
import { Sealer } from '../../src/seal/sealer.js';
import { sealSegment } from '../../src/seal/seal-segment.js';
import type { Batch } from '../../src/ingest/batch.js';
import { recoverWal } from '../../src/wal/recover.js';
import type { Durability } from '../../src/wal/durability.js';
import { crashMessage, largeNumber } from './crash-message.js';
import { TestClock, batch, countingRandom, identity, makeWal } from './wal-support.js';

/*
 * A small recorder for crash-state tests: recovers the folder, then commits known messages, rolls and seals,
 * and writes the number of every acknowledged message into the marks file, which the shim notes in its
 * trace.
 *
 * Arguments: data folder, marks file, seed, first message number, commits, durability, `kill` or `close`.
 */
const [root, marks, seedText, firstText, commitsText, durability, ending] = process.argv.slice(2) as string[];
const folder = dataFolder(root!);
const marksFile = openSync(marks!, 'a');
const random = countingRandom(Number(seedText));
const below = (limit: number): number => Buffer.from(random(4)).readUInt32LE() % limit;

const clock = new TestClock();
const recovered = await recoverWal(fs, folder, silentLogger);
const sealer = new Sealer(
  folder,
  {
    compression: 'none',
    level: 1,
    chunkBytes: 64 * 1024,
    splitByPriority: false,
    softwareVersion: '0',
    nodeVersion: '0',
  },
  {
    fs,
    clock,
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
    ...(cutAtSequence === undefined ? {} : { cutAtSequence }),
  });
}
const { wal, closed } = makeWal(folder, recovered.head, clock, {
  random: (size) => randomBytes(size),
  options: { durability: durability as Durability, intervalMs: 5, segmentMaxBytes: 400_000 },
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
  if (below(4) === 0) await new Promise((resolve) => setTimeout(resolve, below(8)));
}
if (ending === 'kill') process.kill(process.pid, 'SIGKILL');
await wal.close();
for (const segment of closed.splice(0)) sealer.enqueue({ ...segment, recovered: false });
await sealer.drain();
await sealer.close();
