import assert from 'node:assert/strict';
import { roles } from '../../src/ground/people-registry.js';
import { GroundWorld } from './ground-world.js';

/** What a role may do beyond the role before it, without a database and stores. */
const VIN = '1ZZZ5A3T0RF000001';
const operations = {
  viewer: ['GET /api/map', 'GET /api/me', 'GET /api/robots', 'GET /api/robots/{robot}', 'GET /metrics'],
  operator: [
    ...[
      'GET /api/audit',
      'GET /api/robots/{robot}/parameters',
      'POST /api/robots/{robot}/control/mark_event',
    ],
    ...['POST /api/robots/{robot}/control/pause', 'POST /api/robots/{robot}/control/resume'],
    ...['POST /api/robots/{robot}/control/set_parameter', 'POST /api/robots/{robot}/control/split'],
    ...['POST /api/robots/{robot}/control/set_tags', 'POST /api/robots/{robot}/control/sync_now'],
  ],
  admin: [
    ...['GET /api/enrolled', 'GET /api/people', 'POST /api/enrolled/{name}', 'POST /api/people/{name}'],
    ...['POST /api/enrolled/{name}/revoke', 'POST /api/people/{name}/revoke'],
  ],
} as const satisfies Readonly<Record<(typeof roles)[number], readonly string[]>>;

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

describe('The roles of a ground', () => {
  let world: GroundWorld;
  const tokens = new Map<string, string>();
  beforeEach(async () => {
    world = await GroundWorld.start();
    await world.kill();
    world.isLoopback = false;
    await world.startServer();
    for (const role of roles) tokens.set(role, await world.people.add(`the_${role}`, role));
  });
  afterEach(() => world[Symbol.asyncDispose]());

  async function ask(operation: string, token: string | undefined, body?: unknown): Promise<Answer> {
    const [method = '', path = ''] = operation.split(' ');
    const response = await fetch(`http://127.0.0.1:${world.port}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
    return { status: response.status, body: isJson ? (JSON.parse(text) as Answer['body']) : {} };
  }

  it('may do what the table of this test says, each operation once', async () => {
    const { body } = await ask('GET /api/openapi.json', tokens.get('viewer'));
    const paths = body['paths'] as Record<string, Record<string, { readonly 'x-role': string }>>;
    for (const role of roles) {
      const found = Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods)
          .filter(([, operation]) => operation['x-role'] === role)
          .map(([method]) => `${method.toUpperCase()} ${path}`),
      );
      assert.deepEqual(found.toSorted(), operations[role].toSorted(), role);
    }
  });

  it('are refused what only a higher role may do, and nobody without a token does anything', async () => {
    for (const [rank, role] of roles.entries()) {
      for (const operation of operations[role]) {
        // A robot and a user that are not there: no operation has an effect.
        const path = operation.replace(/\{\w+\}/, 'nobody');
        const body = operation.startsWith('POST') ? {} : undefined;
        assert.equal((await ask(path, undefined, body)).status, 401, operation);
        for (const [other, asking] of roles.entries()) {
          const { status } = await ask(path, tokens.get(asking), body);
          if (other < rank) assert.equal(status, 403, `${asking}: ${operation}`);
          else assert.ok(status !== 401 && status !== 403, `${asking}: ${operation} gives ${status}`);
        }
      }
    }
  });

  it('of an admin adds users and robots and revokes them, all in the audit log', async () => {
    const admin = tokens.get('admin');
    const added = await ask('POST /api/people/bert', admin, { role: 'operator' });
    const token = String(added.body['token']);
    assert.equal((await ask('GET /api/me', token)).body['role'], 'operator');
    const enrolled = String((await ask('POST /api/enrolled/robot_7', admin, {})).body['token']);
    assert.equal(await world.registry.admit(enrolled), 'robot_7');
    const bound = String((await ask('POST /api/enrolled/car_1', admin, { vin: VIN })).body['token']);
    assert.equal((await world.registry.find(bound))?.vin, VIN);
    const vins = { car_1: VIN };
    assert.deepEqual((await ask('GET /api/enrolled', admin)).body, { robots: ['car_1', 'robot_7'], vins });
    const taken = await ask('POST /api/enrolled/robot_7', admin, { vin: VIN });
    assert.equal(taken.status, 400);
    assert.match(JSON.stringify(taken.body), /bound to car_1/);
    const people = (await ask('GET /api/people', admin)).body['people'] as Record<string, unknown>[];
    assert.deepEqual(
      people.map(({ name, role }) => [name, role]),
      [
        ['bert', 'operator'],
        ['the_admin', 'admin'],
        ['the_operator', 'operator'],
        ['the_viewer', 'viewer'],
      ],
    );
    assert.ok(!JSON.stringify(people).includes('token'), 'no token, and no digest of one');
    assert.deepEqual((await ask('POST /api/people/bert/revoke', admin, {})).body, { revoked: true });
    assert.equal((await ask('GET /api/me', token)).status, 401);
    assert.deepEqual((await ask('POST /api/enrolled/robot_7/revoke', admin, {})).body, { revoked: true });
    assert.equal(await world.registry.admit(enrolled), undefined);
    assert.equal((await ask('POST /api/people/bert/revoke', admin, {})).status, 404);
    const refused = await ask('POST /api/enrolled/..%2Fx', admin, {});
    assert.deepEqual(
      [refused.status, JSON.stringify(refused.body).includes('no name of a robot')],
      [400, true],
    );
    assert.deepEqual(
      (await world.audit.list(10)).map(({ who, command, robot, label, state }) => [
        ...[who, command, robot, label, state],
      ]),
      [
        ['the_admin', 'enrol', '../x', '', 'refused'],
        ['the_admin', 'revoke_user', '', 'bert', 'refused'],
        ['the_admin', 'revoke', 'robot_7', '', 'done'],
        ['the_admin', 'revoke_user', '', 'bert', 'done'],
        ['the_admin', 'enrol', 'robot_7', `VIN ${VIN}`, 'refused'],
        ['the_admin', 'enrol', 'car_1', `VIN ${VIN}`, 'done'],
        ['the_admin', 'enrol', 'robot_7', '', 'done'],
        ['the_admin', 'add_user', '', 'bert as operator', 'done'],
      ],
    );
  });
});
