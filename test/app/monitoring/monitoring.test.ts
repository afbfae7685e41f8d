import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import wsProtocol from '@foxglove/ws-protocol';
import { parse as parseDefinition } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';
import WebSocket from 'ws';
import { present } from '../../../src/core/present.js';
import { prepareRecorder } from '../../../src/app/setup/prepare-recorder.js';
import { compileMonitoringOptions } from '../../../src/app/monitoring/monitoring-options.js';
import { startMonitoring, type Monitoring } from '../../../src/app/monitoring/start-monitoring.js';
import { resolve, type RawFlags } from '../../../src/settings/resolve.js';
import { RecorderHost } from '../../../src/recorder/recorder-host.js';
import { systemPorts } from '../../../src/host/ports.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import { silentLogger, type LogFields, type Logger } from '../../../src/core/logger.js';
import { parseExposition } from '../../monitors/prometheus-text.js';
import { eventually } from '../../../src/testing/waiting.js';

type Json = Record<string, unknown>;
const { FoxgloveClient } = wsProtocol;

/** A real recorder of a simulated robot, with everything that watches it on free ports. */
class World implements AsyncDisposable {
  data = '';
  host!: RecorderHost;
  monitoring!: Monitoring;
  readonly warnings: string[] = [];

  static async start(flags: RawFlags = {}): Promise<World> {
    const world = new World();
    world.data = join(await fs.mkdtemp(join(tmpdir(), 'holdfast-monitoring-')), 'data');
    const note = (event: string, fields?: LogFields): void => {
      world.warnings.push(`${event} ${inspect(fields?.['error'])}`);
    };
    const logger: Logger = { ...silentLogger, warn: note, error: note };
    const ports = systemPorts(logger);
    const resolved = resolve('recorder', undefined, {
      data: world.data,
      sources: ['sim:?robots=1&seed=1'],
      'retention.min_free_bytes': '0',
      ballast_bytes: '0',
      'web.port': 0,
      'foxglove.port': 0,
      ...flags,
    });
    const { options, openInputs } = await prepareRecorder(resolved, ports);
    world.host = new RecorderHost({ options, ports, openInputs });
    await world.host.configure();
    world.monitoring = startMonitoring(world.host, compileMonitoringOptions(resolved), ports);
    await world.host.activate();
    await world.monitoring.ready;
    return world;
  }

  async get(path: string): Promise<Json> {
    return (await (await fetch(new URL(path, this.monitoring.webUrl))).json()) as Json;
  }

  async post(path: string, body?: unknown): Promise<Response> {
    return fetch(new URL(path, this.monitoring.webUrl), {
      method: 'POST',
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
  }

  async state(): Promise<string> {
    const { phase, recorder } = (await this.get('/status')) as { phase: string; recorder: { state: string } };
    return `${phase} ${recorder.state}`;
  }

  get durable(): number {
    return this.host.status().totals.durable;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.monitoring[Symbol.asyncDispose]();
    await this.host.close();
    await fs.rm(join(this.data, '..'), { recursive: true, force: true });
  }
}

describe('a recorder that is watched', function () {
  this.timeout(60_000);

  it('shows the recording, and obeys every control', async () => {
    await using world = await World.start();
    await eventually(() => world.durable > 50);
    assert.equal(await world.state(), 'active recording');
    const { sync, syncError } = await world.get('/status');
    assert.equal(sync, null);
    assert.match(syncError as string, /not running/);
    const topics = (await world.get('/topics'))['topics'] as { topic: string; received: number }[];
    assert.ok(topics.length > 5 && topics.some(({ received }) => received > 0));

    assert.equal((await world.post('/control/split')).status, 200);
    const segments = async (): Promise<{ state: string; messages?: number }[]> =>
      (await world.get('/segments'))['segments'] as { state: string; messages?: number }[];
    await eventually(async () =>
      (await segments()).some(({ state, messages }) => state === 'sealed' && (messages ?? 0) > 0),
    );
    await eventually(async () => (await segments()).some(({ state }) => state === 'open'));

    assert.equal((await world.post('/control/pause')).status, 200);
    assert.equal(await world.state(), 'active paused');
    await eventually(() => (world.host.status().totals.droppedByReason.paused ?? 0) > 0);
    assert.equal((await world.post('/control/resume')).status, 200);
    assert.equal(await world.state(), 'active recording');

    assert.equal((await world.post('/control/stop')).status, 200);
    assert.equal(await world.state(), 'inactive inactive');
    const refused = await world.post('/control/split');
    assert.equal(refused.status, 409);
    assert.equal(((await refused.json()) as { error: { code: string } }).error.code, 'STATE_REFUSED');
    assert.equal((await world.post('/control/start')).status, 200);
    const before = world.host.status().totals.received;
    await eventually(() => world.host.status().totals.received > before + 10);
    assert.equal((await world.post('/control/sync_now')).status, 503);

    const { families, text } = await metricsOf(world);
    const commits = present(families.get('holdfast_commit_duration_seconds')).samples;
    assert.ok(present(commits.at(-1)).value > 0);
    assert.match(text, /holdfast_recorder_state\{state="recording"\} 1/);
  });

  it('gives a page its past and then two updates a second', async () => {
    await using world = await World.start();
    await eventually(async () => (((await world.get('/history'))['atMs'] ?? []) as unknown[]).length >= 2);
    const socket = new WebSocket(new URL('/live', present(world.monitoring.webUrl).replace('http', 'ws')));
    const kinds: string[] = [];
    let hello: Json = {};
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(String(data)) as Json;
      kinds.push(message['type'] as string);
      if (message['type'] === 'hello') hello = message;
    });
    await eventually(() => kinds.length >= 5);
    assert.deepEqual(kinds.slice(0, 5), ['welcome', 'hello', 'update', 'update', 'update']);
    assert.equal(hello['intervalMs'], 500);
    const history = hello['history'] as Record<string, unknown[]>;
    assert.ok(history['atMs']!.length >= 2 && history['bytesPerS']!.length === history['atMs']!.length);
    socket.terminate();
  });

  it('shows its topics to Foxglove, decoded by their own schemas, the latched ones too', async () => {
    await using world = await World.start();
    await eventually(() => world.durable > 50);
    const socket = new WebSocket(present(world.monitoring.foxgloveUrl), 'foxglove.sdk.v1');
    const client = new FoxgloveClient({ ws: socket as never });
    const seen = new Map<string, unknown>();
    const readers = new Map<number, { topic: string; reader: MessageReader }>();
    client.on('advertise', (list) => {
      for (const { id, topic, encoding, schema } of list) {
        if (encoding !== 'cdr' || !/imu|tf_static|odom/.test(topic)) continue;
        const reader = new MessageReader(parseDefinition(schema, { ros2: true }));
        readers.set(client.subscribe(id), { topic, reader });
      }
    });
    client.on('message', ({ subscriptionId, data }) => {
      const { topic, reader } = present(readers.get(subscriptionId));
      seen.set(topic, reader.readMessage(data));
    });
    await eventually(() => [...seen.keys()].some((topic) => topic.includes('tf_static')) && seen.size >= 3);
    const imu = [...seen].find(([topic]) => topic.includes('imu'))?.[1] as {
      linear_acceleration: { z: number };
    };
    assert.equal(typeof imu.linear_acceleration.z, 'number');
    socket.terminate();
  });

  it('records on, and loses nothing, while its servers are flooded', async () => {
    await using world = await World.start();
    await eventually(() => world.durable > 50);
    const { port } = new URL(present(world.monitoring.webUrl));
    const sockets: Socket[] = [];
    for (let n = 0; n < 500; n++) {
      const socket = connect(Number(port), '127.0.0.1');
      socket.on('error', () => {});
      if (n % 3 === 0) socket.write(`GET /status HTTP/1.1\r\nHost: localhost\r\nx: ${'y'.repeat(500)}\r\n`);
      sockets.push(socket);
    }
    const before = world.durable;
    await eventually(() => world.durable > before + 200);
    for (const socket of sockets) socket.destroy();
    const { totals, lossWindow } = world.host.status();
    assert.equal(totals.dropped, 0);
    assert.ok(lossWindow.maxMs < 10_000);
    await eventually(async () => {
      const answer = await fetch(new URL('/healthz', world.monitoring.webUrl)).catch(() => undefined);
      return answer?.status === 200;
    });
  });

  it('records if no port is free, and reports that once', async () => {
    const holder = createServer();
    await new Promise<void>((done) => holder.listen(0, '127.0.0.1', done));
    const { port } = holder.address() as { port: number };
    {
      await using world = await World.start({
        'web.port': port,
        'web.port_tries': 1,
        'foxglove.port': port,
        'foxglove.port_tries': 1,
      });
      await eventually(() => world.durable > 20);
      assert.equal(world.monitoring.webUrl, undefined);
      assert.equal(world.monitoring.foxgloveUrl, undefined);
      const said = world.warnings.filter((line) => line.includes('EADDRINUSE'));
      assert.equal(said.length, 2, world.warnings.join('\n'));
      assert.ok(said.every((line) => line.includes('recording continues')));
    }
    await new Promise((done) => holder.close(done));
  });

  it('records if its token file cannot be used, and serves nothing without it', async () => {
    await using world = await World.start({ 'web.token_file': '/nonexistent/tokens' });
    await eventually(() => world.durable > 20);
    assert.equal(world.monitoring.webUrl, undefined);
    assert.ok(world.warnings.some((line) => line.includes('/nonexistent/tokens')));
  });
});

describe('the token file of a recorder', function () {
  this.timeout(60_000);

  it('opens its ports, and warns that others can read them', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-tokens-'));
    const path = join(folder, 'tokens');
    const token = 'operator-token-0123456789';
    await fs.writeFile(path, `operator ${token}\n`, { mode: 0o644 });
    try {
      await using world = await World.start({ 'web.token_file': path });
      const url = new URL('/status', world.monitoring.webUrl);
      assert.equal((await fetch(url)).status, 401);
      assert.equal((await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status, 200);
      assert.ok(world.warnings.some((line) => line.includes('token file')));
      assert.ok(world.warnings.every((line) => !line.includes(token)));
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });
});

describe('the options of watching', () => {
  const compile = (flags: RawFlags): ReturnType<typeof compileMonitoringOptions> =>
    compileMonitoringOptions(resolve('recorder', undefined, { sources: ['sim:'], ...flags }));

  it('want tokens for every address but loopback', () => {
    for (const address of ['0.0.0.0', '::', '192.0.2.1', 'robot7']) {
      assert.throws(
        () => compile({ 'web.host': address }),
        (error) => isHoldfastError(error, 'CONFIG_INVALID') && /web\.token_file/.test(error.message),
        address,
      );
      assert.equal(compile({ 'web.host': address, 'web.token_file': 't' }).web.address, address);
      assert.equal(compile({ 'web.host': address, 'web.enabled': false }).web.enabled, false);
    }
    for (const address of ['127.0.0.1', '::1', 'localhost']) compile({ 'web.host': address });
  });

  it('leave the ports of recorded Foxglove servers alone', () => {
    const sources = [
      'foxglove:ws://localhost:9000',
      'foxglove:ws://robot_1/',
      'mcap:a',
      '@namespace=foxglove:wss://x:1/y?z=1',
    ];
    assert.deepEqual(compile({ sources }).foxglove.avoid, [9_000, 8_765, 1]);
  });
});

async function metricsOf(
  world: World,
): Promise<{ families: ReturnType<typeof parseExposition>; text: string }> {
  const text = await (await fetch(new URL('/metrics', world.monitoring.webUrl))).text();
  return { families: parseExposition(text), text };
}
