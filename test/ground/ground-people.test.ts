import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { WebSocket } from 'ws';
import { silentLogger } from '../../src/core/logger.js';
import { present } from '../../src/core/present.js';
import { readTlsFiles, watchTlsFiles } from '../../src/ground/tls-files.js';
import { systemClock } from '../../src/host/system-clock.js';
import { eventually } from '../../src/testing/waiting.js';
import { DrivingRobot, GroundWorld } from './ground-world.js';

interface Answer {
  readonly status: number;
  readonly body: string;
}

describe('The people of a ground', () => {
  let world: GroundWorld;
  beforeEach(async () => {
    world = await GroundWorld.start();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function restart(change: Partial<Pick<GroundWorld, 'isLoopback' | 'tls'>>): Promise<void> {
    await world.kill();
    Object.assign(world, change);
    await world.startServer();
  }

  const ask = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const options = { port: world.port, host: '127.0.0.1', path, headers, rejectUnauthorized: false };
      const asked = world.tls === undefined ? plainRequest(options) : tlsRequest(options);
      asked.on('response', (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      });
      asked.on('error', reject).end();
    });
  const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });

  it('need no token on a loopback address as long as there is no user', async () => {
    assert.equal((await ask('/api/robots')).status, 200);
    assert.equal((await ask('/api/robots', { host: 'evil.example' })).status, 403);
  });

  it('need a token once there is a user, also one added by another process, and until the restart', async () => {
    const token = await world.people.add('anna', 'viewer');
    await eventually(async () => (await ask('/api/robots')).status === 401, 'a token is needed');
    assert.equal((await ask('/api/robots', bearer(token))).status, 200);
    assert.equal((await ask('/metrics')).status, 401);
    await world.people.revoke('anna');
    assert.equal((await ask('/api/robots', bearer(token))).status, 401);
    assert.equal((await ask('/api/robots')).status, 401, 'nothing opens by itself');
  });

  it('need a token on any other address, under any name of the ground', async () => {
    await restart({ isLoopback: false });
    assert.equal((await ask('/api/robots')).status, 401);
    const token = await world.people.add('anna', 'viewer');
    assert.equal((await ask('/api/robots', { ...bearer(token), host: 'ground.example' })).status, 200);
    assert.deepEqual(await ask('/healthz'), { status: 200, body: '{"ok":true}' });
    assert.deepEqual(await ask('/readyz'), { status: 200, body: '{"ready":true,"missing":""}' });
  });

  it('and robots have different tokens', async () => {
    await restart({ isLoopback: false });
    const robot = await world.registry.enrol('robot_7');
    assert.equal((await ask('/api/robots', bearer(robot))).status, 401);
    const user = await world.people.add('robot_7', 'admin');
    const socket = new WebSocket(`${world.url}/uplink`, ['holdfast.uplink.v1'], { headers: bearer(user) });
    const [error] = (await once(socket, 'error')) as [Error];
    assert.match(error.message, /401/);
  });

  it('are refused for a while after ten wrong tokens', async () => {
    const token = await world.people.add('anna', 'viewer');
    await restart({ isLoopback: false });
    for (let i = 0; i < 10; i++) assert.equal((await ask('/api/robots', bearer(`x${i}`))).status, 401);
    assert.equal((await ask('/api/robots', bearer(token))).status, 429);
  });

  it('see the fleet live, and their page closes when their token is revoked', async () => {
    await restart({ isLoopback: false });
    const token = await world.people.add('anna', 'viewer');
    await using robot = new DrivingRobot('robot_7', world.url, await world.registry.enrol('robot_7'));
    await world.seen('robot_7', 'a report', ({ status }) => status !== null);
    const page = new WebSocket(`${world.url}/live`);
    const frames: Record<string, unknown>[] = [];
    page.on('message', (data: Buffer) => frames.push(JSON.parse(String(data)) as Record<string, unknown>));
    await once(page, 'open');
    page.send(JSON.stringify({ type: 'auth', token }));
    await eventually(() => frames.length >= 2, 'the fleet');
    assert.deepEqual(frames[0], { type: 'welcome', role: 'viewer' });
    const [row] = frames[1]?.['robots'] as [Record<string, unknown>];
    assert.deepEqual([row['robot'], row['connected'], row['status']], ['robot_7', true, robot.facts.figures]);
    robot.facts = { ...robot.facts, figures: { state: 'stalled' } };
    const isStalled = (frame: Record<string, unknown>): boolean =>
      (frame['robots'] as Record<string, unknown>[] | undefined)?.some(
        (one) => (one['status'] as { state?: string } | undefined)?.state === 'stalled',
      ) === true;
    await eventually(() => frames.some(isStalled), 'the change');
    const change = present(frames.find(isStalled));
    assert.equal(change['type'], 'update');
    const [changed] = change['robots'] as [Record<string, unknown>];
    assert.equal(changed['vin'], undefined, 'only what has changed');
    const closed = once(page, 'close');
    await world.people.revoke('anna');
    assert.equal((await closed)[0], 4401);
  });

  it('find each operation in the OpenAPI document, with the role that it needs', async () => {
    const document = JSON.parse((await ask('/api/openapi.json')).body) as {
      paths: Record<string, Record<string, { 'x-role': string; parameters?: { name: string }[] }>>;
      components: { schemas: Record<string, unknown> };
    };
    const robot = present(document.paths['/api/robots/{robot}']?.['get']);
    assert.equal(robot['x-role'], 'viewer');
    assert.equal(robot.parameters?.[0]?.name, 'robot');
    assert.ok(JSON.stringify(document.components.schemas['RobotFigures']).includes('free space on the disk'));
    const refs = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)];
    for (const [, name] of refs) assert.ok(present(name) in document.components.schemas, name);
  });

  function certificate(name: string): void {
    const [key, cert] = [join(world.folder, 'key.pem'), join(world.folder, 'c.pem')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
    const words = ['req', '-x509', ...kind, '-subj', `/CN=${name}`, '-keyout', key, '-out', cert];
    execFileSync('openssl', words, { stdio: 'ignore' });
  }

  const nameServed = async (): Promise<string> => {
    const socket = connect({ port: world.port, host: '127.0.0.1', rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return String(CN);
  };

  it('and robots connect over TLS, and a renewed certificate is used without a restart', async () => {
    certificate('first');
    const paths = { cert: join(world.folder, 'c.pem'), key: join(world.folder, 'key.pem') };
    const ports = { fs, clock: systemClock, logger: silentLogger };
    const tls = await readTlsFiles(paths, ports);
    await restart({ tls });
    assert.equal((await ask('/api/robots')).status, 200);
    assert.equal(await nameServed(), 'first');
    const headers = bearer(await world.registry.enrol('robot_7'));
    const options = { headers, rejectUnauthorized: false };
    const socket = new WebSocket(`wss://127.0.0.1:${world.port}/uplink`, ['holdfast.uplink.v1'], options);
    await once(socket, 'open');
    const watch = watchTlsFiles(paths, tls, (files) => world.server.renew(files), ports);
    certificate('second');
    await eventually(async () => (await nameServed()) === 'second', 'the renewed certificate');
    watch.cancel();
    assert.equal(socket.readyState, WebSocket.OPEN, 'connections stay');
    socket.terminate();
  });

  it('have a name and a role that are allowed', async () => {
    await assert.rejects(world.people.add('anna', 'boss'), /role "boss".*allowed: viewer, operator, admin/);
    await assert.rejects(world.people.add('../x', 'viewer'), /"..\/x" is no name of a user/);
    await world.people.add('anna', 'viewer');
    await world.people.add('anna', 'operator');
    assert.deepEqual(
      (await world.people.list()).map(({ user, role }) => [user, role]),
      [['anna', 'operator']],
    );
    const file = await fs.readFile(join(world.folder, 'users', 'anna.json'), 'utf8');
    assert.match(file, /"tokenSha256": "[0-9a-f]{64}"/);
  });
});
