import { randomBytes } from 'node:crypto';
import { Subject } from 'rxjs';
import { systemClock } from '../src/app/system/system-clock.js';
import type { Message } from '../src/core/message.js';
import { DropLedger } from '../src/ingest/drop-ledger.js';
import { groupCommit } from '../src/ingest/group-commit.js';
import { IngestBuffer } from '../src/ingest/ingest-buffer.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { benchChannel } from './wal-variants.js';

const MESSAGES = 200_000;
const TARGET_US = 2;

/** What a source pays to hand over one message: through RxJS into its queue, commits resolving at once. */
export async function benchEnqueue({ rounds, say }: BenchContext): Promise<BenchReport> {
  const perMessage: number[] = [];
  for (let round = 0; round < rounds + 2; round++) perMessage.push(await oneRound());
  const us = median(perMessage.slice(2));
  say('');
  say(`enqueue: ${us.toFixed(3)} us per message (target ${TARGET_US})`);
  const misses = us > TARGET_US ? [`enqueue ${us.toFixed(2)} us, target ${TARGET_US}`] : [];
  return { results: { enqueueUsPerMessage: us }, misses };
}

async function oneRound(): Promise<number> {
  const drops = new DropLedger(randomBytes);
  const buffer = new IngestBuffer(
    { totalMaxBytes: 2 ** 30, maxChannels: 10 },
    () => ({ priority: 'normal', policy: 'drop-oldest', queueMaxBytes: 2 ** 30 }),
    drops,
  );
  const limits = { maxBytes: 4 * 1024 * 1024, maxCount: 20_000, maxAgeMs: 20 };
  const input = new Subject<Message>();
  const done = new Promise<void>((resolve, reject) => {
    input
      .pipe(groupCommit({ buffer, drops, limits, clock: systemClock, commit: async () => {} }))
      .subscribe({ error: reject, complete: resolve });
  });
  const data = Buffer.alloc(100);
  const now = systemClock.now();
  let spent = 0;
  for (let i = 0; i < MESSAGES;) {
    const before = performance.now();
    for (let burst = 0; burst < 1_000; burst++, i++) {
      input.next({ kind: 'message', channel: benchChannel, data, receivedAt: now, publishedAt: now });
    }
    spent += performance.now() - before;
    await new Promise((resolve) => setImmediate(resolve));
  }
  input.complete();
  await done;
  return (spent * 1000) / MESSAGES;
}
