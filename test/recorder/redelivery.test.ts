import assert from 'node:assert/strict';
import { Recorder } from '../../src/recorder/recorder.js';
import { systemPorts } from '../../src/host/ports.js';
import type { Channel, Message } from '../../src/core/message.js';
import { silentLogger } from '../../src/core/logger.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';
import { eventually } from '../../src/testing/waiting.js';

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

  it('is not part of a gap of its source if it is in the recording', async () => {
    const emit = async (firstSourceSequence: number, lastSourceSequence: number): Promise<void> => {
      const source = new PuppetSource(true);
      const recorder = await Recorder.open(place.options(), [source.input()], ports);
      const count = lastSourceSequence - firstSourceSequence + 1;
      const gap = {
        reason: 'missed_while_down',
        robot: 'r',
        count,
        firstSourceSequence,
        lastSourceSequence,
      } as const;
      source.emit({ kind: 'gap', gap, numberedIn: 'nats:S@2026' });
      source.end();
      await recorder.done;
    };
    await record(delivered(3, 1), delivered(4, 1), delivered(9, 1));
    await emit(1, 8);
    await emit(3, 4);
    const gaps = (await place.manifests()).flatMap((manifest) => manifest.gaps);
    assert.deepEqual(
      gaps.map(({ reason, count }) => [reason, count]),
      [['missed_while_down', 6]],
    );
  });

  it('is left with its server while recording is paused', async () => {
    const source = new PuppetSource(true);
    const recorder = await Recorder.open(place.options(), [source.input()], ports);
    source.emit({ kind: 'channel', channel: events });
    recorder.pause();
    source.emit(delivered(1, 1));
    recorder.resume();
    source.emit(delivered(1, 2));
    await eventually(() => acknowledged.length > 0, 'the acknowledgement');
    source.end();
    const { durable, dropped } = await recorder.done;
    assert.deepEqual([durable, dropped, acknowledged], [1, 0, ['1.2']]);
  });

  it('is dropped as a counted gap and acknowledged past the limit of channels, so that others continue', async () => {
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
