import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { silentLogger } from '../../src/core/logger.js';
import type { Channel, Message } from '../../src/core/message.js';
import { SEND_POLICY_FILE } from '../../src/core/send-policy/policy-record.js';
import {
  CONDITION_VALUES_FILE,
  conditionValueFiles,
  type TopicValue,
} from '../../src/core/send-policy/topic-values.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { present } from '../../src/core/present.js';
import { systemPorts } from '../../src/host/ports.js';
import { ConditionWatch } from '../../src/recorder/condition-watch.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { eventually } from '../../src/testing/waiting.js';
import { PuppetSource, RecorderPlace, testMessage } from './recorder-support.js';

const START = 1_795_000_000_000_000_000n;
const MS = 1_000_000n;

function channel(topic: string, more: Partial<Channel> = {}): Channel {
  const schema = { name: 'std_msgs/msg/Bool', encoding: 'ros2msg', data: Buffer.from('bool data') };
  return Object.freeze({
    robot: 'r1',
    topic,
    encoding: 'cdr',
    schema,
    metadata: {},
    latched: false,
    ...more,
  });
}
const bool = (of: Channel, value: boolean): Message => ({
  ...testMessage(of, ''),
  data: Uint8Array.of(0, 1, 0, 0, Number(value)),
});
const json = (of: Channel, value: unknown): Message => testMessage(of, JSON.stringify(value));
const jsonChannel = (topic: string): Channel =>
  channel(topic, { encoding: 'json', schema: { name: '', encoding: '', data: new Uint8Array(0) } });

describe('topics of conditions in the recorder', () => {
  let place: RecorderPlace;
  let now: bigint;
  let latched: Message[];

  beforeEach(async () => {
    place = await RecorderPlace.make();
    await fs.mkdir(place.data);
    now = START;
    latched = [];
  });
  afterEach(() => place[Symbol.asyncDispose]());

  const clock = { ...systemPorts(silentLogger).clock, now: () => now, monotonic: () => now };
  const watch = (mayWriteValues = true): Promise<ConditionWatch> =>
    ConditionWatch.open(place.data, {
      fs,
      clock,
      logger: silentLogger,
      latched: () => latched,
      mayWriteValues,
    });
  const ask = (...when: string[]): Promise<void> => {
    const sink = { name: 'a', upload: 'all', when, budgetBytesPerDay: 0, pass: [], recipients: [] };
    const file = { version: 1, topicMaxAgeMs: 60_000, sinks: [sink] };
    return fs.writeFile(join(place.data, SEND_POLICY_FILE), JSON.stringify(file));
  };
  const valuesPath = (): string => join(place.data, CONDITION_VALUES_FILE);
  const values = async (): Promise<readonly TopicValue[]> =>
    conditionValueFiles.parse(await fs.readFile(valuesPath(), 'utf8'), 'values').values;

  it('writes the last value of each field and robot that sync asks for, and of no other topic', async () => {
    const one = await watch();
    await ask('topic=/docked topic=/battery:status.level>0.1', 'topic=/battery:nothing', 'topic=/docked');
    await one.tick();
    assert.deepEqual([one.needs('/docked'), one.needs('/other')], [true, false]);
    one.see(bool(channel('/docked'), false));
    one.see(bool(channel('/docked'), true));
    one.see(bool(channel('/docked', { robot: 'r2' }), false));
    one.see(bool(channel('/other'), true));
    one.see(json(jsonChannel('/battery'), { status: { level: 0.5 } }));
    await one.tick();
    const at = String(START);
    assert.deepEqual(await values(), [
      { topic: '/docked', robot: 'r1', at, field: 'data', value: true },
      { topic: '/docked', robot: 'r2', at, field: 'data', value: false },
      { topic: '/battery', robot: 'r1', at, field: 'status.level', value: 0.5 },
      { topic: '/battery', robot: 'r1', at, field: 'nothing', problem: 'no field nothing' },
    ]);
  });

  it('writes with a key at rest which comparisons a value meets, and no value', async () => {
    const state = channel('/docked');
    const battery = jsonChannel('/battery');
    const plain = await watch();
    await ask('topic=/docked topic=/battery>=98765', 'topic=/battery==98765');
    await plain.tick();
    plain.see(json(battery, { data: 98_765 }));
    await plain.tick();
    assert.match(await fs.readFile(valuesPath(), 'utf8'), /"value": 98765/);

    const one = await watch(false);
    await assert.rejects(fs.readFile(valuesPath()), { code: 'ENOENT' });
    one.began();
    one.see(bool(state, false));
    one.see(json(battery, { data: 98_766 }));
    one.see(json(jsonChannel('/odd'), { data: 'secret' }));
    await one.tick();
    const at = String(START);
    assert.deepEqual(await values(), [
      { topic: '/docked', robot: 'r1', at, field: 'data', meets: { '==true': false } },
      { topic: '/battery', robot: 'r1', at, field: 'data', meets: { '>=98765': true, '==98765': false } },
    ]);
    // Another comparison of the same field, and a text that has no order.
    await ask('topic=/docked==false topic=/battery<5');
    await one.tick();
    one.see(json(battery, { data: 'secret' }));
    await one.tick();
    const [docked, text] = await values();
    assert.deepEqual([docked?.meets, text?.meets], [{ '==false': true }, {}]);
    assert.doesNotMatch(await fs.readFile(valuesPath(), 'utf8'), /secret|9876/);
    // They stay for sync when the recorder starts again.
    const before = await values();
    await watch(false);
    assert.deepEqual(await values(), before);
  });

  it('has the rules of sync.transform that sync has told, and knows none while the policy is damaged', async () => {
    const one = await watch();
    assert.deepEqual([one.transform, one.mayShow('/fix')], [[], true]);
    const sink = { name: 'a', upload: 'all', when: [], budgetBytesPerDay: 0, pass: [], recipients: [] };
    const tell = async (...transforms: (readonly string[])[]): Promise<void> => {
      const sinks = transforms.map((transform) => ({ ...sink, transform }));
      const file = { version: 1, topicMaxAgeMs: 60_000, sinks };
      await fs.writeFile(join(place.data, SEND_POLICY_FILE), JSON.stringify(file));
      await one.tick();
    };
    const texts = (): readonly string[] | undefined => one.transform?.map(({ text }) => text);
    await tell(['/fix zero=latitude', '/driver drop'], ['/driver drop']);
    assert.deepEqual(texts(), ['/fix zero=latitude', '/driver drop']);
    assert.deepEqual(
      ['/fix', '/driver', '/speed'].map((topic) => one.mayShow(topic)),
      [false, false, true],
    );
    await tell(['/fix do=something-new']);
    assert.equal(texts(), undefined);
    assert.equal(one.mayShow('/speed'), false);
    await tell([]);
    assert.deepEqual(texts(), []);
    await fs.writeFile(join(place.data, SEND_POLICY_FILE), '{');
    await one.tick();
    assert.equal(texts(), undefined);
    assert.equal((await watch()).transform, undefined);
  });

  it('says why a message cannot be read', async () => {
    const one = await watch();
    await ask('topic=/docked topic=/odd topic=/large');
    await one.tick();
    one.see({ ...testMessage(channel('/docked'), ''), data: Uint8Array.of(0, 1) });
    one.see(testMessage(channel('/odd', { encoding: 'protobuf' }), 'x'));
    one.see({ ...testMessage(channel('/large'), ''), data: new Uint8Array(256 * 1024 + 1) });
    await one.tick();
    const problems = (await values()).map(({ topic, value, problem }) => [
      topic,
      value,
      problem !== undefined,
    ]);
    assert.deepEqual(problems, [
      ['/docked', undefined, true],
      ['/odd', undefined, true],
      ['/large', undefined, true],
    ]);
  });

  it('keeps the time of a message, but a latched one is current for as long as its channel is there', async () => {
    const one = await watch();
    await ask('topic=/docked topic=/latched');
    await one.tick();
    const state = channel('/latched', { latched: true });
    one.see(bool(channel('/docked'), true));
    one.see(bool(state, true));
    await one.tick();
    now += 30_000n * MS;
    await one.tick();
    assert.deepEqual(
      (await values()).map(({ at }) => BigInt(at) - START),
      [0n, 30_000n * MS],
    );
    one.gone(state);
    await one.tick();
    assert.deepEqual(
      (await values()).map(({ topic }) => topic),
      ['/docked'],
    );
    one.ended();
    await one.tick();
    assert.deepEqual(await values(), []);
  });

  it('writes again only when a value changes or would become too old', async () => {
    const one = await watch();
    await ask('topic=/docked');
    await one.tick();
    const state = channel('/docked', { latched: true });
    const writtenAt = async (): Promise<bigint> => BigInt((await values())[0]?.at ?? 0) - START;
    one.see(bool(state, true));
    await one.tick();
    now += 19_000n * MS;
    await one.tick();
    assert.equal(await writtenAt(), 0n);
    now += 1_000n * MS;
    await one.tick();
    assert.equal(await writtenAt(), 20_000n * MS);
    now += MS;
    one.see(bool(state, false));
    await one.tick();
    assert.equal(await writtenAt(), 20_001n * MS);
  });

  it('begins with the latched messages that came before sync asked', async () => {
    const one = await watch();
    one.began();
    await one.tick();
    latched = [bool(channel('/docked', { latched: true }), true)];
    await ask('topic=/docked');
    await one.tick();
    assert.deepEqual(
      (await values()).map(({ value }) => value),
      [true],
    );
  });

  it('writes no file in a folder where nobody asks, and survives a damaged one', async () => {
    const one = await watch();
    await one.tick();
    await assert.rejects(fs.access(valuesPath()));
    await ask('topic=/docked');
    await one.tick();
    await fs.writeFile(join(place.data, SEND_POLICY_FILE), '{"version":1,"sinks":[{}]}');
    await one.tick();
    assert.equal(one.needs('/docked'), false);
  });

  it('writes the policy of sync into the manifest and into the MCAP', async () => {
    const source = new PuppetSource();
    await ask('topic=/docked');
    await using recorder = await Recorder.open(place.options(), [source.input()], systemPorts(silentLogger));
    source.emit(testMessage(channel('/a'), 'x'));
    await recorder.close();
    const manifest = present((await place.manifests())[0]);
    const sink = { name: 'a', upload: 'all', when: ['topic=/docked'], budgetBytesPerDay: 0 };
    assert.deepEqual(manifest.policy, [{ ...sink, pass: [], recipients: [] }]);
    const file = await fs.readFile(join(place.data, 'sealed', manifest.file.name));
    const reader = await openMcap(bytesReadable(file), 'sealed');
    const [record] = await reader.metadata('holdfast_send_policy');
    assert.deepEqual(JSON.parse(present(present(record).metadata['json'])), manifest.policy);
  });

  it('subscribes to a topic that is not recorded, and records nothing of it, no message and no gap', async () => {
    const source = new PuppetSource();
    await ask('topic=/docked');
    const ports = systemPorts(silentLogger);
    await using recorder = await Recorder.open(
      place.options({ 'topics.exclude': ['^/docked$'] }),
      [source.input()],
      ports,
    );
    await eventually(() => source.context?.wanted('/docked', 'std_msgs/msg/Bool'), 'the topic is wanted');
    assert.equal(source.context?.wanted('/docked2', 'std_msgs/msg/Bool'), true);
    const of = channel('/docked');
    const lost = {
      reason: 'not_received' as const,
      robot: 'r1',
      topic: '/docked',
      firstTime: 1n,
      lastTime: 1n,
    };
    source.emit({ kind: 'channel', channel: of }, bool(of, true), {
      kind: 'gap',
      gap: { ...lost, count: 3 },
    });
    source.emit(testMessage(channel('/a'), 'x'));
    await eventually(async () => (await values().catch(() => []))[0]?.value === true, 'the value is written');
    await recorder.close();
    const manifest = present((await place.manifests())[0]);
    assert.deepEqual(
      manifest.channels.map(({ topic }) => topic),
      ['/a'],
    );
    assert.deepEqual(manifest.gaps, []);
  });
});
