import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { present } from '../../../src/core/present.js';
import type { Numbering } from '../../../src/core/source.js';
import { FleetControl } from '../../../src/sources/sim/fleet-control.js';
import { encodeChannels, encodeHello } from '../../../src/sources/sim/fleet-protocol.js';
import { FleetServer, type FleetServerOptions } from '../../../src/sources/sim/fleet-server.js';
import { readSimOptions } from '../../../src/sources/sim/sim-options.js';
import { createSimSource } from '../../../src/sources/sim/sim-source.js';
import { parseSourceUri } from '../../../src/sources/source-uri.js';
import { sourceContract, type SourceFixture } from '../../../src/testing/source-contract.js';
import { Probe, idle, recordingLogger, type LogLine } from '../../../src/testing/source-probe.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';

function startFleet(query: string, options: Partial<FleetServerOptions> = {}): Promise<FleetServer> {
  return FleetServer.start({
    plan: readSimOptions(query),
    clock: systemClock,
    random: randomBytes,
    ...options,
  });
}

const sourceOf = (uri: string) => createSimSource(parseSourceUri(uri));

async function fixture(query: string, options?: Partial<FleetServerOptions>): Promise<SourceFixture> {
  const server = await startFleet(query, options);
  return { source: sourceOf(server.uri), close: () => server.close() };
}

const brief = 'robots=2&rate=10x&duration=1s';

sourceContract('The client of a fleet process', {
  healthy: () => fixture(`${brief}&camera_kb=16`, { waitForListener: true }),
  damaged: () => fixture(`${brief}&camera_kb=16`, { waitForListener: true, bufferMaxBytes: 1 }),
});

describe('The fleet process', function () {
  this.timeout(30_000);

  const servers: FleetServer[] = [];
  const probes: Probe[] = [];
  const sockets: Socket[] = [];
  const start = async (...args: Parameters<typeof startFleet>): Promise<FleetServer> => {
    const server = await startFleet(...args);
    servers.push(server);
    return server;
  };
  const listen = (uri: string, options?: ConstructorParameters<typeof Probe>[1]): Probe => {
    const probe = new Probe(sourceOf(uri), options);
    probes.push(probe);
    return probe;
  };
  afterEach(async () => {
    for (const probe of probes.splice(0)) probe.unsubscribe();
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) await server.close();
  });

  /** Numbers received, and gaps reported, per topic. */
  function seen(...of: readonly Probe[]): Map<string, { got: number[]; skipped: number }> {
    const topics = new Map<string, { got: number[]; skipped: number }>();
    const at = (topic: string) => {
      const known = topics.get(topic) ?? { got: [], skipped: 0 };
      topics.set(topic, known);
      return known;
    };
    for (const event of of.flatMap((probe) => probe.events)) {
      if (event.kind === 'message') at(event.channel.topic).got.push(present(event.sourceSequence));
      if (event.kind === 'gap') at(present(event.gap.topic)).skipped += present(event.gap.count);
    }
    return topics;
  }

  const numberings = (probe: Probe): Map<string, Numbering> =>
    new Map(
      probe.events.flatMap((event) => (event.kind === 'numbering' ? [[event.channel.topic, event]] : [])),
    );

  it('accounts for every message when a listener leaves and another one joins', async () => {
    const server = await start('robots=2&rate=5x&camera_kb=16');
    const first = listen(server.uri);
    await eventually(() => first.messages.length > 500, 'messages');
    first.unsubscribe();
    await eventually(() => !server.ledger().connected, 'the fleet to notice');
    const produced = server.ledger().produced;
    await eventually(() => server.ledger().produced > produced + 500, 'production to continue');
    const second = listen(server.uri);
    await eventually(() => second.messages.length > 500, 'messages again');
    const ledger = await server.stop();
    await second.end();

    const before = seen(first);
    const after = seen(second);
    for (const channel of ledger.channels) {
      const { topic } = channel;
      const numbering = numberings(second).get(topic);
      assert.ok(numbering, `no numbering of ${topic}`);
      const got = before.get(topic)?.got ?? [];
      const { got: gotAfter, skipped } = after.get(topic) ?? { got: [], skipped: 0 };
      assert.ok(numbering.next > numbering.delivered);
      assert.ok(numbering.next > (got.at(-1) ?? 0), 'what was received lies before what comes next');
      // The last confirmations may be cut off by the end of the connection, no more than that.
      if (got.length > 50) assert.ok(numbering.delivered > present(got.at(-1)) - 50, topic);
      assert.equal(skipped, 0);
      assert.equal(gotAfter[0] ?? channel.produced + 1, numbering.next, topic);
      assert.equal(gotAfter.at(-1) ?? numbering.next - 1, channel.produced, topic);
      assert.equal(gotAfter.length, channel.produced - numbering.next + 1, `${topic} has holes`);
      if (gotAfter.length > 0) assert.equal(channel.lastDelivered, channel.produced);
    }
    const missed = [...numberings(second).values()].filter(({ delivered, next }) => next - delivered > 1);
    assert.ok(missed.length > 10, 'something was missed meanwhile');
  });

  it('numbers a latched message again for each listener', async () => {
    const server = await start('robots=1&topics=tf_static,imu&rate=5x');
    for (const expected of [2, 3]) {
      await eventually(() => !server.ledger().connected, 'no listener');
      const probe = listen(server.uri);
      await eventually(() => probe.messages.length > 10, 'messages');
      const latched = probe.messages.filter((message) => message.channel.latched);
      assert.deepEqual(
        latched.map((message) => message.sourceSequence),
        [expected],
      );
      assert.equal(numberings(probe).get('/robot1/tf_static')?.next, expected);
      probe.unsubscribe();
    }
  });

  it('reports the end of the numbering to a listener that joins after the end', async () => {
    const server = await start('robots=1&rate=10x&topics=imu,tf_static');
    const first = listen(server.uri);
    await eventually(() => first.messages.length > 50, 'messages');
    first.unsubscribe();
    const { channels } = await server.stop();
    const late = await listen(server.uri).end();
    assert.deepEqual(late.messages, []);
    assert.deepEqual(
      late.events.filter((event) => event.kind === 'gap'),
      [],
    );
    for (const { topic, produced } of channels) assert.equal(numberings(late).get(topic)?.next, produced + 1);
  });

  it('skips and counts messages for a slow listener, and never waits for it', async () => {
    const server = await start('robots=1&rate=20x&camera_kb=90', { bufferMaxBytes: 1_000_000 });
    const { host, port } = server.address;
    const mute = connect({ host, port });
    sockets.push(mute);
    await once(mute, 'connect');
    mute.pause();
    mute.write(encodeHello('listener'));
    mute.write(encodeChannels(server.ledger().channels.map((_, i) => i)));
    await eventually(() => server.ledger().skipped > 1_000, 'skipping');
    mute.destroy();
    await eventually(() => !server.ledger().connected, 'the fleet to notice');
    assert.equal(server.ledger().delivered, 0, 'nothing was confirmed');
    const probe = listen(server.uri);
    await eventually(() => probe.messages.length > 100, 'messages');
    for (const { delivered, next } of numberings(probe).values()) {
      assert.equal(delivered, 0);
      assert.ok(next > 1);
    }
  });

  it('leaves a hole in the numbers, or a gap at the end, for all that it skipped', async () => {
    const server = await start(`${brief}&camera_kb=90`, { waitForListener: true, bufferMaxBytes: 1_500 });
    const probe = await listen(server.uri).end();
    const topics = seen(probe);
    let [inside, atTheEnd] = [0, 0];
    for (const channel of server.ledger().channels) {
      const { got = [], skipped = 0 } = topics.get(channel.topic) ?? {};
      const holes = (got.at(-1) ?? 0) - got.length;
      assert.equal(got.length + holes + skipped, channel.produced, channel.topic);
      assert.equal(holes + skipped, channel.skipped, channel.topic);
      inside += holes;
      atTheEnd += skipped;
    }
    assert.ok(inside > 0 && atTheEnd > 0, 'the buffer was too large for this test');
    for (const event of probe.events) {
      if (event.kind === 'gap') assert.equal(event.gap.settledThrough, event.gap.lastSourceSequence);
    }
  });

  it('loses no number if its process is suspended', async () => {
    const server = await start('robots=1&topics=imu', { waitForListener: true });
    const probe = listen(server.uri);
    await eventually(() => probe.messages.length > 20, 'messages');
    const until = process.hrtime.bigint() + 300_000_000n;
    while (process.hrtime.bigint() < until);
    await eventually(() => probe.messages.length > 80, 'the rest');
    await server.stop();
    await probe.end();
    const { got, skipped } = present(seen(probe).get('/robot1/imu'));
    assert.deepEqual(
      got,
      Array.from({ length: got.length }, (_, i) => i + 1),
    );
    assert.equal(skipped, 0);
  });

  it('refuses a second listener until the first is gone', async () => {
    const server = await start('robots=1&topics=imu');
    const first = listen(server.uri);
    await eventually(() => first.messages.length > 3, 'messages');
    const lines: LogLine[] = [];
    const second = listen(server.uri, { logger: recordingLogger(lines) });
    await eventually(
      () => lines.some((line) => /another listener/.test(String(line.fields?.['reason']))),
      'a refusal',
    );
    assert.equal(second.messages.length, 0);
    first.unsubscribe();
    await eventually(() => second.messages.length > 3, 'the second to be let in');
  });

  it('is found again after it was away, and a new fleet on its port is noticed', async () => {
    const first = await start('robots=1&topics=imu');
    const { port } = first.address;
    const lines: LogLine[] = [];
    const probe = listen(first.uri, { logger: recordingLogger(lines) });
    await eventually(() => probe.messages.length > 3, 'messages');
    await first.close();
    await eventually(() => probe.events.some((e) => e.kind === 'state' && e.state === 'waiting'), 'the loss');
    const count = probe.messages.length;
    await start('robots=1&topics=imu', { port });
    await eventually(() => probe.messages.length > count, 'messages of the new fleet');
    assert.ok(lines.some((line) => /a different fleet/.test(line.event)));
    assert.equal(new Set(probe.channels).size, 1, 'the channel is still the same object');
  });

  it('answers for its ledger and stops on command, beside a listener', async () => {
    const server = await start('robots=1&topics=imu&rate=5x');
    const probe = listen(server.uri);
    await eventually(() => probe.messages.length > 20, 'messages');
    await using control = await FleetControl.connect(server.address);
    const running = await control.ledger();
    assert.equal(running.state, 'running');
    assert.ok(running.produced > 0);
    const final = await control.stop();
    await probe.end();
    assert.equal(final.state, 'stopped');
    assert.equal(final.delivered, probe.messages.length);
    assert.equal(probe.messages.at(-1)?.sourceSequence, final.channels[0]?.produced);
    assert.equal((await control.ledger()).produced, final.produced, 'nothing more is produced');
  });

  it('throws out who does not speak its language, and continues', async () => {
    const server = await start('robots=1&topics=imu');
    for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(64), encodeChannels([1])]) {
      const socket = connect(server.address);
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write(bytes);
      await once(socket, 'close');
    }
    const probe = listen(server.uri);
    await eventually(() => probe.messages.length > 3, 'messages');
  });

  it('is waited for patiently when something else answers', async () => {
    const other = createServer((socket) => socket.resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    other.listen(0, '127.0.0.1');
    await once(other, 'listening');
    const lines: LogLine[] = [];
    const probe = listen(`sim://127.0.0.1:${(other.address() as AddressInfo).port}`, {
      logger: recordingLogger(lines),
    });
    await eventually(() => lines.some((line) => line.level === 'warn'), 'a warning');
    await idle();
    assert.equal(probe.ended, false);
    probe.unsubscribe();
    other.close();
    await once(other, 'close');
  });

  it('cannot run at full speed, for it has a clock of its own', async () => {
    await assert.rejects(startFleet('rate=max'), /CONFIG_INVALID|rate=max/);
  });
});
