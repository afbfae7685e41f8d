import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { isHoldfastError } from '../../../src/core/errors.js';
import { present } from '../../../src/core/present.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';
import { GROUND_QUEUE, UPLINK_STREAM, uplinkSubjects } from '../../../src/uplink/link/nats-subjects.js';
import { NatsTransport } from '../../../src/uplink/link/nats-transport.js';
import type { GroundReception, UplinkConnection } from '../../../src/uplink/link/uplink-transport.js';
import { makeAccount } from '../../support/nats-accounts.js';
import { NatsServer } from '../../support/nats.js';
import { startNatsReception } from './nats-world.js';
import { End, transportContract } from './transport-contract.js';
import { jetstreamManager } from '@nats-io/jetstream';

const never = new AbortController().signal;

/** A ground that knows the robots of tokens such as `robot_7:secret`. */
class Ground implements GroundReception {
  readonly ends = new Map<string, End>();

  admit(token: string): Promise<string | undefined> {
    return Promise.resolve(token.endsWith(':secret') ? token.slice(0, -':secret'.length) : undefined);
  }

  accept(robot: string, connection: UplinkConnection): End {
    const end = new End();
    end.connection = connection;
    this.ends.set(robot, end);
    return end;
  }
}

describe('The uplink over NATS', function () {
  this.timeout(60_000);
  let server: NatsServer;
  before(async () => {
    server = await NatsServer.start();
  });
  after(() => server.stop());

  const transport = (token: string): NatsTransport =>
    new NatsTransport(`nats://${server.address}`, token, { clock: systemClock, random: randomBytes });

  async function connect(token: string): Promise<End> {
    const end = new End();
    end.connection = await transport(token).connect(end, new AbortController().signal);
    return end;
  }

  transportContract('NATS', (ground) => startNatsReception(server, ground));

  it('puts what robots send into the stream', async () => {
    const ground = new Ground();
    const running = await startNatsReception(server, ground);
    const robot = await connect('robot.7:secret');
    robot.connection.send(Buffer.from('a frame'));
    const end = present(ground.ends.get('robot.7'));
    await eventually(() => end.messages.length === 1, 'the frame');
    const manager = await jetstreamManager(await server.connect());
    const found = await manager.streams.getMessage(UPLINK_STREAM, {
      last_by_subj: `holdfast.up.robot%2E7.${running.worker}.*`,
    });
    assert.equal(found?.string(), 'a frame');
    await running.stop();
  });

  it('gives each robot to one process, and to another one when that has ended', async () => {
    const grounds = [new Ground(), new Ground()];
    const running = [];
    for (const ground of grounds) running.push(await startNatsReception(server, ground));
    const robots = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const name = `robot_${i}`;
        return { name, end: await connect(`${name}:secret`) };
      }),
    );
    const [first, second] = [present(grounds[0]), present(grounds[1])];
    assert.equal(first.ends.size + second.ends.size, 40);
    assert.ok(first.ends.size > 5 && second.ends.size > 5, `${first.ends.size} of 40`);
    for (const { name, end } of robots) end.connection.send(Buffer.from(name));
    const all = (): readonly (readonly [string, End])[] => [...first.ends, ...second.ends];
    await eventually(() => all().every(([, { messages }]) => messages.length === 1), 'messages');
    for (const [name, { messages }] of all()) assert.equal(String(messages[0]), name);
    await running[0]?.stop();
    for (const { name, end } of robots)
      await eventually(() => end.ends.length === (first.ends.has(name) ? 1 : 0), `the end of ${name}`);
    for (const name of first.ends.keys()) await connect(`${name}:secret`);
    assert.equal(second.ends.size, 40);
    await running[1]?.stop();
  });

  it('asks again after 4 s if a process that hangs got the question', async () => {
    const hung = await server.connect();
    hung.subscribe(uplinkSubjects.open('*'), { queue: GROUND_QUEUE, callback: () => undefined });
    await hung.flush();
    let isOver = false;
    const refused = assert.rejects(connect('robot_7:secret'), (error) =>
      isHoldfastError(error, 'GROUND_UNREACHABLE'),
    );
    void refused.finally(() => (isOver = true));
    await eventually(() => isOver, 'the end of the attempt', 9_000);
    await refused;
    const ground = new Ground();
    const running = await startNatsReception(server, ground);
    await eventually(
      () =>
        connect('robot_7:secret').then(
          () => true,
          () => false,
        ),
      'an answer of the other process',
    );
    await hung.close();
    await running.stop();
  });

  it('lets a robot speak only for itself, also with a token of its own', async () => {
    const ground = new Ground();
    const running = await startNatsReception(server, ground);
    await connect('robot_7:secret');
    const nats = await server.connect();
    const asked = JSON.stringify({ link: '00000000', token: 'robot_7:secret' });
    const reply = await nats.request('holdfast.open.robot_8', asked);
    assert.equal(reply.json<{ kind: string }>().kind, 'refused');
    // Somebody who may send as robot_8 sends into the connection of robot_7.
    const subjects: string[] = [];
    nats.subscribe('holdfast.up.>', { callback: (_, { subject }) => void subjects.push(subject) });
    await nats.flush();
    present(ground.ends.get('robot_7')).connection.send(Buffer.from('x'));
    const seven = await connect('robot_7:secret');
    seven.connection.send(Buffer.from('mine'));
    await eventually(() => subjects.length > 0, 'the subject');
    nats.publish(present(subjects[0]).replace('robot_7', 'robot_8'), 'not mine');
    await nats.flush();
    seven.connection.send(Buffer.from('mine again'));
    const end = present(ground.ends.get('robot_7'));
    await eventually(() => end.messages.length === 2, 'both messages');
    assert.deepEqual(end.messages.map(String), ['mine', 'mine again']);
    await running.stop();
  });

  it('answers nonsense without a process that ends', async () => {
    const running = await startNatsReception(server, new Ground());
    const nats = await server.connect();
    for (const text of ['', '{', '[]', '{"link":1}', '{"link":"../../..","token":"robot_7:secret"}']) {
      const reply = await nats.request('holdfast.open.robot_7', text);
      assert.equal(reply.json<{ kind: string }>().kind, 'refused', text);
    }
    nats.publish('holdfast.up.a', 'x');
    nats.publish('holdfast.up.a.b.c.d.e', 'x');
    await connect('robot_7:secret');
    await running.stop();
  });

  it('ends the connections when NATS dies, and robots connect again when it is back', async () => {
    const ground = new Ground();
    const running = await startNatsReception(server, ground);
    const robot = await connect('robot_7:secret');
    const atGround = present(ground.ends.get('robot_7'));
    await server.kill();
    await eventually(() => robot.ends.length === 1 && atGround.ends.length === 1, 'both ends');
    await server.run();
    const again = await eventually(
      () => connect('robot_7:secret').catch(() => undefined),
      'connected again',
      20_000,
    );
    again.connection.send(Buffer.from('back'));
    const end = present(ground.ends.get('robot_7'));
    await eventually(() => end.messages.length === 1, 'a message', 20_000);
    await running.stop();
  });

  it('logs in with the credentials of a file, and names what is wrong without them', async () => {
    const account = makeAccount();
    const guarded = await NatsServer.prepare(account.configuration);
    try {
      await guarded.run();
      const url = `nats://${guarded.address}`;
      const ports = { clock: systemClock, random: randomBytes };
      const creds = (): Promise<Uint8Array> => Promise.resolve(Buffer.from(account.creds));
      const without = new NatsTransport(url, 'robot_7:secret', ports);
      await assert.rejects(
        without.connect(new End(), never),
        (error) => isHoldfastError(error, 'GROUND_UNREACHABLE') && /authorization/i.test(error.message),
      );
      const none = new NatsTransport(url, 'robot_7:secret', ports, { creds }).connect(new End(), never);
      await assert.rejects(none, (error) => isHoldfastError(error, 'GROUND_UNREACHABLE'));
    } finally {
      await guarded.stop();
    }
  });
});
