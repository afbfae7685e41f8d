import { randomBytes } from 'node:crypto';
import { Subject } from 'rxjs';
import { systemClock } from '../src/host/system-clock.js';
import type { Channel, Message } from '../src/core/message.js';
import { DropLedger } from '../src/ingest/drop-ledger.js';
import { groupCommit } from '../src/ingest/group-commit.js';
import { IngestBuffer } from '../src/ingest/ingest-buffer.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { median } from './measure.js';
import { benchChannel } from './wal-variants.js';

const MESSAGES = 200_000;
const TARGET_US = 2;
/** A message that drops another among 5,000 topics against one among 10; a search of all queues costs 500 times as much. */
const TOPICS_RATIO_MAX = 60;

/** What a source pays to hand over one message: through RxJS into its queue, commits resolving at once. */
export async function benchEnqueue({ rounds, say }: BenchContext): Promise<BenchReport> {
  const perMessage: number[] = [];
  for (let round = 0; round < rounds + 2; round++) perMessage.push(await oneRound());
  const us = median(perMessage.slice(2));
  say('');
  say(`enqueue: ${us.toFixed(3)} us per message (target ${TARGET_US})`);
  const ratio = median(Array.from({ length: rounds }, () => floodMs(5_000) / floodMs(10)));
  say(
    `enqueue: a flood over 5,000 topics costs ${ratio.toFixed(1)} times one over 10 (target ${TOPICS_RATIO_MAX})`,
  );
  const misses = [
    ...(us > TARGET_US ? [`enqueue ${us.toFixed(2)} us, target ${TARGET_US}`] : []),
    ...(ratio > TOPICS_RATIO_MAX
      ? [`enqueue: 5,000 topics cost ${ratio.toFixed(0)} times 10, target ${TOPICS_RATIO_MAX}`]
      : []),
  ];
  return { results: { enqueueUsPerMessage: us, topicsRatio: ratio }, misses };
}

/** Milliseconds for messages into full queues, each of which drops the oldest of all topics. */
function floodMs(topics: number): number {
  const buffer = new IngestBuffer(
    { totalMaxBytes: topics * 100, maxChannels: topics },
    () => ({ priority: 'normal', policy: 'drop-oldest', queueMaxBytes: 1e6 }),
    new DropLedger(randomBytes),
  );
  const channels = Array.from({ length: topics }, (_, i) => ({ ...benchChannel, topic: `/topic${i}` }));
  const data = Buffer.alloc(100);
  const now = systemClock.now();
  const messageOf = (channel: Channel): Message => ({
    kind: 'message',
    channel,
    data,
    receivedAt: now,
    publishedAt: now,
  });
  for (const channel of channels) buffer.push(messageOf(channel));
  const messages = Array.from({ length: 20_000 }, (_, i) => messageOf(channels[i % topics]!));
  const startedAt = performance.now();
  for (const message of messages) buffer.push(message);
  return performance.now() - startedAt;
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
