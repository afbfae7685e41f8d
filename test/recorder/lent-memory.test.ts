import assert from 'node:assert/strict';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/logger.js';
import type { Channel, Message } from '../../src/core/message.js';
import { systemPorts } from '../../src/host/ports.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { openRecording } from '../../src/recordings/entry.js';
import { eventually } from '../../src/testing/waiting.js';
import { firstOf } from '../support/first-of.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';

const ports = systemPorts(silentLogger);
const BYTES = 40_000;

/** Lends the memory of its messages, and overwrites what it gets back. */
class Lender {
  lent = 0;
  returned = 0;
  twice = 0;

  message(channel: Channel, number: number): Message {
    const data = contentOf(number);
    let isBack = false;
    this.lent++;
    const release = (): void => {
      if (isBack) this.twice++;
      else this.returned++;
      isBack = true;
      data.fill(0xdb);
    };
    return {
      ...testMessage(channel, ''),
      ...{ data, receivedAt: BigInt(number), publishedAt: 1n, lease: { release } },
    };
  }
}

function contentOf(number: number): Buffer {
  return Buffer.alloc(BYTES, `${number} `);
}

describe('A recorder with messages in lent memory', function () {
  this.timeout(60_000);
  let place: RecorderPlace;
  let source: PuppetSource;
  let lender: Lender;
  beforeEach(async () => {
    place = await RecorderPlace.make();
    source = new PuppetSource();
    lender = new Lender();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const open = (flags = {}) => Recorder.open(place.options(flags), [source.input()], ports);

  /** Their numbers; throws if one was overwritten. */
  async function recorded(topic: string, from = place.data): Promise<number[]> {
    await using recording = await openRecording(from);
    const numbers: number[] = [];
    for await (const { data } of recording.messages({ topics: [topic] })) {
      const number = Number.parseInt(Buffer.from(data).toString('latin1', 0, 8), 10);
      assert.ok(contentOf(number).equals(data), `message ${numbers.length} of ${topic} was overwritten`);
      numbers.push(number);
    }
    return numbers;
  }

  it('returns it after the commit, once, and has recorded what was lent', async () => {
    const recorder = await open();
    const of = testChannel('/camera');
    for (let round = 0; round < 20; round++) {
      for (let n = 1; n <= 25; n++) source.emit(lender.message(of, round * 25 + n));
      await eventually(() => recorder.status().totals.durable === (round + 1) * 25, 'durable');
    }
    await eventually(() => lender.returned === 500, 'all are returned');
    source.end();
    await recorder.done;
    assert.deepEqual(
      await recorded('/camera'),
      Array.from({ length: 500 }, (_, n) => n + 1),
    );
    assert.equal(lender.twice, 0);
  });

  it('returns what it drops, leaves out, does not want or refuses during a pause', async () => {
    const flags = {
      ...{ rules: ['/thin every=10', '/low queue=100000'] },
      ...{ excludeTopics: ['/unwanted'], 'queue.total_max_bytes': '1MiB' },
    };
    const recorder = await open(flags);
    for (const topic of ['/thin', '/low', '/unwanted', '/camera']) {
      const of = testChannel(topic);
      for (let n = 1; n <= 200; n++) source.emit(lender.message(of, n));
    }
    await eventually(() => lender.returned === 800, 'all are returned');
    assert.ok(recorder.status().totals.dropped > 0, 'the queues are too small');
    recorder.pause();
    for (let n = 1; n <= 10; n++) source.emit(lender.message(testChannel('/camera'), 200 + n));
    assert.equal(lender.returned, 810);
    source.end();
    await recorder.done;
    for (const topic of ['/thin', '/low', '/camera']) assert.ok((await recorded(topic)).length > 0, topic);
    assert.equal(lender.twice, 0);
  });

  it('carries latched messages into every segment, although their memory was returned', async () => {
    const recorder = await open();
    const latched = testChannel('/map', 'robot1', true);
    source.emit(lender.message(latched, 7));
    await eventually(() => lender.returned === 1, 'returned');
    assert.deepEqual(
      [...recorder.latched()].map(({ data }) => contentOf(7).equals(data)),
      [true],
    );
    await recorder.split();
    source.emit(lender.message(testChannel('/camera'), 8));
    await eventually(() => lender.returned === 2, 'returned');
    source.end();
    await recorder.done;
    const [, second] = firstOf(2, await place.manifests());
    assert.deepEqual(await recorded('/map', join(place.data, 'sealed', second.file.name)), [7]);
    assert.equal(lender.twice, 0);
  });
});
