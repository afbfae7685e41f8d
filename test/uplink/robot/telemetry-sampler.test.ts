import assert from 'node:assert/strict';
import { silentLogger } from '../../../src/core/logger.js';
import type { Channel, Message } from '../../../src/core/message.js';
import { CdrWriter } from '../../../src/core/ros/cdr-writer.js';
import { parseFieldRule, type FieldRule } from '../../../src/settings/field-rule.js';
import { recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';
import type { FieldSpec } from '../../../src/uplink/protocol/field-spec.js';
import { defaultRules } from '../../../src/uplink/robot/default-rules.js';
import { TelemetrySampler } from '../../../src/uplink/robot/telemetry-sampler.js';

const TICK_NS = 100_000_000;
const MS = 1_000_000n;
const START = 1_700_000_000_000_000_000n;

const channelOf = (topic: string, name: string, definition: string): Channel => ({
  ...{ robot: 'robot_1', topic, encoding: 'cdr', metadata: {}, latched: false },
  schema: { name, encoding: 'ros2msg', data: new TextEncoder().encode(definition) },
});

const speed = channelOf('/speed', 'demo_msgs/msg/Speed', 'float64 value\nfloat32 other\n');
const QUATERNION = 'float64 x\nfloat64 y\nfloat64 z\nfloat64 w\n';
const pose = channelOf('/pose', 'demo_msgs/msg/Turn', QUATERNION.replaceAll(' ', ' q_'));

const message = (channel: Channel, atMs: number, ...values: number[]): Message => {
  const writer = new CdrWriter().begin();
  for (const value of values) writer.f64(value);
  const time = START + BigInt(Math.round(atMs * 1e6));
  return { kind: 'message', channel, data: writer.finish(), receivedAt: time, publishedAt: time };
};

const rule = (text: string): FieldRule => {
  const parsed = parseFieldRule(text);
  assert.ok(parsed !== undefined, text);
  return parsed;
};

class Taken {
  specs: readonly FieldSpec[] = [];
  readonly samples: { tick: number; atMs: number; values: number[] }[] = [];

  fields(specs: readonly FieldSpec[]): void {
    this.specs = specs;
  }

  sample(tick: number, timeNs: bigint, values: Float64Array): void {
    this.samples.push({ tick, atMs: Number((timeNs - START) / MS), values: [...values] });
  }
}

function world(
  rules: readonly FieldRule[],
  logger = silentLogger,
): { sampler: TelemetrySampler; taken: Taken } {
  const taken = new Taken();
  return { sampler: new TelemetrySampler({ rules, tickNs: TICK_NS }, taken, logger), taken };
}

const speedRule = rule('/speed.value threshold=1');

describe('The sampler of the uplink', () => {
  it('gives each tick the last value that was received at its time or before', () => {
    const { sampler, taken } = world([speedRule]);
    sampler.take(message(speed, 10, 1, 0));
    sampler.take(message(speed, 99.999999, 2, 0));
    sampler.take(message(speed, 100, 3, 0));
    sampler.take(message(speed, 100.000001, 4, 0));
    sampler.take(message(speed, 350, 5, 0));
    sampler.advance(START + 400n * MS);
    assert.deepEqual(taken.samples, [
      { tick: 0, atMs: 100, values: [3] },
      { tick: 1, atMs: 200, values: [4] },
      { tick: 2, atMs: 300, values: [4] },
      { tick: 3, atMs: 400, values: [5] },
    ]);
  });

  it('gives the same samples whenever it is called, early or late', () => {
    const messages = Array.from({ length: 200 }, (_, i) => message(speed, i * 37, i, 0));
    const [often, rarely] = [world([speedRule]), world([speedRule])];
    for (const one of messages) {
      often.sampler.take(one);
      often.sampler.advance(one.receivedAt - 1n);
      rarely.sampler.take(one);
    }
    assert.deepEqual(often.taken.samples, rarely.taken.samples);
    assert.equal(often.taken.samples.length, 74);
  });

  it('keeps its own copy of a message, because the recorder uses the memory again', () => {
    const { sampler, taken } = world([speedRule]);
    const one = message(speed, 10, 7, 0);
    sampler.take(one);
    one.data.fill(0xff, 4);
    sampler.advance(START + 100n * MS);
    assert.deepEqual(taken.samples[0]?.values, [7]);
  });

  it('adds the fields of a topic that appears, and keeps the places of the others', () => {
    const { sampler, taken } = world([speedRule, rule('/pose.q_x threshold=0 unit=m')]);
    sampler.take(message(speed, 10, 1, 0));
    sampler.take(message(pose, 110, 9, 0, 0, 0));
    sampler.advance(START + 200n * MS);
    assert.deepEqual(taken.samples, [
      { tick: 0, atMs: 100, values: [1] },
      { tick: 1, atMs: 200, values: [1, 9] },
    ]);
    assert.deepEqual(
      taken.specs.map(({ topic, path, unit }) => `${topic} ${path} ${unit}`),
      ['/speed value ', '/pose q_x m'],
    );
  });

  it('lets a channel that is announced again take over its fields', () => {
    const { sampler, taken } = world([speedRule]);
    sampler.take(message(speed, 10, 1, 0));
    sampler.advance(START + 9_000n * MS);
    sampler.take(message({ ...speed }, 9_050, 2, 0));
    sampler.advance(START + 12_000n * MS);
    assert.deepEqual(taken.samples.at(-1)?.values, [2], 'the silent earlier channel has no say');
    assert.equal(taken.specs.length, 1);
  });

  it('gives no value for a topic that has been silent for 10 s', () => {
    const { sampler, taken } = world([speedRule]);
    sampler.take(message(speed, 10, 1, 0));
    sampler.advance(START + 10_200n * MS);
    assert.deepEqual(
      taken.samples.slice(-3).map(({ values }) => values[0]),
      [1, NaN, NaN],
    );
  });

  it('continues with the next tick number when the clock jumps, in both directions', () => {
    for (const jumpMs of [3_600_000, -3_600_000]) {
      const { sampler, taken } = world([speedRule]);
      sampler.take(message(speed, 10, 1, 0));
      sampler.advance(START + 200n * MS);
      sampler.take(message(speed, 210 + jumpMs, 2, 0));
      sampler.advance(START + BigInt(400 + jumpMs) * MS);
      assert.deepEqual(
        taken.samples.map(({ tick, atMs, values }) => [tick, atMs, values[0]]),
        [
          [0, 100, 1],
          [1, 200, 1],
          [2, 300 + jumpMs, 2],
          [3, 400 + jumpMs, 2],
        ],
      );
    }
  });

  it('gives no value for a message that does not fit its definition, counts it and logs one line', () => {
    const lines: LogLine[] = [];
    const { sampler, taken } = world([speedRule], recordingLogger(lines));
    for (const atMs of [10, 110]) {
      sampler.take({ ...message(speed, atMs), data: Uint8Array.of(0, 1, 0, 0, 5) });
    }
    sampler.advance(START + 200n * MS);
    assert.deepEqual(taken.samples[1]?.values, [NaN]);
    assert.equal(sampler.stats().undecoded, 2);
    assert.equal(lines.length, 1);
  });

  it('refuses fields beyond 256, counted, and sends the others', () => {
    const wide = (n: number): Channel =>
      channelOf(
        `/wide${n}`,
        'demo_msgs/msg/Wide',
        Array.from({ length: 100 }, (_, i) => `float64 f${i}\n`).join(''),
      );
    const rules = Array.from({ length: 100 }, (_, i) => rule(`*.f${i} threshold=1`));
    const { sampler, taken } = world(rules);
    for (let n = 0; n < 4; n++) sampler.take(message(wide(n), 10 + n, ...new Array<number>(100).fill(n)));
    sampler.advance(START + 100n * MS);
    assert.deepEqual(sampler.stats(), { fields: 200, ticks: 1, undecoded: 0, refusedFields: 200 });
    assert.equal(taken.samples[0]?.values.length, 200);
  });

  it('logs why a topic that a rule names cannot be sent', () => {
    const lines: LogLine[] = [];
    const { sampler } = world([speedRule, rule('/json.value threshold=1')], recordingLogger(lines));
    sampler.take(message({ ...speed, topic: '/json', encoding: 'json' }, 10));
    sampler.take(message(channelOf('/speed', 'demo_msgs/msg/Text', 'string value\n'), 10));
    assert.deepEqual(
      lines.map(({ fields }) => fields?.['reason']),
      ['only CDR described by ros2msg is decoded, not "json"', 'demo_msgs/msg/Text has no number value'],
    );
  });
});

describe('Fields of the uplink', () => {
  it('are scaled, have a rate, and turn within half a circle', () => {
    const { sampler, taken } = world([
      rule('/speed.value threshold=2 unit=mph scale=2 rate=1 predictor=linear circular=360'),
    ]);
    sampler.take(message(speed, 10, 21, 0));
    sampler.advance(START + 100n * MS);
    assert.deepEqual(taken.samples[0]?.values, [42]);
    assert.deepEqual(taken.specs, [
      {
        ...{ topic: '/speed', path: 'value', unit: 'mph', threshold: 2, quantum: 0.25, everyTicks: 10 },
        ...{ predictor: 'linear', scale: 2, circle: { period: 360, lowest: -180 } },
      },
    ]);
  });

  it('take the yaw of a quaternion, and none of one that is not set', () => {
    const oriented = channelOf(
      '/odom',
      'nav_msgs/msg/Odometry',
      `Pose pose\n${'='.repeat(80)}\nMSG: nav_msgs/Pose\nQuaternion orientation\n${'='.repeat(80)}\nMSG: nav_msgs/Quaternion\n${QUATERNION}`,
    );
    const { sampler, taken } = world([rule('/odom.pose.orientation.yaw threshold=1')]);
    sampler.take(message(oriented, 10, 0, 0, Math.SQRT1_2, Math.SQRT1_2));
    sampler.take(message(oriented, 110, 0, 0, 0, 0));
    sampler.advance(START + 200n * MS);
    const [[quarter], [unset]] = taken.samples.map(({ values }) => values) as [[number], [number]];
    assert.ok(Math.abs(quarter - Math.PI / 2) < 1e-12);
    assert.ok(Number.isNaN(unset));
  });

  it('follow the first rule that matches a path, so that rules come before defaults', () => {
    const battery = channelOf(
      '/battery',
      'sensor_msgs/msg/BatteryState',
      'float64 voltage\nfloat64 percentage\n',
    );
    const { sampler, taken } = world([rule('*.voltage threshold=9'), ...defaultRules]);
    sampler.take(message(battery, 10, 24, 0.5));
    sampler.advance(START + 100n * MS);
    assert.deepEqual(
      taken.specs.map(({ path, threshold }) => [path, threshold]),
      [
        ['voltage', 9],
        ['percentage', 0.5],
      ],
    );
    assert.deepEqual(taken.samples[0]?.values, [24, 50]);
  });

  it('have default rules that all are valid fields', () => {
    for (const one of defaultRules) {
      assert.ok(one.threshold > 0 && one.rateHz > 0 && one.type !== undefined, JSON.stringify(one));
    }
  });
});

describe('A field rule', () => {
  const bad = [
    '',
    '/speed.value',
    '/speed threshold=1',
    '.value threshold=1',
    '/speed.value threshold=-1',
    '/speed.value threshold=x',
    '/speed.value threshold=1 threshold=2',
    '/speed.value threshold=1 scale=0',
    '/speed.value threshold=1 rate=0',
    '/speed.value threshold=1 rate=1e9',
    '/speed.value threshold=1 predictor=magic',
    '/speed.value threshold=1 circular=-1',
    '/speed.value threshold=1 color=red',
    `/speed.value threshold=1 unit=${'x'.repeat(33)}`,
    `/${'x'.repeat(500)}.value threshold=1`,
  ];
  for (const text of bad) {
    it(`is not "${text.length > 60 ? `${text.slice(0, 60)}...` : text}"`, () => {
      assert.equal(parseFieldRule(text), undefined);
    });
  }
});
