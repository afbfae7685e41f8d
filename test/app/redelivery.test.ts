import assert from 'node:assert/strict';
import { Recorder } from '../../src/app/recorder.js';
import { systemPorts } from '../../src/app/system/ports.js';
import type { Channel, Message } from '../../src/core/message.js';
import { silentLogger } from '../../src/core/logger.js';
import { PuppetSource, RecorderPlace, eventually, testChannel, testMessage } from './recorder-support.js';

const ports = systemPorts(silentLogger);

const events: Channel = Object.freeze({ ...testChannel('events'), numberedIn: 'nats:S@2026' });

describe('A message delivered more than once', () => {
  let place: RecorderPlace;
  let acknowledged: string[];
  beforeEach(async () => {
    place = await RecorderPlace.make();
    acknowledged = [];
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const delivered = (number: number, delivery: number, of = events): Message => ({
    ...testMessage(of, `${number}`, { sourceSequence: number }),
    ack: () => acknowledged.push(`${number}.${delivery}`),
  });

  async function record(...messages: Message[]): Promise<number> {
    const source = new PuppetSource(true);
    const recorder = await Recorder.open(place.options(), [source.input()], ports);
    source.emit({ kind: 'channel', channel: events }, ...messages);
    source.end();
    return (await recorder.done).durable;
  }

  it('is recorded once: the first delivery is acknowledged with its commit, no other before it', async () => {
    assert.equal(await record(delivered(1, 1), delivered(2, 1), delivered(1, 2), delivered(9, 1)), 3);
    assert.deepEqual(acknowledged, ['1.1', '2.1', '9.1']);
  });

  it('is acknowledged at once and not recorded when an earlier process recorded it', async () => {
    await record(delivered(1, 1), delivered(3, 1));
    acknowledged = [];
    assert.equal(await record(delivered(3, 2), delivered(2, 1), delivered(1, 2)), 1);
    assert.deepEqual(acknowledged, ['3.2', '1.2', '2.1']);
    const recorded = (await place.manifests()).map(({ messages }) => messages);
    assert.deepEqual(recorded, [2, 1]);
  });

  it('is another message in another numbering, and numbers that are skipped are no loss', async () => {
    const again: Channel = Object.freeze({ ...events, numberedIn: 'nats:S@2027' });
    assert.equal(await record(delivered(1, 1), delivered(500, 1), delivered(1, 1, again)), 3);
    const gaps = (await place.manifests()).flatMap((manifest) => manifest.gaps);
    assert.deepEqual(gaps, []);
  });

  it('is left with its server while recording is paused', async () => {
    const source = new PuppetSource(true);
    const recorder = await Recorder.open(place.options(), [source.input()], ports);
    source.emit({ kind: 'channel', channel: events });
    recorder.pause();
    source.emit(delivered(1, 1));
    recorder.resume();
    source.emit(delivered(1, 2));
    await eventually('the acknowledgement', () => acknowledged.length > 0);
    source.end();
    const { durable, dropped } = await recorder.done;
    assert.deepEqual([durable, dropped, acknowledged], [1, 0, ['1.2']]);
  });

  it('is dropped as a counted gap and acknowledged past the limit of channels, so that others go on', async () => {
    const source = new PuppetSource(true);
    const recorder = await Recorder.open(place.options({ max_channels: '1' }), [source.input()], ports);
    const second: Channel = Object.freeze({ ...events, topic: 'more' });
    source.emit(delivered(1, 1), delivered(2, 1, second), delivered(3, 1));
    source.end();
    const { durable } = await recorder.done;
    assert.deepEqual([durable, acknowledged.sort()], [2, ['1.1', '2.1', '3.1']]);
    const gaps = (await place.manifests()).flatMap((manifest) => manifest.gaps);
    assert.deepEqual(
      gaps.map(({ reason, topic, count }) => [reason, topic, count]),
      [['memory_limit', 'more', 1]],
    );
  });
});
