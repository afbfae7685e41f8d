import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import type { Database } from '../../src/ground/database/database.js';
import { migrate } from '../../src/ground/database/migrate.js';
import { migrations } from '../../src/ground/database/migrations.js';
import { PostgresDatabase } from '../../src/ground/database/postgres-database.js';
import { importRegistry } from '../../src/ground/import-registry.js';
import { PeopleRegistry } from '../../src/ground/people-registry.js';
import { RobotRegistry, type RegistryPlace } from '../../src/ground/robot-registry.js';
import { systemClock } from '../../src/host/system-clock.js';
import { PostgresServer, requirePostgres } from '../support/postgres.js';

const VIN = '1ZZZ5A3T0RF000001';
const ports = { fs, clock: systemClock, random: randomBytes, logger: silentLogger };

/** Defines what a registry does, in a folder and in a database. */
function registryContract(
  where: string,
  makePlace: (context: Mocha.Context) => Promise<RegistryPlace>,
): void {
  describe(`The registry of a ground in ${where}`, () => {
    let registry: RobotRegistry;
    let place: RegistryPlace;
    const open = (): RobotRegistry => new RobotRegistry(place, ports);

    beforeEach(async function () {
      place = await makePlace(this);
      registry = open();
    });

    it('admits a robot by its token, also after a restart', async () => {
      const token = await registry.enrol('robot_7');
      assert.equal(await registry.admit(token), 'robot_7');
      assert.equal(await open().admit(token), 'robot_7');
      assert.deepEqual(await registry.list(), ['robot_7']);
    });

    it('does not admit a token of another robot, a changed one, or none', async () => {
      const token = await registry.enrol('robot_7');
      await registry.enrol('robot_8');
      const secret = token.slice('robot_7:'.length);
      for (const other of [
        `robot_8:${secret}`,
        `${token}x`,
        secret,
        'robot_7',
        'robot_7:',
        ':',
        '',
        '../x:y',
        'nobody:x',
      ]) {
        assert.equal(await registry.admit(other), undefined, other);
      }
    });

    it('does not admit a token that was revoked or replaced', async () => {
      const first = await registry.enrol('robot_7');
      const second = await registry.enrol('robot_7');
      assert.equal(await registry.admit(first), undefined);
      assert.equal(await registry.admit(second), 'robot_7');
      assert.equal(await registry.revoke('robot_7'), true);
      assert.equal(await registry.admit(second), undefined);
      assert.equal(await registry.revoke('robot_7'), false);
      assert.deepEqual(await registry.list(), []);
    });

    it('takes no name that is not a file name', async () => {
      for (const name of [
        '',
        '.',
        '..',
        '.hidden',
        'a/b',
        'a b',
        '../../x',
        'x'.repeat(65),
        'größe',
        'a:b',
      ]) {
        await assert.rejects(
          registry.enrol(name),
          (error) => isHoldfastError(error, 'REQUEST_INVALID'),
          name,
        );
      }
      for (const name of ['robot_7', 'R-1', 'robot.7', 'x'.repeat(64)]) {
        assert.equal(await registry.admit(await registry.enrol(name)), name);
      }
    });

    it('binds a VIN to one robot, until that one is revoked or enrolled without it', async () => {
      const OTHER_VIN = '1ZZZ5A3T0RF000002';
      await registry.enrol('robot_7', VIN);
      await registry.enrol('robot_8');
      await assert.rejects(registry.enrol('robot_8', VIN), /not bound to robot_7: enrol that robot again/);
      for (const bad of ['x', VIN.toLowerCase(), `${VIN}0`])
        await assert.rejects(registry.enrol('robot_8', bad), /allowed: 17 capital letters/);
      const bound = async (): Promise<unknown> => (await open().boundVins()).all();
      assert.deepEqual(await bound(), { robot_7: VIN });
      const token = await registry.enrol('robot_7');
      assert.equal((await open().find(token))?.vin, VIN, 'a new token keeps it');
      await registry.enrol('robot_7', OTHER_VIN);
      await registry.enrol('robot_8', VIN);
      assert.deepEqual(await bound(), { robot_7: OTHER_VIN, robot_8: VIN });
      await registry.enrol('robot_8', '');
      await registry.revoke('robot_7');
      assert.deepEqual(await bound(), {});
      await registry.enrol('robot_9', OTHER_VIN);
      assert.deepEqual(await bound(), { robot_9: OTHER_VIN });
    });

    it('gives each connection a larger epoch, at once, after a restart and after the token changed', async () => {
      await registry.enrol('robot_7');
      const at_once = await Promise.all([1, 2, 3].map(() => registry.nextEpoch('robot_7')));
      assert.deepEqual(at_once.sort(), [1, 2, 3]);
      assert.equal(await open().nextEpoch('robot_7'), 4);
      await registry.revoke('robot_7');
      await registry.enrol('robot_7');
      assert.equal(await registry.nextEpoch('robot_7'), 5);
      assert.equal(await registry.nextEpoch('robot_8'), 1);
    });

    it('tells the newest epochs of the robots that have any', async () => {
      await registry.nextEpoch('robot_7');
      await registry.nextEpoch('robot_7');
      assert.deepEqual([...(await open().newestEpochs(['robot_7', 'robot_8']))], [['robot_7', 2]]);
    });

    it('admits people with their roles, and never by the token of a robot', async () => {
      const people = new PeopleRegistry(place, ports);
      const robot = await registry.enrol('anna');
      const token = await people.add('anna', 'operator');
      assert.equal((await people.admit(token))?.role, 'operator');
      assert.equal(await people.admit(robot), undefined);
      assert.equal(await registry.admit(token), undefined);
      assert.deepEqual(
        (await new PeopleRegistry(place, ports).list()).map(({ user, role }) => [user, role]),
        [['anna', 'operator']],
      );
      assert.equal(await people.revoke('anna'), true);
      assert.equal(await people.admit(token), undefined);
      assert.equal(await registry.admit(robot), 'anna');
    });
  });
}

describe('The places of the registry of a ground', function () {
  this.timeout(60_000);
  const folders: string[] = [];
  let server: PostgresServer | undefined;
  let database: Database | undefined;

  async function makeFolder(): Promise<string> {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-ground-'));
    folders.push(folder);
    return folder;
  }

  async function makeDatabase(context: Mocha.Context): Promise<Database> {
    requirePostgres(context);
    server ??= await PostgresServer.start();
    const url = server.urlOf('postgres');
    database ??= await PostgresDatabase.connect({ url }, silentLogger);
    await database.query('DROP SCHEMA IF EXISTS holdfast CASCADE');
    await migrate(database, migrations, silentLogger);
    return database;
  }

  after(async () => {
    for (const folder of folders) await fs.rm(folder, { recursive: true, force: true });
    await database?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  registryContract('a folder', makeFolder);
  registryContract('a database', makeDatabase);

  describe('in a folder', () => {
    let folder: string;
    let registry: RobotRegistry;
    beforeEach(async () => {
      folder = await makeFolder();
      registry = new RobotRegistry(folder, ports);
    });

    it('keeps no token, only its hash', async () => {
      const token = await registry.enrol('robot_7');
      const secret = token.slice('robot_7:'.length);
      assert.ok(secret.length >= 43);
      const text = await fs.readFile(join(folder, 'robots', 'robot_7.json'), 'utf8');
      assert.ok(!text.includes(secret));
    });

    it('gives no epoch if the last one cannot be read, because an old one would return', async () => {
      await registry.nextEpoch('robot_7');
      const path = join(folder, 'epochs', 'robot_7.json');
      for (const text of [
        '',
        'x',
        '{"format":"holdfast-ground-epoch","version":2,"epoch":4}',
        '{"epoch":-1}',
      ]) {
        await fs.writeFile(path, text);
        await assert.rejects(registry.nextEpoch('robot_7'), (error) => isHoldfastError(error), text);
      }
      await fs.writeFile(path, '{"format":"holdfast-ground-epoch","version":1,"epoch":9}');
      assert.equal(await registry.nextEpoch('robot_7'), 10);
    });

    it('does not admit a robot whose file is damaged, and says so', async () => {
      const token = await registry.enrol('robot_7');
      await fs.writeFile(join(folder, 'robots', 'robot_7.json'), '{"version":1}');
      await assert.rejects(registry.admit(token), /enrolled robot/);
    });
  });

  it('are imported from a folder into a database once, and what was revoked there does not come back', async function () {
    const folder = await makeFolder();
    const files = new RobotRegistry(folder, ports);
    const [first, second] = [await files.enrol('robot_7', VIN), await files.enrol('robot_8')];
    for (let i = 0; i < 5; i++) await files.nextEpoch('robot_7');
    const user = await new PeopleRegistry(folder, ports).add('anna', 'admin');
    const copy = await makeFolder();
    await fs.cp(folder, copy, { recursive: true });
    const place = await makeDatabase(this);
    await Promise.all([importRegistry(folder, place, ports), importRegistry(folder, place, ports)]);
    const registry = new RobotRegistry(place, ports);
    assert.deepEqual(await registry.find(first).then((found) => [found?.robot, found?.vin]), [
      'robot_7',
      VIN,
    ]);
    assert.equal((await new PeopleRegistry(place, ports).admit(user))?.role, 'admin');
    assert.equal(await registry.nextEpoch('robot_7'), 6);
    assert.deepEqual(await files.list(), [], 'the files are no longer in use');
    await registry.revoke('robot_7');
    const renewed = await registry.enrol('robot_8');
    await importRegistry(copy, place, ports);
    assert.equal(await registry.admit(first), undefined);
    assert.equal(await registry.admit(second), undefined);
    assert.equal(await registry.admit(renewed), 'robot_8');
    assert.equal(await registry.nextEpoch('robot_7'), 7);
    // A VIN that the database has bound stays where it is.
    await registry.enrol('robot_8', VIN);
    const late = await makeFolder();
    const third = await new RobotRegistry(late, ports).enrol('robot_9', VIN);
    await importRegistry(late, place, ports);
    assert.equal(await registry.admit(third), 'robot_9');
    assert.deepEqual((await registry.boundVins()).all(), { robot_8: VIN });
  });
});
