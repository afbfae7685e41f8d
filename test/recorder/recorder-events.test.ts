import assert from 'node:assert/strict';
import { Recorder } from '../../src/recorder/recorder.js';
import { systemPorts } from '../../src/host/ports.js';
import type { RecorderEvent } from '../../src/core/events.js';
import { silentLogger } from '../../src/core/logger.js';
import type { Message } from '../../src/core/message.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';
import { eventually } from '../../src/testing/waiting.js';

describe('the events of a recorder', function () {
  this.timeout(30_000);
  let place: RecorderPlace;
  let puppet: PuppetSource;
  let recorder: Recorder;
  const events: RecorderEvent[] = [];

  beforeEach(async () => {
    place = await RecorderPlace.make();
    puppet = new PuppetSource();
    events.length = 0;
    recorder = await Recorder.open(place.options(), [puppet.input()], systemPorts(silentLogger));
    recorder.onEvent((event) => events.push(event));
  });
  afterEach(async () => {
    await recorder.close();
    await place[Symbol.asyncDispose]();
  });

  const of = <K extends RecorderEvent['kind']>(kind: K): Extract<RecorderEvent, { kind: K }>[] =>
    events.filter((event) => event.kind === kind) as Extract<RecorderEvent, { kind: K }>[];

  it('says that a segment is sealed, with its manifest, once it is', async () => {
    puppet.emit(testMessage(testChannel('/a'), 'one'));
    await eventually(() => recorder.status().totals.durable === 1, 'durable');
    await recorder.split();
    await eventually(() => of('segment-sealed').length === 1, 'sealed');
    assert.equal(of('segment-sealed')[0]?.manifest.messages, 1);
    assert.deepEqual(await place.manifests(), [of('segment-sealed')[0]?.manifest]);
  });

  it('reports a gap only when it is durable', async () => {
    const durableAt: number[] = [];
    recorder.onEvent((event) => {
      if (event.kind === 'gap') durableAt.push(recorder.status().totals.durable);
    });
    const numbered = testChannel('/numbered');
    puppet.emit(
      testMessage(numbered, 'x', { sourceSequence: 1 }),
      testMessage(numbered, 'x', { sourceSequence: 5 }),
    );
    await eventually(() => of('gap').length === 1, 'a gap');
    assert.equal(of('gap')[0]?.gap.count, 3);
    assert.deepEqual(durableAt, [2]);
  });

  it('reports each change of its state once', async () => {
    recorder.pause();
    recorder.pause();
    recorder.resume();
    await recorder.close();
    assert.deepEqual(
      of('state').map(({ state }) => state),
      ['paused', 'recording', 'draining', 'stopped'],
    );
  });

  it('continues if a listener throws', async () => {
    recorder.onEvent(() => {
      throw new Error('no');
    });
    recorder.tap(() => {
      throw new Error('no');
    });
    puppet.emit(testMessage(testChannel('/a'), 'one'));
    await eventually(() => recorder.status().totals.durable === 1, 'durable');
  });

  it('passes every message to a tap when it is queued, and stops after the last tap left', () => {
    const seen: Message[] = [];
    const message = testMessage(testChannel('/a'), 'one');
    const leave = recorder.tap((one) => seen.push(one));
    puppet.emit(message);
    assert.deepEqual(seen, [message]);
    leave();
    puppet.emit(message);
    assert.equal(seen.length, 1);
  });

  it('knows about every channel what came, how fast, and whether it is still there', async () => {
    const gone = testChannel('/gone');
    const latched = testChannel('/map', 'robot2', true);
    puppet.emit(
      { kind: 'channel', channel: latched },
      testMessage(gone, 'four'),
      testMessage(gone, 'four', { receivedAt: 2_000_000_000n }),
      { kind: 'channel-gone', channel: gone },
    );
    assert.equal(recorder.topics().find(({ topic }) => topic === '/gone')?.present, false);
    await eventually(() => recorder.topics().some(({ messagesPerS }) => messagesPerS > 0), 'a rate');
    const [first, second] = recorder.topics();
    assert.ok(first && second);
    assert.equal(first.topic, '/map');
    assert.deepEqual(
      [first.robot, first.latched, first.received, first.lastReceivedAt, first.present],
      ['robot2', true, 0, undefined, true],
    );
    const { messagesPerS, bytesPerS, ...rest } = second;
    assert.ok(messagesPerS > 0 && Math.abs(bytesPerS / messagesPerS - 4) < 1e-6);
    assert.deepEqual(rest, {
      robot: 'robot1',
      topic: '/gone',
      type: 'test_msgs/msg/Bytes',
      encoding: 'cdr',
      latched: false,
      priority: 'normal',
      received: 2,
      receivedBytes: 8,
      dropped: 0,
      decimated: 0,
      queuedBytes: 0,
      lastReceivedAt: '2000000000',
      present: false,
    });
    puppet.emit(testMessage(testChannel('/gone'), 'back'));
    assert.equal(recorder.topics()[1]?.present, true);
  });
});
