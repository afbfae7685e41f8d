import assert from 'node:assert/strict';
import { present } from '../../src/core/present.js';
import { Random } from '../../src/core/random.js';
import { CdrWriter } from '../../src/core/ros/cdr-writer.js';
import { writeTransforms } from '../../src/core/ros/ros-messages.js';
import type { Channel, Message } from '../../src/core/message.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { Thinning, thinningOf } from '../../src/recorder/thinning.js';
import type { ThinningRule } from '../../src/recorder/thinning-pace.js';
import { systemPorts } from '../../src/host/ports.js';
import { silentLogger } from '../../src/core/logger.js';
import { parseTopicRule } from '../../src/settings/topic-rule.js';
import { eventually } from '../../src/testing/waiting.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';

const ports = systemPorts(silentLogger);
const MS = 1_000_000n;
const S = 1_000n * MS;
const START = 1_795_000_000n * S;

const rulesOf = (...texts: string[]) => texts.map((text) => present(parseTopicRule(text)));
const ruleOf = (text: string): ThinningRule => present(thinningOf(rulesOf(`. ${text}`), '/a'));

function at(of: Channel, time: bigint, publisher?: string): Message {
  const plain = testMessage(of, 'x', { receivedAt: time });
  return publisher === undefined ? plain : { ...plain, publisher };
}

/** The kept ones of these messages. */
function thin(rule: ThinningRule, messages: readonly Message[]): readonly Message[] {
  const thinning = new Thinning(() => rule);
  return messages.filter((message) => thinning.keeps(message));
}

describe('thinning by rules', () => {
  it('keeps within the rate of max_hz in every span, leaves no longer pause than it must, and loses no count', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed);
      const maxHz = Number(random.between(0.5, 200).toFixed(3));
      const rule = ruleOf(`max_hz=${maxHz}`);
      const intervalNs = present(rule.intervalNs);
      const hz = random.between(0.2, 1_000);
      const of = testChannel('/a');
      let time = START;
      const messages = Array.from({ length: 400 }, () => {
        // Bursts, jitter and pauses.
        const pause = random.unit() < 0.02 ? 20 : random.unit() < 0.2 ? 0 : random.between(0.5, 1.5);
        time += BigInt(Math.round((pause * 1e9) / hz));
        return at(of, time);
      });
      const thinning = new Thinning(() => rule);
      const kept = messages.filter((message) => thinning.keeps(message)).map(({ receivedAt }) => receivedAt);
      assert.equal(kept[0], present(messages[0]).receivedAt, `seed ${seed}: the first`);
      for (let i = 0; i < kept.length; i++) {
        for (let j = i; j < kept.length; j++) {
          const most = Number((present(kept[j]) - present(kept[i])) / intervalNs) + 2;
          assert.ok(j - i + 1 <= most, `seed ${seed}: ${j - i + 1} messages where ${most} are allowed`);
        }
      }
      // Whatever is left out follows a kept message by less than an interval and a slot.
      for (const { receivedAt } of messages) {
        const near = kept.some((one) => one <= receivedAt && receivedAt - one < 2n * intervalNs);
        assert.ok(near, `seed ${seed}: nothing kept before ${receivedAt}`);
      }
      const gaps = thinning.takeAll();
      const leftOut = gaps.reduce((sum, { count = 0 }) => sum + count, 0);
      assert.equal(kept.length + leftOut, messages.length, `seed ${seed}: counted`);
    }
  });

  it('keeps half of a publisher of twice the rate, although its period is irregular', () => {
    const random = new Random(7);
    const of = testChannel('/a');
    const messages = Array.from({ length: 10_000 }, (_, n) =>
      at(of, START + BigInt(n) * 10n * MS + BigInt(Math.round(random.between(0, 2e6)))),
    );
    const { length } = thin(ruleOf('max_hz=50'), messages);
    assert.ok(Math.abs(length - 5_000) < 50, `${length} of 10,000`);
  });

  it('keeps each n-th message of every=, and with both options what both allow', () => {
    const of = testChannel('/a');
    const messages = Array.from({ length: 100 }, (_, n) => at(of, START + BigInt(n) * 10n * MS));
    const kept = (text: string): number[] =>
      thin(ruleOf(text), messages).map((message) => messages.indexOf(message));
    assert.deepEqual(
      kept('every=7'),
      Array.from({ length: 15 }, (_, n) => 7 * n),
    );
    assert.deepEqual(
      kept('every=7 max_hz=5'),
      Array.from({ length: 5 }, (_, n) => 20 * n),
    );
    assert.equal(kept('every=1').length, 100);
  });

  it('keeps the first message of each publisher, and continues when the clock is set back', () => {
    const of = testChannel('/a');
    const messages = [
      at(of, START, 'p1'),
      at(of, START + MS, 'p1'),
      at(of, START + 2n * MS, 'p2'),
      at(of, START + 3n * MS, 'p2'),
      at(of, START - 3600n * S, 'p1'),
      at(of, START - 3600n * S + MS, 'p1'),
    ];
    const kept = thin(ruleOf('max_hz=1'), messages).map((message) => messages.indexOf(message));
    assert.deepEqual(kept, [0, 2, 4]);
  });

  it('takes each setting from the first rule that states it, and leaves latched topics alone', () => {
    const rules = rulesOf('imu priority=high', 'imu max_hz=10', '/r1/ max_hz=5 every=3');
    const rule = (topic: string) => thinningOf(rules, topic);
    assert.deepEqual(rule('/r1/imu'), { intervalNs: 100n * MS, every: 3 });
    assert.deepEqual(rule('/r1/scan'), { intervalNs: 200n * MS, every: 3 });
    assert.equal(rule('/r2/scan'), undefined);
    const latched = testChannel('/a', 'r', true);
    assert.equal(thin(ruleOf('max_hz=0.001'), [at(latched, START), at(latched, START + 1n)]).length, 2);
  });

  describe('of transforms', () => {
    const tf: Channel = Object.freeze({
      ...testChannel('/tf'),
      schema: { name: 'tf2_msgs/msg/TFMessage', encoding: 'ros2msg', data: Buffer.from('') },
    });
    const transforms = (time: bigint, ...pairs: (readonly [parent: string, child: string])[]): Message => {
      const list = pairs.map(([parent, child]) => ({ parent, child, x: 1, y: 2, z: 3, yaw: 0 }));
      const data = writeTransforms(new CdrWriter().begin(), time, list).finish();
      return { ...at(tf, time), data: Uint8Array.from(data) };
    };

    it('keeps the rate of each frame pair, and starves no slow pair beside a fast one', () => {
      const messages: Message[] = [];
      for (let ms = 0; ms < 10_000; ms += 5) {
        const time = START + BigInt(ms) * MS;
        messages.push(transforms(time, ['odom', 'base'], ['base', 'wheel']));
        // Always a moment after the fast one.
        if (ms % 1_000 === 500) messages.push(transforms(time + MS, ['base', 'arm']));
      }
      const kept = thin(ruleOf('max_hz=10'), messages);
      const arms = messages.filter(({ data }) => Buffer.from(data).includes('arm'));
      assert.equal(kept.filter((message) => arms.includes(message)).length, 10);
      const fast = kept.length - 10;
      assert.ok(fast >= 99 && fast <= 102, `${fast} of the fast pairs`);
    });

    it('keeps what it cannot read', () => {
      const broken = [0, 1, 2, 3].map((n) => ({
        ...at(tf, START + BigInt(n)),
        data: Uint8Array.from([0, 1, 0, 0, 255, 255, 255, 255]),
      }));
      assert.equal(thin(ruleOf('max_hz=1'), broken).length, 4);
    });
  });
});

describe('a recorder with thinning rules', () => {
  let place: RecorderPlace;
  beforeEach(async () => {
    place = await RecorderPlace.make();
  });
  afterEach(() => place[Symbol.asyncDispose]());

  it('counts what it leaves out apart from drops, in status, summary and manifest, and the balance is even', async () => {
    const source = new PuppetSource(true);
    const recorder = await Recorder.open(
      place.options({ rules: ['/fast max_hz=10'] }),
      [source.input()],
      ports,
    );
    const [fast, slow] = [testChannel('/fast'), testChannel('/slow')];
    for (let n = 0; n < 3_000; n++) {
      const receivedAt = START + BigInt(n) * 10n * MS;
      source.emit(testMessage(fast, 'fast', { receivedAt, sourceSequence: n + 1 }));
      if (n % 10 === 0) source.emit(testMessage(slow, 'slow', { receivedAt }));
    }
    await eventually(() => recorder.status().totals.durable === 600, 'all are durable');
    const { totals, robots } = recorder.status();
    assert.deepEqual(
      [totals.received, totals.durable, totals.dropped, totals.decimated, totals.droppedByReason],
      [3_300, 600, 0, 2_700, {}],
    );
    assert.deepEqual([robots[0]?.decimated, robots[0]?.dropped], [2_700, 0]);
    assert.deepEqual(
      recorder.topics().map(({ topic, decimated }) => [topic, decimated]),
      [
        ['/fast', 2_700],
        ['/slow', 0],
      ],
    );
    source.end();
    const summary = await recorder.done;
    assert.deepEqual([summary.decimated, summary.dropped, summary.undurable, summary.gaps], [2_700, 0, 0, 0]);
    const manifests = await place.manifests();
    const gaps = manifests.flatMap((manifest) => manifest.gaps);
    assert.ok(gaps.length <= 4, `${gaps.length} gaps for 30 s`);
    assert.ok(gaps.every(({ reason, topic }) => reason === 'decimated' && topic === '/fast'));
    assert.equal(
      gaps.reduce((sum, { count = 0 }) => sum + count, 0),
      2_700,
    );
    assert.equal(
      manifests.reduce((sum, { messages }) => sum + messages, 0),
      600,
    );
  });

  it('acknowledges what it leaves out, and records it if it comes again under other rules', async () => {
    const numbered: Channel = Object.freeze({ ...testChannel('events'), numberedIn: 'nats:S@2026' });
    const acknowledged: number[] = [];
    const delivered = (number: number): Message => ({
      ...testMessage(numbered, `${number}`, { sourceSequence: number }),
      ack: () => acknowledged.push(number),
    });
    const record = async (rules: string[], numbers: readonly number[]): Promise<number> => {
      const source = new PuppetSource(true);
      const recorder = await Recorder.open(place.options({ rules }), [source.input()], ports);
      source.emit({ kind: 'channel', channel: numbered }, ...numbers.map(delivered));
      source.end();
      return (await recorder.done).durable;
    };
    assert.equal(await record(['events every=2'], [1, 2, 3, 4]), 2);
    assert.deepEqual(acknowledged.toSorted(), [1, 2, 3, 4]);
    assert.equal(await record([], [1, 2, 3, 4]), 2, 'the two that were left out');
  });

  it('applies other rules while it records, and counts what was left out until then', async () => {
    const source = new PuppetSource(true);
    const recorder = await Recorder.open(place.options({ rules: ['/a every=10'] }), [source.input()], ports);
    const of = testChannel('/a');
    const emit = (from: number, count: number): void => {
      for (let n = from; n < from + count; n++)
        source.emit(testMessage(of, 'x', { receivedAt: START + BigInt(n) * MS }));
    };
    emit(0, 100);
    recorder.reconfigure(place.options({ rules: ['/a every=2'] }));
    emit(100, 100);
    recorder.reconfigure(place.options({ rules: ['/a priority=high'] }));
    emit(200, 100);
    source.end();
    const { durable, decimated } = await recorder.done;
    assert.deepEqual([durable, decimated], [10 + 50 + 100, 90 + 50]);
    const gaps = (await place.manifests()).flatMap((manifest) => manifest.gaps);
    assert.deepEqual(gaps.map(({ reason, count }) => [reason, count]).toSorted(), [
      ['decimated', 50],
      ['decimated', 90],
    ]);
  });
});
