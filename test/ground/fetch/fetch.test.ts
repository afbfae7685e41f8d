import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { requestKey } from '../../../src/core/fetch-request.js';
import { fetchDesk } from '../../../src/app/monitoring/uplink-requests.js';
import { present } from '../../../src/core/present.js';
import type { SyncEngine } from '../../../src/sync/sync-engine.js';
import { eventually } from '../../../src/testing/waiting.js';
import { MemoryStore } from '../../support/memory-store.js';
import { KIB, SyncWorld } from '../../sync/sync-world.js';
import { EmbeddedServer } from '../database/database-world.js';
import { DrivingRobot } from '../ground-world.js';
import { FetchGround, type Shown } from './fetch-world.js';

describe('A request for segments at the ground', function () {
  this.timeout(60_000);
  let server: EmbeddedServer;
  let ground: FetchGround;
  let disk: SyncWorld;
  let store: MemoryStore;
  const robots: DrivingRobot[] = [];
  const engines: SyncEngine[] = [];

  before(async () => {
    server = await EmbeddedServer.start();
  });
  after(() => (server as EmbeddedServer | undefined)?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    store = new MemoryStore();
    ground = await FetchGround.start(server, [store]);
    // Their messages are at 1, 2 and 3 s.
    disk = await SyncWorld.create();
    for (let n = 0; n < 3; n++) await disk.seal(2 * KIB);
  });
  afterEach(async () => {
    for (const robot of robots.splice(0)) await robot[Symbol.asyncDispose]();
    for (const engine of engines.splice(0)) await engine.close();
    await ground[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
  });

  async function sync(): Promise<SyncEngine> {
    const engine = await disk.open(store, { options: { upload: 'requested', requestPollMs: 50 } });
    engines.push(engine);
    void engine.run(new AbortController().signal).catch(() => undefined);
    return engine;
  }

  /** The recorder of r1, beside its sync in the same data folder. */
  async function recorder(): Promise<DrivingRobot> {
    const wakes = { syncNow: () => Promise.resolve(engines.at(-1)?.syncNow()) };
    const requests = fetchDesk('r1', disk.folder.root, wakes, fs);
    const token = await ground.world.registry.enrol('r1');
    const robot = new DrivingRobot('r1', ground.world.url, token, 0n, { requests });
    robots.push(robot);
    return robot;
  }

  /** Files of requests on the robot; the folder is made with the first. */
  const kept = async (): Promise<number> => (await fs.readdir(disk.folder.requests).catch(() => [])).length;
  const [from, to] = ['1970-01-01T00:00:02Z', '1970-01-01T00:00:03Z'];
  const shows = (id: string, what: string, test: (one: Shown) => boolean): Promise<Shown> =>
    eventually(async () => {
      const { body } = await ground.get(`api/requests/${id}`);
      return test(body as Shown) ? (body as Shown) : undefined;
    }, what);

  it('goes over the uplink, survives a restart of both sides, and is answered with what is there', async () => {
    const robot = await recorder();
    const { status, body } = await ground.post('api/requests', { robot: 'r1', from, to });
    assert.equal(status, 200, JSON.stringify(body));
    const { id, via, state } = body as Shown;
    assert.deepEqual([via, state], ['uplink', 'queued']);
    // Sync does not run: the recorder has it.
    await shows(id, 'the robot has it', ({ isSeen, reason }) => isSeen && /sync has not looked/.test(reason));
    await robot[Symbol.asyncDispose]();
    await ground.restart();
    await sync();
    await recorder();
    const done = await shows(id, 'it is done', (one) => one.state === 'done');
    assert.deepEqual(
      [done.stored, done.sentBytes, done.goneSegments],
      [{ segments: 2, bytes: 4 * KIB }, 4 * KIB, 0],
    );
    const there = disk.sealed.map(({ manifest }) => store.content.objects.has(manifest.key));
    assert.deepEqual(there, [false, true, true]);
    await eventually(async () => (await kept()) === 0, 'the robot forgets it');
    const [entry] = await ground.world.audit.list(1);
    assert.deepEqual([entry?.command, entry?.state, entry?.robot], ['fetch', 'done', 'r1']);
    assert.match(present(entry).label, /1970-01-01T00:00:02.*1970-01-01T00:00:03/);
  });

  it('says what is gone and why', async () => {
    await disk.evictOf1970(present(disk.sealed[1]));
    await sync();
    await recorder();
    const { body } = await ground.post('api/requests', { robot: 'r1', from, to });
    const done = await shows((body as Shown).id, 'it is done', (one) => one.state === 'done');
    assert.deepEqual(
      done.gone.map(({ reason, messages }) => [reason, messages]),
      [['quota', 1]],
    );
    assert.equal(done.stored.segments, 1);
  });

  it('goes through the store to a robot without an uplink, also after a restart of the ground', async () => {
    const { body } = await ground.post('api/requests', { robot: 'r1', from, to });
    const { id, via } = body as Shown;
    assert.equal(via, 'store');
    await eventually(() => store.content.objects.has(requestKey({ robot: 'r1', id })), 'it is in the store');
    await ground.restart();
    await sync();
    await eventually(() => store.content.objects.size >= 4, 'the segments');
    // The ground asks the stores every 10 s.
    const done = await eventually(
      async () => {
        ground.service.wake('store');
        const { body: one } = await ground.get(`api/requests/${id}`);
        return (one as Shown).state === 'done' ? (one as Shown) : undefined;
      },
      'it is done',
      25_000,
      200,
    );
    assert.equal(done.stored.segments, 2);
  });

  it('can be withdrawn: the robot forgets it', async () => {
    await recorder();
    const { body } = await ground.post('api/requests', { robot: 'r1', from, to });
    const { id } = body as Shown;
    await eventually(async () => (await kept()) === 1, 'the robot has it');
    assert.equal((await ground.post(`api/requests/${id}/withdraw`)).status, 200);
    await eventually(async () => (await kept()) === 0, 'the robot forgets it');
    assert.equal(((await ground.get(`api/requests/${id}`)).body as Shown).state, 'withdrawn');
    assert.equal((await ground.post(`api/requests/${id}/withdraw`)).status, 409);
    assert.equal((await ground.post('api/requests/nothing/withdraw')).status, 404);
  });

  it('is refused with the reason if nobody can answer it, and is only for an operator', async () => {
    const robot = new DrivingRobot('r2', ground.world.url, await ground.world.registry.enrol('r2'));
    robots.push(robot);
    const { body } = await ground.post('api/requests', { robot: 'r2', from, to });
    const refused = await shows((body as Shown).id, 'it is refused', ({ state }) => state === 'refused');
    assert.match(refused.reason, /takes no requests over its uplink/);
    const far = await ground.post('api/requests', { robot: 'r3', from, to, via: 'uplink' });
    assert.deepEqual([far.status, /not enrolled/.test(JSON.stringify(far.body))], [409, true]);
    const late = await ground.post('api/requests', { robot: 'r2', from: to, to: from });
    assert.match(JSON.stringify(late.body), /from is after to/);
    const viewer = await ground.world.people.add('vera', 'viewer');
    await eventually(async () => (await ground.get('api/requests')).status === 401, 'a token is needed');
    assert.equal((await ground.post('api/requests', { robot: 'r2', from, to }, viewer)).status, 403);
    assert.equal((await ground.get('api/requests', viewer)).status, 200);
  });

  it('is one of at most 16 open ones of a robot', async () => {
    const given = { robot: 'r9', from, to };
    const many = Array.from({ length: 18 }, () => ground.post('api/requests', given));
    const statuses = (await Promise.all(many)).map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, 16);
    const list = (await ground.get('api/requests?robot=r9&open=true')).body as { requests: unknown[] };
    assert.equal(list.requests.length, 16);
  });
});
