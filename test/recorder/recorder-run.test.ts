import assert from 'node:assert/strict';
import { silentLogger } from '../../src/core/logger.js';
import type { Message } from '../../src/core/message.js';
import { systemPorts, type SystemPorts } from '../../src/host/ports.js';
import { Recorder, type RecordSummary } from '../../src/recorder/recorder.js';
import { eventually } from '../../src/testing/waiting.js';
import { RefusingFs } from '../faults/refusing-fs.js';
import { RefusingLevel } from '../faults/refusing-level.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';

/** Above the size up to which payloads are in LevelDB. */
const LARGE = 'x'.repeat(100_000);
const topic = testChannel('/a');

describe('the end of a recording on a disk that refuses', function () {
  this.timeout(60_000);
  let place: RecorderPlace;
  let disk: RefusingFs;
  let level: RefusingLevel;
  let ports: SystemPorts;
  let source: PuppetSource;

  beforeEach(async () => {
    place = await RecorderPlace.make();
    disk = new RefusingFs();
    level = new RefusingLevel();
    ports = { ...systemPorts(silentLogger), fs: disk.fs };
    source = new PuppetSource();
  });
  afterEach(async () => {
    level[Symbol.dispose]();
    await place[Symbol.asyncDispose]();
  });

  async function start(): Promise<Recorder> {
    const recorder = await Recorder.prepare(place.options({ 'batch.max_age_ms': '1ms' }), ports);
    await recorder.start([source.input()]);
    return recorder;
  }
  const isDurable = (recorder: Recorder, count: number): Promise<unknown> =>
    eventually(() => recorder.status().totals.durable === count, `${count} are durable`);
  const counts = ({ received, durable, dropped, givenUp, undurable }: RecordSummary): unknown => ({
    ...{ received, durable, dropped, givenUp, undurable },
  });
  const gaps = async (): Promise<unknown[]> =>
    (await place.manifests()).flatMap((manifest) =>
      manifest.gaps.map((gap) => [gap.reason, gap.topic, gap.count, gap.bytes]),
    );

  it('leaves gaps in the recording in place of the messages, and reports them', async () => {
    const recorder = await start();
    source.emit(testMessage(topic, 'first'));
    await isDurable(recorder, 1);
    disk.refusal = { operation: 'writev', path: /wal\//, code: 'ENOSPC' };
    for (let i = 0; i < 3; i++) source.emit(testMessage(topic, LARGE));
    const summary = await recorder.close();
    assert.deepEqual(counts(summary), { received: 4, durable: 1, dropped: 3, givenUp: 3, undurable: 0 });
    assert.deepEqual(await gaps(), [['disk_full', '/a', 3, 3 * LARGE.length]]);
  });

  it('writes no latched message again before these gaps', async () => {
    const recorder = await start();
    source.emit(testMessage(testChannel('/tf_static', 'robot1', true), LARGE));
    await isDurable(recorder, 1);
    disk.refusal = { operation: 'writev', path: /wal\//, code: 'ENOSPC' };
    source.emit(testMessage(topic, LARGE));
    const { givenUp, undurable } = await recorder.close();
    assert.deepEqual([givenUp, undurable], [1, 0]);
    assert.deepEqual(await gaps(), [['disk_full', '/a', 1, LARGE.length]]);
  });

  it('reports as undurable what finds no room even as a gap, until a later start writes the gap', async () => {
    const recorder = await start();
    source.emit(testMessage(topic, 'first'));
    await isDurable(recorder, 1);
    disk.refusal = {
      operation: new Set(['mkdir', 'write', 'writev', 'writeFile']),
      path: /./,
      code: 'ENOSPC',
    };
    level.refusal = 'unwritten';
    source.emit(testMessage(topic, LARGE), testMessage(topic, 'small'));
    await assert.rejects(recorder.stop(), { code: 'WAL_WRITE_FAILED' });
    disk.refusal = level.refusal = undefined;
    await recorder.start([source.input()]);
    source.emit(testMessage(topic, 'last'));
    await isDurable(recorder, 2);
    const summary = await recorder.close();
    assert.deepEqual(counts(summary), { received: 4, durable: 2, dropped: 2, givenUp: 2, undurable: 0 });
    assert.deepEqual(await gaps(), [['disk_full', '/a', 2, LARGE.length + 5]]);
  });

  it('counts the messages that no gap accounts for', async () => {
    const recorder = await start();
    level.refusal = 'unwritten';
    source.emit(testMessage(topic, 'a'), testMessage(topic, 'b'));
    const summary = await recorder.close();
    assert.deepEqual(counts(summary), { received: 2, durable: 0, dropped: 2, givenUp: 2, undurable: 2 });
  });

  it('leaves to a source what it keeps: delivered again, it is recorded', async () => {
    const acknowledged: string[] = [];
    const delivered = (delivery: string): Message => ({
      ...testMessage({ ...topic, numberedIn: 'nats:S@2026' }, 'event', { sourceSequence: 1 }),
      ack: () => acknowledged.push(delivery),
    });
    const recorder = await start();
    level.refusal = 'unwritten';
    source.emit(delivered('first'));
    await recorder.stop();
    level.refusal = undefined;
    await recorder.start([source.input()]);
    source.emit(delivered('second'));
    await isDurable(recorder, 1);
    const { givenUp, dropped } = await recorder.close();
    assert.deepEqual([acknowledged, givenUp, dropped], [['second'], 0, 0]);
    assert.deepEqual(await gaps(), []);
  });
});
