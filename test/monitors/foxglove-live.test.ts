import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import wsProtocol, { type Channel as WireChannel } from '@foxglove/ws-protocol';
import { parse as parseDefinition } from '@foxglove/rosmsg';
import { MessageReader, MessageWriter } from '@foxglove/rosmsg2-serialization';
import WebSocket from 'ws';
import type { Channel, Message } from '../../src/core/message.js';
import { silentLogger } from '../../src/core/logger.js';
import { present } from '../../src/core/present.js';
import { FoxgloveLive, type FoxgloveLiveOptions } from '../../src/monitors/foxglove/live-server.js';
import { statusChannels } from '../../src/monitors/foxglove/status-topics.js';
import { Watch } from '../../src/monitors/live/watch.js';
import { packageRoot } from '../../src/host/version.js';
import { systemClock } from '../../src/host/system-clock.js';
import { FakeRecorder, watchPorts } from './fake-recorder.js';
import { silentLog } from './silent-log.js';
import { eventually, sleep } from '../../src/testing/waiting.js';

const { FoxgloveClient } = wsProtocol;
const definition = 'string data\nint32 count';
const writer = new MessageWriter(parseDefinition(definition, { ros2: true }));

function channel(topic: string, changes: Partial<Channel> = {}): Channel {
  return Object.freeze({
    robot: 'robot1',
    topic,
    encoding: 'cdr',
    schema: { name: 'test_msgs/msg/Text', encoding: 'ros2msg', data: Buffer.from(definition) },
    metadata: {},
    latched: false,
    ...changes,
  });
}

function message(of: Channel, data: Uint8Array, receivedAt = 1_700_000_000_123_456_789n): Message {
  return { kind: 'message', channel: of, data, receivedAt, publishedAt: receivedAt };
}

const text = (of: Channel, count: number): Message =>
  message(of, writer.writeMessage({ data: `number ${count}`, count }));

/** What Foxglove itself is built on, with what it received. */
class Viewer {
  readonly socket: WebSocket;
  readonly client: InstanceType<typeof FoxgloveClient>;
  readonly channels = new Map<string, WireChannel>();
  readonly received: { readonly topic: string; readonly timestamp: bigint; readonly data: Uint8Array }[] = [];
  readonly said: string[] = [];
  readonly #topicOf = new Map<number, string>();

  constructor(
    url: string,
    protocols: string | string[] = FoxgloveClient.SUPPORTED_SUBPROTOCOL,
    options = {},
  ) {
    this.socket = new WebSocket(url, protocols, options);
    this.socket.on('error', () => {});
    this.client = new FoxgloveClient({ ws: this.socket as never });
    this.client.on('advertise', (list) => list.forEach((one) => this.channels.set(one.topic, one)));
    this.client.on('status', ({ message: words }) => this.said.push(words));
    this.client.on('message', ({ subscriptionId, timestamp, data }) => {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      this.received.push({
        topic: present(this.#topicOf.get(subscriptionId)),
        timestamp,
        data: Buffer.from(bytes),
      });
    });
  }

  async subscribe(topic: string): Promise<WireChannel> {
    await eventually(() => this.channels.has(topic));
    const wire = present(this.channels.get(topic));
    this.#topicOf.set(this.client.subscribe(wire.id), topic);
    return wire;
  }

  on(topic: string): { readonly timestamp: bigint; readonly data: Uint8Array }[] {
    return this.received.filter((one) => one.topic === topic);
  }
}

describe('the live server for Foxglove', () => {
  let recorder: FakeRecorder;
  let watch: Watch;
  let live: FoxgloveLive;
  const viewers: Viewer[] = [];
  const log = silentLog();

  async function start(changes: Partial<FoxgloveLiveOptions> = {}): Promise<void> {
    // It does not exist the first time.
    await (live as FoxgloveLive | undefined)?.[Symbol.asyncDispose]();
    live = await FoxgloveLive.listen(
      {
        address: '127.0.0.1',
        port: 0,
        tries: 1,
        hostname: 'robot-host',
        allowedHosts: [],
        allowedOrigins: ['https://viewer.example'],
        maxClients: 3,
        clientMaxBytes: 1_000_000,
        name: 'test',
        ...changes,
      },
      { recorder, watch, log, clock: systemClock, logger: silentLogger },
    );
  }
  function view(...args: [protocols?: string | string[], options?: object]): Viewer {
    const viewer = new Viewer(live.url, ...args);
    viewers.push(viewer);
    return viewer;
  }
  const isSubscribed = (wire: WireChannel): boolean => live.isSubscribed(wire.id);

  beforeEach(async () => {
    recorder = new FakeRecorder();
    watch = new Watch({ ...watchPorts(recorder), log });
    await start();
  });
  afterEach(async () => {
    for (const viewer of viewers.splice(0)) viewer.socket.terminate();
    await live[Symbol.asyncDispose]();
    watch[Symbol.dispose]();
  });

  it('shows recorded topics with their schema, and messages that decode by it', async () => {
    const of = channel('/text');
    recorder.known.push(of);
    const viewer = view();
    const wire = await viewer.subscribe('/text');
    assert.deepEqual(
      [wire.encoding, wire.schemaName, wire.schemaEncoding],
      ['cdr', 'test_msgs/msg/Text', 'ros2msg'],
    );
    await eventually(() => isSubscribed(wire));
    for (let n = 0; n < 10; n++) recorder.messages.emit(text(of, n));
    await eventually(() => viewer.on('/text').length === 10);
    const reader = new MessageReader(parseDefinition(wire.schema, { ros2: true }));
    assert.deepEqual(
      viewer.on('/text').map(({ data }) => reader.readMessage(data)),
      Array.from({ length: 10 }, (_, n) => ({ data: `number ${n}`, count: n })),
    );
    assert.equal(viewer.on('/text')[0]!.timestamp, 1_700_000_000_123_456_789n);
  });

  it('passes large messages whole, byte for byte', async () => {
    const of = channel('/image');
    recorder.known.push(of);
    const viewer = view();
    const wire = await viewer.subscribe('/image');
    await eventually(() => isSubscribed(wire));
    const data = Buffer.alloc(600_000, 7);
    data.writeUInt32LE(1, 599_000);
    recorder.messages.emit(message(of, data));
    await eventually(() => viewer.on('/image').length === 1);
    assert.ok(data.equals(viewer.on('/image')[0]!.data));
  });

  it('announces a topic that appears later, or that no listing knows', async () => {
    const viewer = view();
    await viewer.subscribe('/holdfast/watermark');
    recorder.messages.emit(text(channel('/late'), 1));
    const wire = await viewer.subscribe('/late');
    await eventually(() => isSubscribed(wire));
    recorder.messages.emit(text(channel('/late'), 2));
    await eventually(() => viewer.on('/late').length === 1);
  });

  it('gives the same topic of two robots two names', async () => {
    recorder.known.push(channel('/odom'), channel('/odom', { robot: 'robot2' }));
    const viewer = view();
    await viewer.subscribe('/odom');
    const wire = await viewer.subscribe('/robot2/odom');
    await eventually(() => isSubscribed(wire));
    recorder.messages.emit(text(recorder.known[1]!, 5));
    await eventually(() => viewer.on('/robot2/odom').length === 1);
    assert.equal(viewer.on('/odom').length, 0);
  });

  it('gives a late client the latched messages, each client separately', async () => {
    const of = channel('/tf_static', { latched: true });
    recorder.known.push(of);
    recorder.kept.push(text(of, 1), text(of, 2));
    for (let n = 0; n < 2; n++) {
      const viewer = view();
      await viewer.subscribe('/tf_static');
      await eventually(() => viewer.on('/tf_static').length === 2);
    }
  });

  it('reports up to which message the data is durable', async () => {
    const viewer = view();
    const wire = await viewer.subscribe('/holdfast/watermark');
    assert.deepEqual([wire.encoding, wire.schemaEncoding], ['json', 'jsonschema']);
    await eventually(() => viewer.on('/holdfast/watermark').length >= 1);
    const { timestamp, data } = viewer.on('/holdfast/watermark')[0]!;
    const mark = JSON.parse(Buffer.from(data).toString()) as {
      durable_until: { sec: number; nsec: number };
      uncommitted_messages: number;
    };
    const until_ = BigInt(mark.durable_until.sec) * 1_000_000_000n + BigInt(mark.durable_until.nsec);
    assert.equal(timestamp - until_, 12_000_000n);
    assert.equal(mark.uncommitted_messages, 1);
  });

  it('shows its own state, alerts and log lines as topics', async () => {
    const viewer = view();
    for (const topic of ['/holdfast/status', '/holdfast/alerts', '/holdfast/log'])
      await viewer.subscribe(topic);
    await eventually(
      () => viewer.on('/holdfast/status').length > 0 && viewer.on('/holdfast/alerts').length > 0,
    );
    const status = JSON.parse(Buffer.from(viewer.on('/holdfast/status')[0]!.data).toString()) as {
      state: string;
    };
    assert.equal(status.state, 'recording');
    log.warn('something happened', { n: 1 });
    await eventually(() => viewer.on('/holdfast/log').length > 0);
    const line = JSON.parse(Buffer.from(viewer.on('/holdfast/log')[0]!.data).toString()) as Record<
      string,
      unknown
    >;
    assert.deepEqual([line['level'], line['message']], [3, 'something happened n=1']);
  });

  it('speaks both subprotocols, and nothing else', async () => {
    for (const protocol of ['foxglove.websocket.v1', 'foxglove.sdk.v1']) {
      const viewer = view(protocol);
      await eventually(() => viewer.channels.size > 0);
      assert.equal(viewer.socket.protocol, protocol);
      viewer.socket.terminate();
    }
    const both = view(['foxglove.websocket.v1', 'foxglove.sdk.v1']);
    await eventually(() => both.channels.size > 0);
    const none = new WebSocket(live.url);
    none.on('error', () => {});
    await new Promise((resolve) => none.on('close', resolve));
    assert.equal(recorder.messages.isHeard, true);
  });

  it('taps the recorder only while somebody is connected', async () => {
    assert.equal(recorder.messages.isHeard, false);
    const viewer = view();
    await eventually(() => recorder.messages.isHeard);
    viewer.socket.close();
    await eventually(() => !recorder.messages.isHeard);
  });

  it('skips messages for a slow client, holds a bounded amount for it, and does not wait', async function () {
    this.timeout(20_000);
    const of = channel('/flood');
    recorder.known.push(of);
    const slow = view();
    const quick = view();
    const wire = await slow.subscribe('/flood');
    await quick.subscribe('/flood');
    await eventually(() => isSubscribed(wire) && quick.channels.size > 0);
    await sleep(50);
    slow.socket.pause();
    const data = Buffer.alloc(100_000);
    for (let n = 0; n < 400; n++) {
      recorder.messages.emit(message(of, data));
      assert.ok(live.maxUnsentBytes <= 1_100_000);
      if (n % 5 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(live.skipped > 0);
    slow.socket.resume();
    await eventually(() => slow.said.length > 0);
    assert.match(slow.said[0]!, /too slow/);
    const before = quick.on('/flood').length;
    recorder.messages.emit(message(of, data));
    await eventually(() => quick.on('/flood').length > before);
  });

  it('refuses strangers’ pages and names, and lets Foxglove and programs in', async () => {
    const refused = async (options: object): Promise<number> => {
      const socket = new WebSocket(live.url, 'foxglove.websocket.v1', options);
      return new Promise((resolve) => {
        socket.on('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
        socket.on('open', () => {
          socket.terminate();
          resolve(101);
        });
        socket.on('error', () => {});
      });
    };
    assert.equal(await refused({ origin: 'https://evil.example' }), 403);
    assert.equal(await refused({ origin: 'null' }), 403);
    assert.equal(await refused({ origin: 'https://foxglove.dev.evil.example' }), 403);
    assert.equal(await refused({ headers: { host: 'evil.example' } }), 403);
    for (const origin of ['https://app.foxglove.dev', 'file://', 'https://viewer.example']) {
      assert.equal(await refused({ origin }), 101, origin);
    }
  });

  it('refuses one client more than allowed, and survives nonsense of the others', async () => {
    const first = view();
    view();
    view();
    await eventually(() => live.clientCount === 3);
    const fourth = new WebSocket(live.url, 'foxglove.websocket.v1');
    fourth.on('error', () => {});
    const status = await new Promise((resolve) =>
      fourth.on('unexpected-response', (_, response) => resolve(response.statusCode)),
    );
    assert.equal(status, 503);
    for (const nonsense of [
      '',
      '{}',
      'null',
      '{"op":"subscribe"}',
      '{"op":"subscribe","subscriptions":[1]}',
      '[[[',
    ]) {
      first.socket.send(nonsense);
    }
    first.socket.send(Buffer.from([1, 2, 3]));
    const raw = connect(live.port, '127.0.0.1');
    raw.on('error', () => {});
    raw.write('nonsense\r\n\r\n');
    await first.subscribe('/holdfast/watermark');
    await eventually(() => first.on('/holdfast/watermark').length > 0);
    raw.destroy();
  });

  it('leaves alone the port of a server that is recorded, and takes the next that is free', async () => {
    const first = live.port;
    const port = first + 1;
    await start({ port, tries: 50, avoid: new Set([port]) });
    assert.ok(live.port > port);
  });
});

describe('the Foxglove layout', () => {
  it('asks only for topics and fields there are', () => {
    const text = readFileSync(join(packageRoot, 'config', 'foxglove', 'holdfast-live.json'), 'utf8');
    const { configById, layout } = JSON.parse(text) as { configById: Record<string, object>; layout: object };
    const known = new Map(
      Object.values(statusChannels).map(({ topic, schema }) => [
        topic,
        Object.keys((JSON.parse(schema) as { properties: object }).properties),
      ]),
    );
    const paths = [...text.matchAll(/"(\/holdfast\/[^"]+)"/g)].map(([, path]) => present(path));
    assert.ok(paths.length >= 10);
    for (const path of paths) {
      const [topic, field] = path.split('.');
      assert.ok(topic !== undefined);
      const fields = known.get(topic);
      assert.ok(fields !== undefined && (field === undefined || fields.includes(field)), path);
    }
    const shown = [...JSON.stringify(layout).matchAll(/"([A-Za-z]+![a-z0-9]+)"/g)].map(([, id]) =>
      present(id),
    );
    assert.deepEqual(shown.toSorted(), Object.keys(configById).toSorted());
  });
});
