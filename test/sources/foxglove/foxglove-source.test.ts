import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { isHoldfastError } from '../../../src/core/errors.js';
import type { Gap } from '../../../src/core/gap.js';
import { present } from '../../../src/core/present.js';
import type { Source } from '../../../src/core/source.js';
import { createFoxgloveSource } from '../../../src/sources/foxglove/foxglove-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { sourceContract, type SourceFixture } from '../../../src/testing/source-contract.js';
import { Probe, idle, recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';
import { FleetTypes } from './fleet-types.js';
import { FoxgloveTestServer } from './foxglove-test-server.js';
import { eventually } from '../../../src/testing/waiting.js';

const sourceOf = (uri: string): Source => createFoxgloveSource(parseSourceUri(uri));

async function chattering(prepare: (server: FoxgloveTestServer) => void = () => {}): Promise<SourceFixture> {
  const server = await FoxgloveTestServer.start();
  server.chatter(['/robot1/a', '/robot2/b', '/robot2/c'].map((topic) => server.add({ topic })));
  prepare(server);
  return { source: sourceOf(server.uri), close: () => server.close() };
}

sourceContract('The Foxglove client', {
  healthy: () => chattering(),
  damaged: () =>
    chattering((server) => {
      const bad = setInterval(() => {
        for (const socket of server.sockets) {
          socket.send('{ no json');
          socket.send(Buffer.from([1, 2]));
          socket.send('{"op":"advertise","channels":[{"id":9,"topic":"/robot1/bad"},null]}');
        }
      }, 5);
      bad.unref();
      server.foxglove.on('unsubscribe', () => clearInterval(bad));
    }),
});

describe('The Foxglove client', function () {
  this.timeout(60_000);
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const act of cleanUp.splice(0).reverse()) await act();
  });

  async function serve(port?: number): Promise<FoxgloveTestServer> {
    const server = await FoxgloveTestServer.start(port);
    cleanUp.push(() => server.close());
    return server;
  }

  function listen(uri: string, options?: ConstructorParameters<typeof Probe>[1]): Probe {
    const probe = new Probe(sourceOf(uri), options);
    cleanUp.push(() => probe.unsubscribe());
    return probe;
  }

  const gapsOf = (probe: Probe): Omit<Gap, 'id'>[] =>
    probe.events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));

  const subscriptions = (server: FoxgloveTestServer): number[] => {
    const ids: number[] = [];
    server.foxglove.on('subscribe', (id) => void ids.push(id));
    return ids;
  };

  it('takes schemas as MCAP stores them, by their encoding', async () => {
    const server = await serve();
    server.add({ topic: '/robot1/string' });
    server.add({ topic: '/robot1/json', ...FleetTypes.json });
    server.add({ topic: '/robot1/protobuf', ...FleetTypes.protobuf });
    server.add({ topic: '/robot1/ros1', ...FleetTypes.ros1 });
    server.add({ topic: '/robot1/tf_static' });
    const probe = listen(server.uri);
    await eventually(() => probe.channels.length === 5, 'the channels');
    const found = probe.channels.map(({ topic, encoding, schema, latched }) => [
      ...[topic, encoding, schema.name, schema.encoding],
      ...[Buffer.from(schema.data).toString('latin1').slice(0, 12), latched],
    ]);
    assert.deepEqual(found, [
      ['/robot1/string', 'cdr', 'std_msgs/msg/String', 'ros2msg', 'string data\n', false],
      ['/robot1/json', 'json', 'Pose', 'jsonschema', '{"type":"obj', false],
      ['/robot1/protobuf', 'protobuf', 'foxglove.Pose', 'protobuf', '\n\u0003abc', false],
      ['/robot1/ros1', 'ros1', 'std_msgs/String', 'ros1msg', 'string data\n', false],
      ['/robot1/tf_static', 'cdr', 'std_msgs/msg/String', 'ros2msg', 'string data\n', true],
    ]);
    assert.deepEqual(server.offered[0], ['foxglove.sdk.v1', 'foxglove.websocket.v1']);
  });

  it('gives the time of the server as published, its own as received', async () => {
    const server = await serve();
    const subscribed = subscriptions(server);
    const id = server.add({ topic: '/robot1/a' });
    const probe = listen(server.uri);
    await eventually(() => subscribed.includes(id), 'the subscription');
    server.send(id, Buffer.from('one'), 123n);
    server.send(id, Buffer.from('two'), 0n);
    server.send(id, Buffer.from('three'), 2n ** 64n - 1n);
    await eventually(() => probe.messages.length === 3, 'the messages');
    const [one, two, three] = probe.messages;
    assert.ok(one);
    assert.equal(one.publishedAt, 123n);
    assert.equal(two?.publishedAt, two?.receivedAt);
    assert.equal(three?.publishedAt, three?.receivedAt);
    assert.equal(Buffer.from(one.data).toString(), 'one');
  });

  it('records a channel without a schema and warns', async () => {
    const server = await serve();
    const lines: LogLine[] = [];
    const subscribed = subscriptions(server);
    const id = server.add({ topic: '/robot1/bare', schema: '' });
    server.add({ topic: '/robot1/broken', ...FleetTypes.protobuf, schema: '*not base64*' });
    const probe = listen(server.uri, { logger: recordingLogger(lines) });
    await eventually(() => subscribed.length === 2, 'the subscriptions');
    server.send(id, Buffer.from('x'));
    await eventually(() => probe.messages.length === 1, 'the message');
    assert.equal(probe.channels[0]?.schema.data.length, 0);
    const warned = lines.filter((line) => line.fields?.['code'] === 'SCHEMA_MISSING');
    assert.deepEqual(
      warned.map((line) => line.fields?.['topic']),
      ['/robot1/bare', '/robot1/broken'],
    );
  });

  it('follows channels that go and come back with another definition', async () => {
    const server = await serve();
    const subscribed = subscriptions(server);
    const probe = listen(server.uri);
    await eventually(() => server.sockets.size === 1, 'the connection');
    const first = server.add({ topic: '/robot1/a' });
    await eventually(() => subscribed.includes(first), 'the first subscription');
    server.send(first, Buffer.from('1'));
    server.foxglove.removeChannel(first);
    const second = server.add({ topic: '/robot1/a' });
    await eventually(() => subscribed.includes(second), 'the second subscription');
    server.send(second, Buffer.from('2'));
    server.foxglove.removeChannel(second);
    const third = server.add({ topic: '/robot1/a', schema: 'string data\nint32 more\n' });
    await eventually(() => subscribed.includes(third), 'the third subscription');
    server.send(third, Buffer.from('3'));
    await eventually(() => probe.messages.length === 3, 'the messages');
    const kinds = probe.events.map((event) => event.kind).filter((kind) => kind !== 'state');
    assert.deepEqual(kinds, [
      ...['channel', 'message', 'channel-gone'],
      ...['channel', 'message', 'channel-gone'],
      ...['channel', 'message'],
    ]);
    const [one, two, three] = probe.messages.map((message) => message.channel);
    assert.ok(three);
    assert.equal(one, two, 'the same definition is the same channel');
    assert.notEqual(two, three);
    assert.match(Buffer.from(three.schema.data).toString(), /int32 more/);
  });

  it('keeps a topic that two publishers share until both are gone', async () => {
    const server = await serve();
    const ids = [server.add({ topic: '/robot1/a' }), server.add({ topic: '/robot1/a' })];
    const probe = listen(server.uri);
    await eventually(() => probe.channels.length === 2, 'both');
    assert.equal(probe.channels[0], probe.channels[1]);
    const gone = (): number => probe.events.filter((event) => event.kind === 'channel-gone').length;
    server.foxglove.removeChannel(ids[0]!);
    server.add({ topic: '/robot1/marker' });
    await eventually(() => probe.channels.length === 3, 'the marker');
    assert.equal(gone(), 0);
    server.foxglove.removeChannel(ids[1]!);
    await eventually(() => gone() === 1, 'the channel to go');
  });

  it('makes a gap of a message that is too large, and keeps the connection', async () => {
    const server = await serve();
    const subscribed = subscriptions(server);
    const id = server.add({ topic: '/robot1/image' });
    const probe = listen(`${server.uri}?max_message_mb=1`);
    await eventually(() => subscribed.includes(id), 'the subscription');
    server.send(id, Buffer.alloc(1024 * 1024 + 1));
    server.send(id, Buffer.alloc(1024 * 1024));
    await eventually(() => probe.messages.length === 1, 'the message that fits');
    const [gap] = gapsOf(probe);
    assert.deepEqual(
      [gap?.reason, gap?.robot, gap?.topic, gap?.count, gap?.bytes],
      ['message_too_large', 'robot1', '/robot1/image', 1, 1024 * 1024 + 1],
    );
    assert.equal(server.sockets.size, 1);
  });

  it('survives a frame that is too large even to be read', async () => {
    const server = await serve();
    const subscribed = subscriptions(server);
    const id = server.add({ topic: '/robot1/image' });
    const probe = listen(`${server.uri}?max_message_mb=1`);
    await eventually(() => subscribed.length === 1, 'the subscription');
    server.send(id, Buffer.alloc(70 * 1024 * 1024));
    await eventually(() => subscribed.length === 2, 'the client to come back');
    server.send(id, Buffer.from('x'));
    await eventually(() => probe.messages.length === 1, 'a message');
    assert.deepEqual(
      gapsOf(probe).map((gap) => gap.reason),
      ['message_too_large', 'source_lost'],
    );
  });

  it('adds up bad messages instead of telling each', async () => {
    const server = await serve();
    const probe = listen(server.uri);
    await eventually(() => server.sockets.size === 1, 'the connection');
    for (const socket of server.sockets) for (let i = 0; i < 500; i++) socket.send(Buffer.from([1, 0]));
    server.add({ topic: '/robot1/marker' });
    await eventually(() => probe.channels.length === 1, 'all to arrive');
    probe.abort();
    await probe.end();
    const gaps = gapsOf(probe);
    assert.ok(gaps.length <= 20, `${gaps.length} gaps`);
    assert.equal(
      gaps.reduce((sum, gap) => sum + (gap.count ?? 0), 0),
      500,
    );
  });

  it('passes on the status of the server', async () => {
    const server = await serve();
    const lines: LogLine[] = [];
    listen(server.uri, { logger: recordingLogger(lines) });
    await eventually(() => server.sockets.size === 1, 'the connection');
    for (const socket of server.sockets) {
      socket.send(JSON.stringify({ op: 'status', level: 1, message: 'send buffer full' }));
      socket.send(JSON.stringify({ op: 'status', level: 2, message: 'broken' }));
      socket.send(JSON.stringify({ op: 'somethingNew' }));
    }
    await eventually(() => lines.some((line) => line.level === 'error'), 'the error');
    const said = lines.filter((line) => line.event === 'foxglove server reports');
    assert.deepEqual(
      said.map((line) => [line.level, line.fields?.['message']]),
      [
        ['warn', 'send buffer full'],
        ['error', 'broken'],
      ],
    );
  });

  it('takes a silent server for dead and reconnects', async () => {
    let connections = 0;
    // It accepts the WebSocket and then says nothing, not even a pong.
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', autoPong: false });
    server.on('connection', () => connections++);
    await once(server, 'listening');
    cleanUp.push(async () => {
      for (const socket of server.clients) socket.terminate();
      server.close();
      await once(server, 'close');
    });
    listen(`foxglove:ws://127.0.0.1:${(server.address() as { port: number }).port}?keepalive=20ms`);
    await eventually(() => connections >= 2, 'the second connection');
  });

  it('waits patiently for a server that is not there, or is something else', async () => {
    const other = createServer((socket) => socket.resume().end('HTTP/1.1 404 Not Found\r\n\r\n'));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const lines: LogLine[] = [];
    const probe = listen(`foxglove:ws://127.0.0.1:${port}`, { logger: recordingLogger(lines) });
    await eventually(() => lines.length > 0, 'a warning');
    other.close();
    await once(other, 'close');
    const server = await serve(port);
    server.chatter([server.add({ topic: '/robot1/a' })]);
    await eventually(() => probe.messages.length > 0, 'messages of the right server');
    assert.ok(lines.filter((line) => line.level === 'warn').length <= 3, 'it does not warn at every attempt');
  });

  it('refuses invalid WebSocket addresses and options, all at once', () => {
    for (const uri of ['foxglove:', 'foxglove:http://host', 'foxglove:localhost:8765', 'foxglove:ws://']) {
      assert.throws(
        () => sourceOf(uri),
        (error: unknown) => isHoldfastError(error, 'SOURCE_UNKNOWN'),
      );
    }
    assert.throws(
      () => sourceOf('foxglove:ws://host:1?max_message_mb=0&keepalive=often&x=1'),
      (error: unknown) =>
        isHoldfastError(error, 'CONFIG_INVALID') &&
        ['max_message_mb', 'keepalive', 'x'].every((name) => error.message.includes(`${name}: `)),
    );
  });

  describe('with a server in another process', () => {
    const script = fileURLToPath(
      new URL(`foxglove-server-process${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
    );

    async function launch(...args: readonly string[]): Promise<{ child: ChildProcess; port: number }> {
      const child = spawn(process.execPath, [...process.execArgv, script, ...args], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      cleanUp.push(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      });
      const [line] = (await Promise.race([
        once(createInterface({ input: child.stdout }), 'line'),
        once(child, 'exit').then(([code]) => assert.fail(`the server process ended with ${code}`)),
      ])) as [string];
      return { child, port: Number(line) };
    }

    it('reconnects after a kill and reports which time is missing', async () => {
      const first = await launch('0');
      const probe = listen(`foxglove:ws://127.0.0.1:${first.port}`);
      await eventually(() => probe.messages.length > 20, 'messages');
      first.child.kill('SIGKILL');
      await once(first.child, 'exit');
      await eventually(
        () => probe.events.some((event) => event.kind === 'state' && event.state === 'waiting'),
        'the loss',
      );
      const count = probe.messages.length;
      await launch(String(first.port));
      await eventually(() => probe.messages.length > count + 20, 'messages again');
      const [gap, ...more] = gapsOf(probe);
      assert.deepEqual([gap?.reason, gap?.robot, gap?.count], ['source_lost', 'robot1', undefined]);
      assert.deepEqual(more, []);
      const before = probe.messages[count - 1]!;
      const after = probe.messages[count]!;
      assert.equal(gap?.firstTime, before.receivedAt);
      assert.ok(present(gap.lastTime) > present(gap.firstTime) && present(gap.lastTime) <= after.receivedAt);
      assert.equal(new Set(probe.channels).size, 2, 'the channels are still the same');
    });

    it('takes everything a fast server sends', async () => {
      const messages = 60_000;
      const { port } = await launch('0', String(messages));
      let count = 0;
      let bytes = 0;
      const source = sourceOf(`foxglove:ws://127.0.0.1:${port}`);
      const probe = new Probe(source, {
        onEvent: (event) => {
          if (event.kind !== 'message') return;
          count++;
          bytes += event.data.length;
        },
      });
      cleanUp.push(() => probe.unsubscribe());
      await eventually(() => count === messages, `${messages} messages`, 45_000);
      assert.equal(bytes, messages * 100);
      await idle();
      assert.equal(count, messages);
    });
  });
});
