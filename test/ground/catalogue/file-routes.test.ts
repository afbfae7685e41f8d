import assert from 'node:assert/strict';
import { NS_PER_S, type Clock } from '../../../src/core/clock.js';
import { fileRoutes } from '../../../src/ground/catalogue/file-routes.js';
import { parseRange } from '../../../src/monitors/http/file-range.js';
import { FileTickets } from '../../../src/ground/catalogue/file-tickets.js';
import type { Queries } from '../../../src/ground/database/database.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { MemoryStore } from '../../support/memory-store.js';
import { GroundWorld } from '../ground-world.js';

const HOUR_NS = 3_600n * NS_PER_S;

describe('A file of the catalogue', () => {
  let world: GroundWorld;
  let now: bigint;
  const clock: Clock = { ...systemClock, now: () => now };
  const tickets = new FileTickets(Buffer.alloc(32, 7), clock);
  const store = new MemoryStore({ uri: 'memory:one' });
  const content = Buffer.from('0123456789');

  before(async () => {
    store.content.objects.set('robot=a/one.mcap', content);
    const row = {
      store: store.uri,
      key: 'robot=a/one.mcap',
      robot: 'a/b',
      segment: '000000000012-0f',
      state: 'stored',
    };
    const database: Queries = {
      query: <Row extends object>(sql: string, values: readonly unknown[] = []) =>
        Promise.resolve(
          (/FROM recordings r/.test(sql) && values[0] === 1 ? [row] : []) as readonly object[] as Row[],
        ),
    };
    world = await GroundWorld.start();
    await world.kill();
    world.moreRoutes = fileRoutes({ database, stores: [store], tickets });
    await world.startServer();
  });
  beforeEach(() => (now = systemClock.now()));
  after(() => world[Symbol.asyncDispose]());

  const at = (path: string): string => `http://127.0.0.1:${world.port}/${path}`;

  async function link(): Promise<string> {
    const answer = await fetch(at('api/recordings/1/link'), {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' },
    });
    assert.equal(answer.status, 200);
    return ((await answer.json()) as { path: string }).path;
  }

  it('is read whole and in ranges, by pages of other sites as well', async () => {
    const path = await link();
    assert.match(path, /^files\/a_b-12\.mcap\?ticket=/);
    const headers = { origin: 'https://app.foxglove.dev' };
    const whole = await fetch(at(path), { headers });
    assert.deepEqual([whole.status, await whole.text()], [200, '0123456789']);
    const { headers: got } = whole;
    assert.deepEqual(
      ['accept-ranges', 'content-length', 'access-control-allow-origin'].map((name) => got.get(name)),
      ['bytes', '10', '*'],
    );
    const part = await fetch(at(path), { headers: { ...headers, range: 'bytes=-4' } });
    assert.deepEqual([part.status, part.headers.get('content-range')], [206, 'bytes 6-9/10']);
    assert.equal(await part.text(), '6789');
    const beyond = await fetch(at(path), { headers: { ...headers, range: 'bytes=10-' } });
    assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, 'bytes */10']);
    const asked = await fetch(at(path), {
      ...{ method: 'OPTIONS', headers: { ...headers, 'access-control-request-method': 'GET' } },
    });
    assert.deepEqual(
      [asked.status, asked.headers.get('access-control-allow-headers')],
      [204, 'range, if-range'],
    );
    // Every other address still refuses them.
    assert.equal((await fetch(at('api/robots'), { headers })).status, 403);
  });

  it('needs no token of a user, but a link of this ground that is still valid', async () => {
    const path = await link();
    await world.kill();
    world.isLoopback = false;
    await world.startServer();
    assert.equal((await fetch(at('api/robots'))).status, 401);
    assert.equal((await fetch(at(path))).status, 200);
    const [file = '', ticket = ''] = path.split('?ticket=');
    const [, signature = ''] = ticket.split('.');
    const other = Buffer.from(
      JSON.stringify({ store: store.uri, key: 'robot=a/two.mcap', until: String(now * 2n) }),
    ).toString('base64url');
    const foreign = new FileTickets(Buffer.alloc(32, 8), clock).give({
      store: store.uri,
      key: 'robot=a/one.mcap',
    });
    for (const wrong of ['x', `${other}.${signature}`, `${other}.`, foreign.ticket])
      assert.equal((await fetch(at(`${file}?ticket=${wrong}`))).status, 403, wrong);
    now += 13n * HOUR_NS;
    assert.equal((await fetch(at(path))).status, 403);
    world.isLoopback = true;
    await world.kill();
    await world.startServer();
  });

  it('that the store has lost is not found', async () => {
    const path = await link();
    store.content.objects.delete('robot=a/one.mcap');
    assert.equal((await fetch(at(path))).status, 404);
    store.content.objects.set('robot=a/one.mcap', content);
  });

  it('has ranges as RFC 9110 says', () => {
    const wanted: readonly (readonly [string | undefined, unknown])[] = [
      [undefined, undefined],
      ['bytes=0-0', { start: 0, end: 1 }],
      ['bytes=3-', { start: 3, end: 10 }],
      ['bytes=3-99', { start: 3, end: 10 }],
      ['bytes=-99', { start: 0, end: 10 }],
      ['bytes=-0', 'outside'],
      ['bytes=10-11', 'outside'],
      ['bytes=4-3', undefined],
      ['bytes=0-1,3-4', undefined],
      ['items=0-1', undefined],
    ];
    for (const [header, range] of wanted) assert.deepEqual(parseRange(header, 10), range, header);
  });
});
