import assert from 'node:assert/strict';
import { NS_PER_S } from '../../../src/core/clock.js';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import { storeNumber } from '../../../src/ground/catalogue/list-store.js';
import { writeCatalogue } from '../../../src/ground/catalogue/write-catalogue.js';
import type { Database } from '../../../src/ground/database/database.js';
import { migrate } from '../../../src/ground/database/migrate.js';
import { migrations } from '../../../src/ground/database/migrations.js';
import { isKnownRobot } from '../../../src/ground/is-known-robot.js';
import { HoleBook } from '../../../src/ground/refill/hole-book.js';
import { holeRoutes } from '../../../src/ground/refill/hole-routes.js';
import { RouteReply } from '../../../src/monitors/http/route.js';
import { syntheticManifest } from '../../support/synthetic-manifest.js';
import { onEveryPostgres } from '../database/database-world.js';

const VIN = '1ZZZ5A3T0RF000001';
const OTHER = '1ZZZ5A3T0RF000002';
const START = 1_700_000_000n * NS_PER_S;

onEveryPostgres('The holes of a robot over HTTP', (server) => {
  let database: Database;
  let book: HoleBook;
  before(async () => {
    database = await server().connect();
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    book = new HoleBook(database);
  });
  after(() => database[Symbol.asyncDispose]());

  const note = (robot: string, run: bigint, ticks: number, vin = ''): Promise<void> => {
    const catalogue = { version: 1, tickNs: 100_000_000, fields: [], vin };
    return book.note(robot, { kind: 'removed', run, catalogue, firstTick: 0, ticks, timeNs: START }, START);
  };

  /** What a ground answers to which no robot has connected since it started. */
  async function ask(robot: string): Promise<Record<string, unknown>> {
    const sources = { nameOf: () => undefined, enrolled: () => Promise.resolve(['enrolled']) };
    const [route] = holeRoutes({
      isKnown: (name) => isKnownRobot(database, name, sources),
      countsOf: (name) => book.counts(name),
      shownOf: (name) => book.shown(name),
    });
    const who = { name: 'anna', role: 'viewer' } as const;
    const request = { params: { robot }, query: {}, body: {}, who, address: '' };
    const answer = await present(route).handle(request);
    return answer instanceof RouteReply
      ? { status: answer.status, ...(answer.body as object) }
      : (answer as Record<string, unknown>);
  }

  it('are answered although the robot does not connect any more, by its name and its VIN', async () => {
    const manifest = { ...syntheticManifest(1), vin: VIN };
    const { robot } = manifest;
    const info = { key: manifest.key, bytes: 1 };
    await writeCatalogue(database, await storeNumber(database, 'memory:one'), [
      { info, manifest, state: 'stored' },
    ]);
    await note(robot, 1n, 600);
    await note('only holes', 2n, 10);
    for (const name of [robot, VIN]) {
      const { open, holes } = await ask(name);
      assert.equal(open, 1, name);
      assert.deepEqual(holes, [
        { from: '2023-11-14T22:13:20.000000000Z', to: '2023-11-14T22:14:20.000000000Z', state: 'open' },
      ]);
    }
    assert.equal((await ask('only holes'))['open'], 1);
    assert.deepEqual(await ask('enrolled'), { open: 0, filled: 0, lost: 0, values: 0, holes: [] });
  });

  it('are those of one vehicle by its VIN, and of all of them by the name of the robot', async () => {
    await note('moved', 3n, 10, OTHER);
    await note('moved', 4n, 20, VIN);
    await note('moved', 5n, 30);
    const open = async (name: string) => (await ask(name))['open'];
    const before = await open(VIN);
    assert.deepEqual([await open('moved'), await open(OTHER)], [3, 1]);
    await note('moved', 6n, 40, VIN);
    assert.equal(await open(VIN), Number(before) + 1);
  });

  it('are not found for a robot of which nothing is known', async () => {
    const { status, error } = await ask('robot_x');
    assert.equal(status, 404);
    assert.match((error as { message: string }).message, /robot robot_x is not enrolled/);
  });
});
