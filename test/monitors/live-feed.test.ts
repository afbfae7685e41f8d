import assert from 'node:assert/strict';
import type { Timeline } from '../../src/core/monitoring.js';
import { present } from '../../src/core/present.js';
import type { FeedClient } from '../../src/monitors/live/feed-members.js';
import { LiveFeed } from '../../src/monitors/live/live-feed.js';
import { TopicTable } from '../../src/monitors/live/topic-table.js';
import { Watch } from '../../src/monitors/live/watch.js';
import { FakeRecorder, FakeSync, topicStats, watchPorts } from './fake-recorder.js';
import { silentLog } from './silent-log.js';

type Json = Record<string, unknown>;

/** A page that reads as fast, or as slowly, as the test asks. */
class TestClient implements FeedClient {
  unsentBytes = 0;
  isDropped = false;
  readonly got: Json[] = [];

  send(text: string): void {
    this.got.push(JSON.parse(text) as Json);
  }

  drop(): void {
    this.isDropped = true;
  }

  get kinds(): unknown[] {
    return this.got.map(({ type }) => type);
  }
}

describe('the live feed', () => {
  let recorder: FakeRecorder;
  let watch: Watch;
  let feed: LiveFeed;
  let timeline: Timeline = { version: 0, segments: [], omitted: 0, quarantined: 0 };
  const log = silentLog();
  /** One interval, without waiting for it. */
  const tick = (): void => feed.tick();

  beforeEach(() => {
    recorder = new FakeRecorder();
    timeline = { version: 0, segments: [], omitted: 0, quarantined: 0 };
    watch = new Watch({
      ...watchPorts(recorder, new FakeSync()),
      log,
      segments: { refresh: () => Promise.resolve(timeline) },
    });
    feed = new LiveFeed(watch, recorder, log, { intervalMs: 1_000_000 });
  });
  afterEach(() => {
    feed[Symbol.dispose]();
    watch[Symbol.dispose]();
  });

  it('begins with the complete state, and then sends only changes', () => {
    const client = new TestClient();
    feed.join(client);
    const hello = client.got[0]!;
    assert.equal(hello['type'], 'hello');
    assert.deepEqual(
      (hello['topics'] as Json[]).map(({ id, topic }) => [id, topic]),
      [
        [1, '/a'],
        [2, '/b'],
      ],
    );
    recorder.topicList = [topicStats('/a', { received: 2 }), topicStats('/b'), topicStats('/c')];
    tick();
    const update = client.got[1]!;
    assert.equal(update['type'], 'update');
    assert.deepEqual(update['topics'], [[1, 2, 10, 0, 1, 10, 0, 1_700_000_000_000, 1]]);
    assert.deepEqual(
      (update['newTopics'] as Json[]).map(({ id, topic }) => [id, topic]),
      [[3, '/c']],
    );
    tick();
    assert.deepEqual(client.got[2]!['topics'], []);
    assert.equal(client.got[2]!['newTopics'], undefined);
  });

  it('misses no change, also when the watch looks at the topics in between', () => {
    const client = new TestClient();
    feed.join(client);
    recorder.topicList = [topicStats('/a', { received: 5 }), topicStats('/b'), topicStats('/new')];
    watch.topics.sample(recorder.topicList);
    tick();
    assert.equal((client.got[1]!['topics'] as number[][])[0]![1], 5);
    assert.equal((client.got[1]!['newTopics'] as Json[]).length, 1);
  });

  it('gives a page that comes later the whole, as the others know it by then', () => {
    const first = new TestClient();
    feed.join(first);
    recorder.topicList = [...recorder.topicList, topicStats('/c')];
    const second = new TestClient();
    feed.join(second);
    assert.equal((second.got[0]!['topics'] as Json[]).length, 3);
    tick();
    assert.deepEqual(second.got[1], first.got.at(-1));
  });

  it('reports which segments are new, changed or gone', async () => {
    const one = { segment: 's1', robot: 'r', state: 'sealed' as const, bytes: 1, gaps: [], moreGaps: 0 };
    const two = { ...one, segment: 's2' };
    timeline = { version: 1, segments: [one, two], omitted: 0, quarantined: 0 };
    await watch.lookAtSegments();
    const client = new TestClient();
    feed.join(client);
    assert.equal(((client.got[0]!['segments'] as Json)['segments'] as Json[]).length, 2);
    const uploaded = { ...two, state: 'uploaded' as const };
    timeline = { version: 2, segments: [uploaded], omitted: 3, quarantined: 0 };
    await watch.lookAtSegments();
    tick();
    tick();
    assert.deepEqual(client.got[1]!['segments'], {
      changed: [uploaded],
      removed: ['s1/r/'],
      omitted: 3,
      quarantined: 0,
    });
    assert.equal(client.got[2]!['segments'], undefined);
  });

  it('brings new log lines, each once', () => {
    const client = new TestClient();
    log.info('before');
    feed.join(client);
    log.info('during', { n: 1 });
    tick();
    tick();
    assert.equal(present((client.got[0]!['log'] as Json[]).at(-1))['event'], 'before');
    assert.deepEqual(
      (client.got[1]!['log'] as Json[]).map(({ event, facts }) => [event, facts]),
      [['during', 'n=1']],
    );
    assert.equal(client.got[2]!['log'], undefined);
  });

  it('skips a slow page without waiting, and sends it the complete state once it has caught up', () => {
    const slow = new TestClient();
    const quick = new TestClient();
    feed.join(slow);
    feed.join(quick);
    const before = slow.got.length;
    slow.unsentBytes = 10_000_000;
    for (let n = 0; n < 5; n++) tick();
    assert.equal(slow.got.length, before);
    assert.equal(feed.skipped, 5);
    slow.unsentBytes = 0;
    tick();
    tick();
    assert.deepEqual(slow.kinds.slice(before), ['hello', 'update']);
    assert.deepEqual(quick.kinds.slice(0, 4), ['hello', 'update', 'update', 'update']);
  });

  it('drops a page that never catches up', () => {
    const dead = new TestClient();
    feed.join(dead);
    dead.unsentBytes = 10_000_000;
    for (let n = 0; n < 60; n++) tick();
    assert.ok(dead.isDropped);
    assert.deepEqual([feed.clients, feed.dropped], [0, 1]);
  });

  it('stays small: 300 busy topics of 20 robots are reported in less than 64 KiB', () => {
    const robots = Array.from({ length: 20 }, (_, n) => ({
      ...recorder.current.robots[0]!,
      robot: `robot${n}`,
    }));
    recorder.current = { ...recorder.current, robots };
    const client = new TestClient();
    for (let round = 1; round <= 2; round++) {
      recorder.topicList = Array.from({ length: 300 }, (_, n) =>
        topicStats(`/robot${n % 20}/sensors/some/long/topic${n}`, {
          robot: `robot${n % 20}`,
          received: 1e7 + round,
          receivedBytes: 1e12 + round,
          messagesPerS: 123.456,
          bytesPerS: 98_765.4321,
        }),
      );
      if (round === 1) feed.join(client);
      else tick();
    }
    assert.equal((client.got[1]!['topics'] as unknown[]).length, 300);
    assert.ok(JSON.stringify(client.got[1]).length < 64 * 1024);
  });

  it('does nothing without a viewer', () => {
    const leave = feed.join(new TestClient());
    leave();
    assert.equal(feed.clients, 0);
    assert.equal(feed.isRunning, false);
  });
});

describe('the watch', () => {
  it('continues when the recorder, sync or the disk fails under it', async () => {
    const recorder = new FakeRecorder();
    const watch = new Watch({
      ...watchPorts(recorder, {
        status: () => Promise.reject(new Error('gone')),
        syncNow: () => Promise.reject(new Error('gone')),
      }),
      segments: { refresh: () => Promise.reject(new Error('EIO')) },
    });
    recorder.status = () => {
      throw new Error('broken');
    };
    watch.tick();
    await watch.askSync();
    await watch.lookAtSegments();
    assert.equal(watch.sync, undefined);
    assert.deepEqual(watch.timeline.segments, []);
    watch[Symbol.dispose]();
  });
});

describe('the topic table', () => {
  it('is bounded in topics and reports how many it leaves out', () => {
    const table = new TopicTable(100);
    const topics = Array.from({ length: 250 }, (_, n) => topicStats(`/t${n}`));
    assert.equal(table.update(topics).added.length, 100);
    assert.equal(table.omitted, 150);
    assert.equal(table.update(topics).added.length, 0);
  });

  it('keeps a topic the recorder has given up, as gone', () => {
    const table = new TopicTable(10);
    table.update([topicStats('/a'), topicStats('/b')]);
    const { changed } = table.update([topicStats('/b')]);
    assert.deepEqual(
      changed.map(([id, , , , messagesPerS, , , , present]) => [id, messagesPerS, present]),
      [[1, 0, 0]],
    );
    assert.deepEqual(table.update([topicStats('/b')]).changed, []);
  });

  it('keeps forty points of the past of each topic', () => {
    const table = new TopicTable(10);
    for (let n = 0; n < 60; n++) table.sample([topicStats('/a', { messagesPerS: n })]);
    const [row] = table.rows();
    assert.ok(row);
    assert.deepEqual([row.spark.length, row.spark[0], row.spark.at(-1)], [40, 20, 59]);
  });
});
