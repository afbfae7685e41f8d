import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Channel, Message, Priority, QueuePolicy } from '../../src/core/message.js';
import { present } from '../../src/core/present.js';
import { drain, makeBuffer, makeChannel, makeMessage } from './ingest-support.js';

describe('Ingest buffer', () => {
  it('gives messages back in the order of arrival, over all channels of a class', () => {
    const { buffer } = makeBuffer();
    const channels = ['/a', '/b', '/c'].map((topic) => makeChannel(topic));
    const sent = [0, 1, 2, 2, 1, 0, 0, 2].map((i) => makeMessage(channels[i]!, 10));
    for (const message of sent) buffer.push(message);
    assert.deepEqual(drain(buffer), sent);
    assert.equal(buffer.bytes, 0);
    assert.equal(buffer.messages, 0);
  });

  it('gives the higher class first', () => {
    const priorities: Record<string, Priority> = { '/low': 'low', '/normal': 'normal', '/high': 'high' };
    const { buffer } = makeBuffer({ priorityOf: ({ topic }) => priorities[topic]! });
    for (const topic of ['/low', '/normal', '/high', '/low', '/high']) {
      buffer.push(makeMessage(makeChannel(topic), 10));
    }
    assert.deepEqual(
      drain(buffer).map(({ channel }) => channel.topic),
      ['/high', '/high', '/normal', '/low', '/low'],
    );
  });

  it('drops the oldest message of a full channel, and states the source numbers that this settles', () => {
    const { buffer, drops } = makeBuffer({ queueMaxBytes: 100 });
    const channel = makeChannel('/a');
    for (let i = 1; i <= 5; i++) buffer.push(makeMessage(channel, 40, i));
    assert.deepEqual(
      drain(buffer).map(({ sourceSequence }) => sourceSequence),
      [4, 5],
    );
    const [gap, ...rest] = drops.take();
    assert.deepEqual(rest, []);
    assert.equal(gap?.reason, 'queue_full_drop_oldest');
    assert.equal(gap.count, 3);
    assert.equal(gap.bytes, 120);
    assert.deepEqual([gap.firstSourceSequence, gap.lastSourceSequence], [1, 3]);
    assert.equal(gap.settledThrough, 3);
  });

  it('drops the newest messages under that policy, and does not claim older ones settled', () => {
    const { buffer, drops } = makeBuffer({ queueMaxBytes: 100, policy: 'drop-newest' });
    const channel = makeChannel('/a');
    for (let i = 1; i <= 5; i++) buffer.push(makeMessage(channel, 40, i));
    assert.deepEqual(
      drain(buffer).map(({ sourceSequence }) => sourceSequence),
      [1, 2],
    );
    const [gap] = drops.take();
    assert.equal(gap?.reason, 'queue_full_drop_newest');
    assert.deepEqual([gap.count, gap.firstSourceSequence, gap.lastSourceSequence], [3, 3, 5]);
    assert.equal(gap.settledThrough, undefined);
  });

  it('keeps waiting messages when its limits are lowered, and applies the new limits to new messages', () => {
    const setup = { queueMaxBytes: 1_000 };
    const { buffer, drops } = makeBuffer(setup);
    const [a, b] = [makeChannel('/a'), makeChannel('/b')];
    for (let n = 0; n < 10; n++) for (const of of [a, b]) buffer.push(makeMessage(of, 100));
    setup.queueMaxBytes = 200;
    buffer.reconfigure({ totalMaxBytes: 400, maxChannels: 2 });
    assert.equal(drops.pending, false);
    buffer.push(makeMessage(a, 100));
    assert.equal(drops.take()[0]?.count, 1, 'one came, one went');
    assert.equal(drain(buffer).length, 20);
    for (let n = 0; n < 10; n++) buffer.push(makeMessage(a, 100));
    assert.equal(buffer.bytes, 200, 'the new limit holds once the old messages have gone');
  });

  it('accepts a channel that it had refused when more are allowed', () => {
    const { buffer } = makeBuffer({ limits: { maxChannels: 1 } });
    const [a, b] = [makeChannel('/a'), makeChannel('/b')];
    for (const of of [a, b]) buffer.push(makeMessage(of, 1));
    buffer.reconfigure({ totalMaxBytes: 10_000, maxChannels: 2 });
    buffer.push(makeMessage(b, 1));
    assert.deepEqual(
      drain(buffer).map(({ channel }) => channel.topic),
      ['/a', '/b'],
    );
  });

  it('loses and reorders no message of a channel when its class changes', () => {
    const classes: readonly Priority[] = ['high', 'normal', 'low'];
    const action = fc.oneof(
      fc.record({ kind: fc.constant('push' as const), topic: fc.nat(2) }),
      fc.record({ kind: fc.constant('shift' as const) }),
      fc.record({ kind: fc.constant('change' as const), topic: fc.nat(2), to: fc.nat(2) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const priorities = [0, 1, 2];
        const channels = ['0', '1', '2'].map((topic) => makeChannel(topic));
        const { buffer } = makeBuffer({
          policy: 'block',
          priorityOf: ({ topic }) => classes[priorities[Number(topic)]!]!,
        });
        const sent = new Map<Channel, Message[]>(channels.map((of) => [of, []]));
        const got = new Map<Channel, Message[]>(channels.map((of) => [of, []]));
        const take = (message: Message | undefined): void => {
          if (message) present(got.get(message.channel)).push(message);
        };
        for (const one of actions) {
          if (one.kind === 'shift') take(buffer.shift());
          else if (one.kind === 'change') {
            priorities[one.topic] = one.to;
            buffer.reconfigure({ totalMaxBytes: 10_000, maxChannels: 3 });
          } else {
            const message = makeMessage(channels[one.topic]!, 10);
            present(sent.get(message.channel)).push(message);
            buffer.push(message);
          }
        }
        for (const message of drain(buffer)) take(message);
        assert.deepEqual(got, sent);
        assert.deepEqual([buffer.bytes, buffer.messages], [0, 0]);
      }),
    );
  });

  it('never drops the messages of a source that waits', () => {
    const { buffer, drops } = makeBuffer({
      policyOf: ({ topic }) => (topic === '/file' ? 'block' : 'drop-oldest'),
      limits: { totalMaxBytes: 500 },
    });
    const file = makeChannel('/file');
    for (let i = 0; i < 20; i++) buffer.push(makeMessage(file, 100));
    buffer.push(makeMessage(makeChannel('/live'), 100));
    assert.equal(drain(buffer).filter(({ channel }) => channel === file).length, 20);
    assert.deepEqual(
      drops.take().map(({ topic, reason }) => [topic, reason]),
      [['/live', 'memory_limit']],
    );
  });

  it('drops a message larger than its queue as too large, and accepts one that just fits', () => {
    const { buffer, drops } = makeBuffer({ queueMaxBytes: 100 });
    const channel = makeChannel('/huge');
    buffer.push(makeMessage(channel, 100, 1));
    buffer.push(makeMessage(channel, 101, 2));
    assert.deepEqual(
      drain(buffer).map(({ sourceSequence }) => sourceSequence),
      [1],
    );
    assert.deepEqual(
      drops.take().map(({ topic, reason, count }) => [topic, reason, count]),
      [['/huge', 'message_too_large', 1]],
    );
  });

  it('keeps a message larger than its queue of a source that can wait', () => {
    const { buffer, drops } = makeBuffer({ queueMaxBytes: 100, policy: 'block' });
    buffer.push(makeMessage(makeChannel('/file'), 101));
    assert.equal(drain(buffer).length, 1);
    assert.deepEqual(drops.take(), []);
  });

  it('refuses one message above the total limit, and no other channel loses a message for it', () => {
    const { buffer, drops } = makeBuffer();
    const quiet = makeMessage(makeChannel('/quiet'), 10);
    buffer.push(quiet);
    buffer.push(makeMessage(makeChannel('/huge'), 10_001));
    assert.deepEqual(drain(buffer), [quiet]);
    assert.deepEqual(
      drops.take().map(({ topic, reason, count }) => [topic, reason, count]),
      [['/huge', 'message_too_large', 1]],
    );
  });

  it('names the cause instead of the policy while the disk stalls', () => {
    const { buffer, drops } = makeBuffer({ queueMaxBytes: 50 });
    buffer.stalledBy = 'disk_full';
    const channel = makeChannel('/a');
    for (let i = 0; i < 3; i++) buffer.push(makeMessage(channel, 40));
    assert.deepEqual(drops.droppedByReason(), { disk_full: 2 });
  });

  it('drops from the lowest class first, and never in favour of a lower one', () => {
    const priorities: Record<string, Priority> = { '/low': 'low', '/normal': 'normal', '/high': 'high' };
    const { buffer, drops } = makeBuffer({
      priorityOf: ({ topic }) => priorities[topic]!,
      limits: { totalMaxBytes: 300 },
    });
    for (const topic of ['/low', '/normal', '/high']) buffer.push(makeMessage(makeChannel(topic), 100));
    buffer.push(makeMessage(makeChannel('/high'), 100));
    buffer.push(makeMessage(makeChannel('/high'), 100));
    assert.deepEqual(
      drops.take().map(({ topic }) => topic),
      ['/low', '/normal'],
    );
    buffer.push(makeMessage(makeChannel('/normal'), 100));
    assert.deepEqual(
      drops.take().map(({ topic }) => topic),
      ['/normal'],
    );
    assert.equal(drain(buffer).length, 3);
  });

  it('loses no message of other channels when one channel floods', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            quiet: fc.boolean(),
            channel: fc.nat(9),
            size: fc.integer({ min: 1, max: 60 }),
            burst: fc.integer({ min: 1, max: 30 }),
            take: fc.nat(3),
          }),
          { maxLength: 200 },
        ),
        (steps) => {
          // Ten quiet channels hold at most 60 bytes each: less than what the flood may hold.
          const { buffer, drops } = makeBuffer({ limits: { totalMaxBytes: 2000 }, queueMaxBytes: 5000 });
          const flood = makeChannel('/flood');
          const quiet = Array.from({ length: 10 }, (_, i) => makeChannel(`/quiet${i}`));
          for (const { quiet: isQuiet, channel, size, burst, take } of steps) {
            const of = quiet[channel]!;
            if (isQuiet && present(buffer.queueOf(of)).length === 0) buffer.push(makeMessage(of, size));
            else for (let i = 0; i < burst; i++) buffer.push(makeMessage(flood, 50));
            for (let i = 0; i < take; i++) buffer.shift();
          }
          assert.ok(drops.take().every(({ topic }) => topic === '/flood'));
        },
      ),
    );
  });

  it('drops from the flooding channel even if another was the fullest before', () => {
    const { buffer, drops } = makeBuffer({ limits: { totalMaxBytes: 1000 }, queueMaxBytes: 1000 });
    const early = makeChannel('/early');
    const flood = makeChannel('/flood');
    for (let i = 0; i < 9; i++) buffer.push(makeMessage(early, 100));
    for (let i = 0; i < 3; i++) buffer.push(makeMessage(flood, 100));
    const before = drops.take().filter(({ topic }) => topic === '/early')[0]?.count ?? 0;
    for (let i = 0; i < 1000; i++) buffer.push(makeMessage(flood, 100));
    const after = drops.take().filter(({ topic }) => topic === '/early')[0]?.count ?? 0;
    assert.ok(before + after <= 5, `${before + after} of 9 earlier messages were dropped`);
  });

  it('accepts 20,000 channels, and refuses further ones with a gap', () => {
    const { buffer, drops } = makeBuffer({ limits: { totalMaxBytes: 1e9, maxChannels: 20_000 } });
    for (let i = 0; i < 20_005; i++) buffer.push(makeMessage(makeChannel(`/topic${i}`), 10));
    assert.equal(buffer.messages, 20_000);
    const gaps = drops.take();
    assert.deepEqual(
      gaps.map(({ topic, reason }) => [topic, reason]),
      [20_000, 20_001, 20_002, 20_003, 20_004].map((i) => [`/topic${i}`, 'memory_limit']),
    );
  });

  it('drops from the fullest channels, for any sizes, within a factor of two', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ channel: fc.nat(7), size: fc.integer({ min: 0, max: 900 }) }), {
          maxLength: 200,
        }),
        (pushes) => {
          const { buffer, drops } = makeBuffer({ limits: { totalMaxBytes: 3000 }, queueMaxBytes: 1e6 });
          const channels = Array.from({ length: 8 }, (_, i) => makeChannel(`/c${i}`));
          for (const { channel, size } of pushes) {
            const before = new Map(
              [...buffer.allQueues()].map((queue) => [queue.channel.topic, queue.bytes]),
            );
            const fullest = Math.max(0, ...before.values());
            buffer.push(makeMessage(channels[channel]!, size));
            const losers = drops.take();
            // The first to lose held at least half of what the fullest held.
            if (losers.length === 1) assert.ok(present(before.get(present(losers[0]!.topic))) * 2 >= fullest);
          }
        },
      ),
    );
  });

  it('treats two objects of one channel as one, and may forget either', () => {
    const { buffer } = makeBuffer({ limits: { maxChannels: 1 } });
    const [a, b] = [makeChannel('/same'), makeChannel('/same')];
    assert.equal(buffer.queueOf(a), buffer.queueOf(b));
    buffer.forget(a);
    assert.equal(buffer.queueOf(a), buffer.queueOf(b));
  });

  it('agrees with a naive model under random actions, and keeps turns = queued + stale', () => {
    const action = fc.oneof(
      { weight: 4, arbitrary: fc.record({ push: fc.nat(4), size: fc.integer({ min: 0, max: 400 }) }) },
      { weight: 2, arbitrary: fc.record({ shift: fc.integer({ min: 1, max: 5 }) }) },
    );
    const policies: QueuePolicy[] = ['drop-oldest', 'drop-newest', 'block', 'drop-oldest', 'drop-newest'];
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300 }), (actions) => {
        const channels = policies.map((_, i) => makeChannel(`/c${i}`));
        const policyOf = (channel: Channel): QueuePolicy => policies[channels.indexOf(channel)]!;
        const { buffer, drops } = makeBuffer({
          policyOf,
          queueMaxBytes: 500,
          limits: { totalMaxBytes: 1200 },
        });
        const waiting = new Map<Channel, Message[]>(channels.map((channel) => [channel, []]));
        let received = 0;
        let taken = 0;
        for (const step of actions) {
          if ('push' in step) {
            const message = makeMessage(channels[step.push]!, step.size);
            present(waiting.get(message.channel)).push(message);
            received++;
            buffer.push(message);
          } else {
            for (let i = 0; i < step.shift; i++) {
              const message = buffer.shift();
              if (!message) break;
              taken++;
              const list = present(waiting.get(message.channel));
              const index = list.indexOf(message);
              // Each at most once, in its channel's order; those jumped over were dropped.
              assert.ok(index >= 0);
              list.splice(0, index + 1);
            }
          }
          checkInvariants(buffer, drops, received, taken);
        }
        taken += drain(buffer).length;
        checkInvariants(buffer, drops, received, taken);
        assert.equal(buffer.messages, 0);
      }),
      { numRuns: 200 },
    );
  });

  function checkInvariants(
    buffer: ReturnType<typeof makeBuffer>['buffer'],
    drops: ReturnType<typeof makeBuffer>['drops'],
    received: number,
    taken: number,
  ): void {
    const queues = [...buffer.allQueues()];
    const dropped = Object.values(drops.droppedByReason()).reduce((sum, count) => sum + count, 0);
    assert.equal(received, taken + dropped + buffer.messages);
    assert.equal(
      buffer.messages,
      queues.reduce((sum, queue) => sum + queue.length, 0),
    );
    assert.equal(
      buffer.bytes,
      queues.reduce((sum, queue) => sum + queue.bytes, 0),
    );
    assert.equal(
      dropped,
      queues.reduce((sum, queue) => sum + queue.dropped, 0),
    );
    assert.equal(
      buffer.turns,
      queues.reduce((sum, queue) => sum + queue.length + queue.staleTurns, 0),
    );
    const bounded = queues.filter(({ rule }) => rule.policy !== 'block');
    for (const queue of bounded) assert.ok(queue.bytes <= queue.rule.queueMaxBytes || queue.length === 1);
  }
});
