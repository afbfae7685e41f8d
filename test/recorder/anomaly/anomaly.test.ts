import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import { map } from 'rxjs';
import { present } from '../../../src/core/present.js';
import { RecorderHost } from '../../../src/recorder/recorder-host.js';
import { systemPorts } from '../../../src/host/ports.js';
import type { RecorderEvent } from '../../../src/core/events.js';
import type { MarkedEvent } from '../../../src/core/marked-event.js';
import { silentLogger, type Logger } from '../../../src/core/logger.js';
import type { Message } from '../../../src/core/message.js';
import { SEND_POLICY_FILE } from '../../../src/core/send-policy/policy-record.js';
import type { Source, SourceEvent } from '../../../src/core/source.js';
import type { RecorderStatus } from '../../../src/core/status.js';
import { openSource } from '../../../src/sources/open-source.js';
import { SyncEngine } from '../../../src/sync/sync-engine.js';
import { testRecipientText } from '../../support/encrypted-segments.js';
import { MemoryStore } from '../../support/memory-store.js';
import { definitions, payloadOf, START } from '../../jobs/check/check-support.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from '../recorder-support.js';
import { eventually } from '../../../src/testing/waiting.js';

type Change = (value: Record<string, unknown>) => void;

/** A source whose messages of some topics are changed on the way. */
function spoilt(source: Source, changes: Readonly<Record<string, Change>>): Source {
  const spoil = (event: SourceEvent): SourceEvent => {
    if (event.kind !== 'message') return event;
    const change = changes[event.channel.topic];
    if (change === undefined) return event;
    const definition = parse(new TextDecoder().decode(event.channel.schema.data), { ros2: true });
    const value = new MessageReader(definition).readMessage(event.data);
    change(value as Record<string, unknown>);
    return { ...event, data: new MessageWriter(definition).writeMessage(value) };
  };
  return {
    ...source,
    uri: source.uri,
    supports: source.supports,
    open: (context) => source.open(context).pipe(map(spoil)),
  };
}

const imuChannel = Object.freeze({
  ...testChannel('/robot1/imu'),
  schema: {
    name: 'sensor_msgs/msg/Imu',
    encoding: 'ros2msg',
    data: Buffer.from(definitions['sensor_msgs/msg/Imu']),
  },
});

function imu(z: number): Message {
  const zero = { x: 0, y: 0, z: 0 };
  const value = { angular_velocity: zero, linear_acceleration: { x: 0, y: 0, z } };
  const data = payloadOf({ topic: '', type: 'sensor_msgs/msg/Imu', logTime: START, stamp: START, value });
  const now = ports.clock.now();
  return { kind: 'message', channel: imuChannel, data, receivedAt: now, publishedAt: now };
}

const ports = systemPorts(silentLogger);

describe('an anomaly in a recorded topic', function () {
  this.timeout(60_000);
  let place: RecorderPlace;
  let host: RecorderHost | undefined;

  beforeEach(async () => {
    place = await RecorderPlace.make();
  });
  afterEach(async () => {
    await host?.close();
    host = undefined;
    await place[Symbol.asyncDispose]();
  });

  const status = (): RecorderStatus => present(host).status();
  const anomalies = (): NonNullable<RecorderStatus['anomalies']> => present(status().anomalies);

  async function recording(
    source: Source,
    flags: Parameters<RecorderPlace['options']>[0],
    logger?: Logger,
  ): Promise<{ events: RecorderEvent[]; marks: MarkedEvent[] }> {
    const events: RecorderEvent[] = [];
    const marks: MarkedEvent[] = [];
    const input = { source, robot: 'robot1', robotFromNamespace: true };
    host = new RecorderHost({
      options: place.options(flags),
      ports: logger === undefined ? ports : systemPorts(logger),
      openInputs: () => [input],
    });
    host.onEvent((event) => {
      events.push(event);
      if (event.kind === 'event-marked') marks.push(event.event);
    });
    await host.configure();
    await host.activate();
    return { events, marks };
  }

  it('of a simulated robot marks an event that describes it; its segment is sealed and uploaded first', async () => {
    let isSpoilt = false;
    const sim = await openSource('sim:?robots=1&imu_hz=100&topics=imu,battery', { fs: ports.fs, env: {} });
    let spikes = 0;
    const source = spoilt(sim, {
      '/robot1/imu': (value) => {
        if (!isSpoilt || spikes++ >= 3) return;
        (value['linear_acceleration'] as { z: number }).z = 60;
      },
      '/robot1/battery': (value) => {
        if (isSpoilt) value['percentage'] = 0.0625;
      },
    });
    const { events, marks } = await recording(source, {
      'anomaly.rules': [
        '*/imu.linear_acceleration.z zscore>8',
        '*/battery.percentage value<0.1',
        '*/imu nan',
      ],
      'anomaly.before_ms': '500ms',
      'anomaly.after_ms': '300ms',
    });
    const received = (): number => status().totals.received;
    await eventually(() => received() > 150, 'enough is known');
    // An older segment, which would be uploaded first.
    await present(host).split();
    await eventually(() => events.some(({ kind }) => kind === 'segment-sealed'), 'sealed');
    assert.equal(marks.length, 0);
    // Beyond `anomaly.before_ms`: 80 messages of the IMU are 800 ms.
    const known = received();
    await eventually(() => received() > known + 80, 'the sealed segment is older than the window');
    isSpoilt = true;
    await eventually(() => marks.length === 2, 'both are marked');
    const byLabel = [...marks].sort((a, b) => (a.label < b.label ? -1 : 1));
    assert.equal(byLabel[0]!.label, 'anomaly: /robot1/battery percentage 0.0625 is below 0.1');
    assert.match(
      byLabel[1]!.label,
      /^anomaly: \/robot1\/imu linear_acceleration\.z 60 is [\d.e+]+ deviations off \(limit 8\)$/,
    );
    for (const { at, from, to } of marks) {
      assert.equal(BigInt(at) - BigInt(from), 500_000_000n);
      assert.equal(BigInt(to) - BigInt(at), 300_000_000n);
    }
    await eventually(
      () =>
        events.some((event) => event.kind === 'segment-sealed' && (event.manifest.events?.length ?? 0) > 0),
      'the window has passed',
    );
    // A busy machine may skip messages, which is counted; only the rules matter here.
    const { rules, suppressed } = anomalies();
    assert.deepEqual(
      rules.map(({ seen, marked }) => [seen, marked]),
      [
        [1, 1],
        [1, 1],
        [0, 0],
      ],
    );
    assert.equal(suppressed, 0);
    assert.equal(rules[1]!.last, '/robot1/battery percentage 0.0625 is below 0.1');
    await present(host).close();
    const manifests = await place.manifests();
    const order: string[] = [];
    const engine = await SyncEngine.open({
      ...ports,
      dataFolder: place.data,
      store: new MemoryStore(),
      version: 'test',
      pid: process.pid,
      options: { segmentsInFlight: 1 },
    });
    engine.onEvent((event) => {
      if (event.kind === 'segment-synced') order.push(event.segment);
    });
    await engine.drain(AbortSignal.timeout(20_000));
    await engine.close();
    const marked = manifests
      .filter((manifest) => (manifest.events?.length ?? 0) > 0)
      .map(({ file }) => file.name.replace(/\.mcap$/, ''));
    assert.equal(order.length, manifests.length);
    // What was sealed before the anomaly is older and waits until what is marked is there.
    assert.ok(marked.length > 0 && marked.length < order.length);
    assert.equal(manifests[0]!.events, undefined);
    assert.deepEqual(order.slice(0, marked.length).sort(), marked.sort());
  });

  it('is counted and not marked again before it has ended and the cooldown is over', async () => {
    const puppet = new PuppetSource();
    const { marks } = await recording(puppet.input().source, {
      'anomaly.rules': ['/robot1/imu.linear_acceleration.z value>20'],
    });
    puppet.emit(imu(9), imu(30), imu(31), imu(32), imu(9), imu(40));
    await eventually(() => anomalies().looked === 6, 'looked');
    assert.deepEqual([anomalies().rules[0]!.seen, anomalies().rules[0]!.marked], [2, 1]);
    assert.equal(anomalies().suppressed, 1);
    await eventually(() => marks.length === 1, 'marked');
    assert.equal(marks[0]!.label, 'anomaly: /robot1/imu linear_acceleration.z 30 is above 20');
  });

  it('is described without a measured value if the recording is encrypted', async () => {
    const puppet = new PuppetSource();
    const told: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (event, fields) => told.push([event, fields]) };
    const rules = ['/robot1/imu.linear_acceleration.z value>20', '/robot1/imu nan'];
    const flags = { 'anomaly.rules': rules, 'encryption.recipients': [testRecipientText] };
    const { marks } = await recording(puppet.input().source, flags, logger);
    puppet.emit(imu(30.0625), imu(NaN));
    await eventually(() => marks.length === 2, 'marked');
    const described = rules.map((rule) => `/robot1/imu breaks the rule ${rule}`);
    assert.deepEqual(
      marks.map(({ label }) => label).sort(),
      described.map((one) => `anomaly: ${one}`).sort(),
    );
    assert.deepEqual(
      anomalies().rules.map(({ last }) => last),
      described,
    );
    assert.ok(JSON.stringify(told).includes('breaks the rule'));
    assert.doesNotMatch(JSON.stringify([told, status()]), /30\.06|NaN/);
  });

  it('is described without a measured value if sync encrypts or changes what it sends, and with one otherwise', async () => {
    const rule = '/robot1/imu.linear_acceleration.z value>20';
    const sink = { name: 'main', upload: 'all', when: [], budgetBytesPerDay: 0, pass: [] };
    const labelWith = async (
      recipients: readonly string[],
      transform?: readonly string[],
    ): Promise<string> => {
      await fs.mkdir(place.data, { recursive: true });
      const policy = { version: 1, topicMaxAgeMs: 1_000, sinks: [{ ...sink, recipients, transform }] };
      await fs.writeFile(join(place.data, SEND_POLICY_FILE), JSON.stringify(policy));
      const puppet = new PuppetSource();
      const { marks } = await recording(puppet.input().source, { 'anomaly.rules': [rule] });
      puppet.emit(imu(30.0625));
      await eventually(() => marks.length === 1, 'marked');
      await present(host).close();
      return present(marks[0]).label;
    };
    const hidden = `anomaly: /robot1/imu breaks the rule ${rule}`;
    assert.equal(await labelWith([testRecipientText]), hidden);
    assert.equal(await labelWith([], ['imu zero=linear_acceleration']), hidden);
    assert.match(await labelWith([], ['/camera drop']), /30\.06 is above 20$/);
    assert.match(await labelWith([]), /linear_acceleration\.z 30\.06 is above 20$/);
  });

  it('is looked for by other rules from one moment to the next; the counts of a rule that stays continue', async () => {
    const puppet = new PuppetSource();
    const stays = '/robot1/imu.linear_acceleration.z value>20';
    const flags = { 'anomaly.cooldown_ms': '0' };
    await recording(puppet.input().source, { ...flags, 'anomaly.rules': [stays] });
    puppet.emit(imu(30));
    await eventually(() => anomalies().looked === 1, 'looked');
    assert.deepEqual(
      present(host).reconfigure(place.options({ ...flags, 'anomaly.rules': [stays, '/robot1/imu nan'] })),
      ['anomaly.rules'],
    );
    puppet.emit(imu(NaN));
    await eventually(() => anomalies().looked === 2, 'looked');
    assert.deepEqual(
      anomalies().rules.map(({ seen, last }) => [seen, last]),
      [
        [1, '/robot1/imu linear_acceleration.z 30 is above 20'],
        [1, '/robot1/imu linear_acceleration.z is NaN'],
      ],
    );
    present(host).reconfigure(place.options(flags));
    puppet.emit(imu(NaN));
    assert.equal(status().anomalies, undefined);
  });

  it('in a topic that cannot be looked into is said once, and disturbs no recording', async () => {
    const puppet = new PuppetSource();
    const warned: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (event) => warned.push(event) };
    await recording(
      puppet.input().source,
      { 'anomaly.rules': ['* nan', '/robot1/imu.nothing value>1'] },
      logger,
    );
    const json = { ...testChannel('/robot1/json'), encoding: 'json' };
    puppet.emit(
      testMessage(json, '{}'),
      { ...imu(1), data: Buffer.from('torn') },
      { ...imu(1), data: Buffer.from('') },
      imu(1),
    );
    await eventually(() => status().totals.durable === 4, 'durable');
    await eventually(() => anomalies().looked === 3, 'looked');
    assert.equal(anomalies().undecoded, 2);
    assert.deepEqual(warned.filter((one) => one.includes('anomal')).sort(), [
      'a message cannot be decoded for anomaly detection; further ones are only counted',
      'an anomaly rule does not fit a topic',
      'an anomaly rule does not fit a topic',
    ]);
  });
});
