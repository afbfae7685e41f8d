import assert from 'node:assert/strict';
import { defined } from '../../../src/core/defined.js';
import {
  brief,
  check,
  cleanDrive,
  madeSegment,
  MS,
  payloadOf,
  rulesOf,
  S,
  START,
  type MadeMessage,
} from './check-support.js';
import { FilePool } from '../../../src/recordings/file-readable.js';
import { loadRules } from '../../../src/jobs/check/load-rules.js';
import { MAX_PER_SUBJECT } from '../../../src/jobs/check/finding-ledger.js';
import { runCheck, type CheckReport } from '../../../src/jobs/check/run-check.js';
import { locate } from '../../../src/recordings/locate.js';
import { listSegments } from '../../../src/recordings/segments.js';
import { systemPorts } from '../../../src/host/ports.js';
import { silentLogger } from '../../../src/core/logger.js';
import type { Gap } from '../../../src/core/gap.js';
import { recording } from '../../support/recordings.js';

/** A drive in which the messages of one topic are changed, or left out where the change gives nothing. */
function drive(
  topic: string,
  change: (message: MadeMessage, index: number) => MadeMessage | undefined,
): MadeMessage[] {
  let index = 0;
  return cleanDrive().flatMap((message) => {
    if (message.topic !== topic) return [message];
    return change(message, index++) ?? [];
  });
}

describe('checking a recording', function () {
  this.timeout(30_000);

  const finds = async (
    messages: readonly MadeMessage[],
    expected: readonly Record<string, unknown>[],
    rules?: string,
  ): Promise<CheckReport> => {
    const report = await check({ messages }, rules === undefined ? {} : { rules: rulesOf(rules) });
    assert.deepEqual(report.findings.map(brief), expected);
    return report;
  };

  it('finds nothing in a clean drive', async () => {
    const report = await finds(cleanDrive(), []);
    assert.deepEqual([report.ok, report.messages, report.topics], [true, 2 * 12 * 65, 6]);
    assert.deepEqual(report.robots, ['r1', 'r2']);
  });

  it('finds nothing in the real recordings of two robots', async () => {
    const ports = systemPorts(silentLogger);
    for (const [name, messages] of [
      ['two_robots', 12_396],
      ['two_robots_split_zstd', 9_539],
    ] as const) {
      await using files = new FilePool(ports.fs);
      const openStore = (): never => assert.fail('there is no store');
      const located = await locate(recording(name), { fs: ports.fs, logger: silentLogger, openStore });
      const segments = await listSegments(located, { files, onProblem: () => assert.fail() });
      const report = await runCheck({ segments, rules: await loadRules(), filter: {} });
      assert.deepEqual(report.findings, []);
      assert.equal(report.messages, messages);
    }
  });

  it('reports the damage and the missing end of the killed recording, and nothing else', async () => {
    const ports = systemPorts(silentLogger);
    await using files = new FilePool(ports.fs);
    const openStore = (): never => assert.fail('there is no store');
    const located = await locate(recording('killed'), { fs: ports.fs, logger: silentLogger, openStore });
    const segments = await listSegments(located, { files, onProblem: () => undefined });
    const report = await runCheck({ segments, rules: await loadRules(), filter: {} });
    assert.deepEqual(
      report.findings.map(({ rule }) => rule),
      ['damage', 'unclean_end'],
    );
    assert.match(report.findings[0]!.text, /2146 of 2912256 bytes could not be read: from byte 2910110/);
    assert.equal(report.findings[1]!.from, report.to);
  });

  it('finds the topic that one robot lacks', async () => {
    const messages = cleanDrive().filter(({ topic }) => topic !== '/r2/scan');
    await finds(messages, [{ rule: 'missing', robot: 'r2', topic: '/r2/scan' }]);
  });

  it('finds topics that are expected of each robot, and a robot that is not there at all', async () => {
    await finds(
      cleanDrive().filter(({ topic }) => topic !== '/r1/scan'),
      [
        { rule: 'm', robot: 'r3', topic: '/r3/imu' },
        { rule: 'm', robot: 'r1', topic: '/r1/scan' },
        { rule: 'm', robot: 'r3', topic: '/r3/scan' },
      ].sort((a, b) => (a.robot < b.robot ? -1 : 1)),
      "- {name: m, check: missing, robots: [r1, r2, r3], expect: ['/{robot}/imu', '/{robot}/scan']}",
    );
  });

  it('finds the windows whose rate is below the expected one', async () => {
    // From 4 s to 8 s every second message only.
    const messages = drive('/r1/imu', (message, index) =>
      index >= 200 && index < 400 && index % 2 === 1 ? undefined : message,
    );
    await finds(
      messages,
      [{ rule: 'rate', robot: 'r1', topic: '/r1/imu', fromMs: 4_002, toMs: 8_002, count: 100, value: 25 }],
      "- {name: rate, check: rate, topics: ['*/imu'], min_hz: 45, max_hz: 55, window_s: 2}",
    );
  });

  it('finds a rate above the expected one, and judges a short recording as a whole', async () => {
    await finds(
      cleanDrive().filter(({ topic }) => topic === '/r1/imu'),
      [{ rule: 'rate', robot: 'r1', topic: '/r1/imu', fromMs: 2, toMs: 11_982, count: 599, value: 50 }],
      '- {name: rate, check: rate, max_hz: 49, window_s: 60}',
    );
  });

  it('finds a silence in the middle and one that lasts until the end', async () => {
    const messages = drive('/r1/imu', (message, index) =>
      (index > 100 && index < 250) || index > 450 ? undefined : message,
    );
    await finds(messages, [
      { rule: 'silence', robot: 'r1', topic: '/r1/imu', fromMs: 2_002, toMs: 5_002, value: 3 },
      { rule: 'silence', robot: 'r1', topic: '/r1/imu', fromMs: 9_002, toMs: 11_982, value: 2.98 },
    ]);
  });

  it('reports no silence for a topic without a steady rate', async () => {
    const messages = drive('/r1/imu', (message, index) => (index % 150 < 3 ? message : undefined));
    const { findings } = await check({ messages });
    assert.deepEqual(
      findings.filter(({ rule }) => rule === 'silence'),
      [],
    );
  });

  it('finds stamps that go back and stamps that go further than time, each once', async () => {
    const messages = drive('/r1/imu', (message, index) =>
      index < 200 || index >= 400 ? message : { ...message, stamp: message.stamp + 3_000n * MS },
    );
    const { findings } = await check({ messages }, { rules: rulesOf('- {name: stamps, check: stamps}') });
    const of = { rule: 'stamps', robot: 'r1', topic: '/r1/imu', count: 1 };
    assert.deepEqual(findings.map(brief), [
      { ...of, fromMs: 4_002, toMs: 4_002, value: 3_000 },
      { ...of, fromMs: 8_002, toMs: 8_002, value: 2_980 },
    ]);
    assert.match(findings[0]!.text, /goes forward by 3000 ms/);
    assert.match(findings[1]!.text, /goes backward by 2980 ms/);
  });

  it('accepts a late burst with correct stamps', async () => {
    const late = START + 6n * S;
    const messages = drive('/r1/imu', (message, index) =>
      index > 200 && index < 300 ? { ...message, logTime: late + BigInt(index) } : message,
    );
    const { findings } = await check({ messages }, { rules: rulesOf('- {name: stamps, check: stamps}') });
    assert.deepEqual(findings, []);
  });

  it("finds that the log's clock went back, by the writer's numbers, and lets a publisher count again", async () => {
    const numbered = (message: MadeMessage, index: number): MadeMessage => ({
      ...message,
      sequence: index + 1,
    });
    const restarted = drive('/r1/imu', (message, index) =>
      numbered(message, index < 100 ? index : index - 100),
    );
    await finds(restarted, []);
    // From message 201 on the clock is 1.01 s behind: it then lies between 150 and 151.
    const messages = drive('/r1/imu', (message, index) => {
      const back = index < 200 ? 0n : 1_010n * MS;
      return { ...numbered(message, index), logTime: message.logTime - back };
    });
    const { findings } = await finds(
      messages,
      [{ rule: 'log', robot: 'r1', topic: '/r1/imu', fromMs: 3_002, toMs: 3_992, count: 50 }],
      '- {name: log, check: log_time}',
    );
    assert.equal(findings[0]!.text, 'number 151 has a later log time than number 201: the clock went back');
  });

  it('finds messages that come too late after their stamp, and accepts a permitted share', async () => {
    const messages = drive('/r1/camera', (message, index) =>
      index % 10 === 3 ? { ...message, stamp: message.logTime - 1_500n * MS } : message,
    );
    const rule = (share: number): string =>
      `- {name: latency, check: latency, max_ms: 1000, min_ms: -100, share: ${share}}`;
    const of = { rule: 'latency', robot: 'r1', topic: '/r1/camera' };
    await finds(messages, [{ ...of, fromMs: 302, toMs: 11_302, count: 12, value: 1_500 }], rule(0.05));
    await finds(messages, [], rule(0.1));
  });

  it('finds the robot whose clock is ahead of the others, by how much', async () => {
    const messages = cleanDrive().map((message) =>
      message.topic.startsWith('/r2/') ? { ...message, stamp: message.stamp + 250n * MS } : message,
    );
    const { findings } = await check({ messages });
    assert.deepEqual(findings.filter(({ rule }) => rule === 'time_sync').map(brief), [
      { rule: 'time_sync', robot: 'r1', value: -250 },
    ]);
    // Stamps in the future are a fault of their own.
    assert.deepEqual([...new Set(findings.map(({ rule }) => rule))].sort(), ['latency', 'time_sync']);
  });

  it('finds an IMU that repeats itself, and not one of which a single axis rests', async () => {
    const still = { angular_velocity: { x: 0, y: 0, z: 0 }, linear_acceleration: { x: 0, y: 0, z: 9.81 } };
    await finds(
      drive('/r2/imu', (message, index) =>
        index < 300 || index > 400 ? message : { ...message, value: still },
      ),
      [
        {
          rule: 'imu_stuck',
          robot: 'r2',
          topic: '/r2/imu',
          field:
            'angular_velocity.x angular_velocity.y angular_velocity.z linear_acceleration.x linear_acceleration.y linear_acceleration.z',
          fromMs: 6_002,
          toMs: 8_002,
          count: 101,
          value: 2,
        },
      ],
    );
    await finds(
      drive('/r2/imu', (message) => {
        const acceleration = message.value['linear_acceleration'] as object;
        return { ...message, value: { ...message.value, linear_acceleration: { ...acceleration, y: 0 } } };
      }),
      [],
    );
  });

  it('finds NaN and infinities in the fields where they are, message by message', async () => {
    const messages = drive('/r1/imu', (message, index) => {
      const bad = index >= 10 && index < 15 ? NaN : index === 100 ? -Infinity : undefined;
      if (bad === undefined) return message;
      const angular = message.value['angular_velocity'] as object;
      return { ...message, value: { ...message.value, angular_velocity: { ...angular, y: bad } } };
    });
    const of = { rule: 'not_finite', robot: 'r1', topic: '/r1/imu', field: 'angular_velocity.y' };
    const report = await finds(messages, [
      { ...of, fromMs: 202, toMs: 282, count: 5 },
      { ...of, fromMs: 2_002, toMs: 2_002, count: 1 },
    ]);
    assert.equal(report.ok, false);
    assert.deepEqual(
      report.findings.map(({ text }) => text),
      ['NaN in 5 messages', 'an infinite value in 1 message'],
    );
  });

  it('checks the elements of lists, and passes values that a rule allows', async () => {
    const rule = (allow: string): string =>
      `- {name: scan, check: not_finite, topics: [/r1/scan], fields: [ranges], allow: [${allow}]}`;
    await finds(cleanDrive(), [], rule('inf'));
    await finds(
      cleanDrive(),
      [{ rule: 'scan', robot: 'r1', topic: '/r1/scan', field: 'ranges', fromMs: 2, toMs: 11_802, count: 60 }],
      rule('nan'),
    );
  });

  it('finds a camera that gives the same image again and again under new stamps', async () => {
    const data = new Uint8Array(100).fill(7);
    const messages = drive('/r1/camera', (message, index) =>
      index < 40 || index >= 60 ? message : { ...message, value: { format: 'jpeg', data } },
    );
    const of = { rule: 'camera_frozen', robot: 'r1', topic: '/r1/camera' };
    await finds(messages, [{ ...of, fromMs: 4_002, toMs: 5_902, count: 20, value: 1.9 }]);
  });

  it('finds values beyond limits, and values far from earlier ones', async () => {
    const messages = drive('/r1/imu', (message, index) => {
      if (index !== 300) return message;
      return { ...message, value: { ...message.value, angular_velocity: { x: 40, y: 0, z: 0 } } };
    });
    const of = {
      robot: 'r1',
      topic: '/r1/imu',
      field: 'angular_velocity.x',
      fromMs: 6_002,
      toMs: 6_002,
      count: 1,
    };
    const { findings } = await finds(
      messages,
      [{ rule: 'limit', ...of, value: 40 }],
      '- {name: limit, check: limit, fields: [angular_velocity.x], min: -2, max: 2}',
    );
    assert.equal(findings[0]!.text, '40 in 1 message, at most 2 allowed');
    const outliers = await check(
      { messages },
      { rules: rulesOf('- {name: outlier, check: outlier, fields: [angular_velocity.x], score: 10}') },
    );
    assert.deepEqual(
      outliers.findings.map((finding) => ({ ...brief(finding), value: undefined })),
      [{ rule: 'outlier', ...of, value: undefined }],
    );
  });

  it('finds messages that lie about their lengths, with the first reason', async () => {
    const messages = drive('/r1/camera', (message, index) =>
      index === 7 || index === 9
        ? { ...message, payload: Uint8Array.from([0, 1, 0, 0, 1, 2, 3, 4]) }
        : message,
    );
    const report = await finds(messages, [
      { rule: 'undecodable', robot: 'r1', topic: '/r1/camera', fromMs: 702, toMs: 902, count: 2, value: 2 },
    ]);
    assert.match(report.findings[0]!.text, /^2 messages cannot be decoded: /);
  });

  it('finds messages with more bytes than their definition has fields', async () => {
    const messages = drive('/r1/camera', (message, index) =>
      index === 7 || index === 9
        ? { ...message, payload: Buffer.concat([payloadOf(message), Buffer.alloc(16, 1)]) }
        : message,
    );
    const report = await finds(messages, [
      { rule: 'undecodable', robot: 'r1', topic: '/r1/camera', fromMs: 702, toMs: 902, count: 2, value: 2 },
    ]);
    assert.match(report.findings[0]!.text, /^2 messages do not fit their definition: 16 bytes are left over/);
  });

  it('finds gaps above the limits, and each only once in segments that repeat it', async () => {
    const gap = (id: string, count: number | undefined, reason: Gap['reason']): Gap => ({
      ...{ id, reason, robot: 'r1', topic: '/r1/imu', firstTime: START + 2n * S, lastTime: START + 3n * S },
      ...defined({ count }),
    });
    const gaps = [gap('a', 12, 'memory_limit'), gap('b', 18, 'memory_limit'), gap('c', 1, 'paused')];
    const of = { robot: 'r1', topic: '/r1/imu', fromMs: 2_000, toMs: 3_000, count: 30, value: 30 };
    const segment = await madeSegment({ messages: cleanDrive(), gaps });
    const again = await madeSegment({ messages: [], gaps }, 'again.mcap');
    const report = await runCheck({ segments: [segment, again], rules: await loadRules(), filter: {} });
    assert.deepEqual(report.findings.map(brief), [{ rule: 'gaps', ...of }]);
    assert.match(report.findings[0]!.text, /30 messages \(4\.7619 %\) not recorded in 2 gaps: memory_limit/);
    const lax = rulesOf('- {name: gaps, check: gaps, max_percent: 5}');
    assert.deepEqual((await runCheck({ segments: [segment], rules: lax, filter: {} })).findings, []);
  });

  it('reports clock steps of the manifests within the selected times', async () => {
    const clockSteps = [
      { at: String(START + 3n * S), stepNs: '-1500000000' },
      { at: String(START + 9n * S), stepNs: '99000000' },
    ];
    const made = { messages: cleanDrive(), robot: 'r1', clockSteps };
    const rules = rulesOf('- {name: clock, check: clock_steps}');
    const found = async (to?: bigint): Promise<unknown[]> =>
      (await check(made, { rules, filter: to === undefined ? {} : { to } })).findings.map(brief);
    assert.deepEqual(await found(), [
      { rule: 'clock', robot: 'r1', fromMs: 3_000, toMs: 3_000, value: -1_500 },
    ]);
    assert.deepEqual(await found(START + 2n * S), []);
  });

  it('keeps a bounded number of findings of a topic and counts the rest', async () => {
    const messages = drive('/r1/imu', (message, index) => {
      if (index % 4 !== 0) return message;
      const angular = message.value['angular_velocity'] as object;
      return { ...message, value: { ...message.value, angular_velocity: { ...angular, x: NaN } } };
    });
    const report = await check({ messages });
    assert.equal(report.errors, 150);
    assert.equal(report.findings.length, MAX_PER_SUBJECT);
  });

  it('checks only the selection', async () => {
    const messages = drive('/r1/imu', (message) => ({
      ...message,
      value: { ...message.value, angular_velocity: { x: NaN, y: 0, z: 0 } },
    }));
    const report = await check({ messages }, { filter: { topics: ['/r2/*'], to: START + 5n * S } });
    assert.deepEqual([report.findings, report.messages, report.topics], [[], 325, 3]);
  });
});
