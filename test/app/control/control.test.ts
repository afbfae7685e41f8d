import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rename, rm, symlink } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { HoldfastError, isHoldfastError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { askRole } from '../../../src/app/control/control-client.js';
import { CLIENTS_MAX, REQUEST_MAX_BYTES } from '../../../src/recorder/control-protocol.js';
import { listenForControl, type ControlServer } from '../../../src/app/control/control-server.js';
import { LineReader } from '../../../src/app/control/line-reader.js';
import { ensurePrivateFolder, socketPaths } from '../../../src/app/control/socket-path.js';
import { firstOf } from '../../support/first-of.js';

describe('steering between processes', () => {
  let folder: string;
  let server: ControlServer | undefined;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-control-'));
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await server?.[Symbol.asyncDispose]();
    server = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  async function open(path: string): Promise<Socket> {
    const socket = connect(path);
    sockets.push(socket);
    socket.on('error', () => {});
    await new Promise((done) => socket.once('connect', done));
    return socket;
  }

  it('answers by any spelling of the data folder, each role on its own', async () => {
    server = await listenForControl(folder, 'recorder', { status: () => ({ state: 'fine' }) }, silentLogger);
    assert.deepEqual(await askRole(folder, 'recorder', 'status'), { state: 'fine' });
    await symlink(folder, `${folder}-link`);
    try {
      assert.deepEqual(await askRole(`${folder}-link/`, 'recorder', 'status'), { state: 'fine' });
    } finally {
      await rm(`${folder}-link`);
    }
    await assert.rejects(askRole(folder, 'sync', 'status'), (error) =>
      isHoldfastError(error, 'ROLE_NOT_RUNNING'),
    );
  });

  it('passes on the error of the role, and lists the requests that it knows', async () => {
    const pause = (): never => {
      throw new HoldfastError('DISK_FULL', 'no room');
    };
    server = await listenForControl(folder, 'sync', { pause }, silentLogger);
    await assert.rejects(askRole(folder, 'sync', 'pause'), (error) => isHoldfastError(error, 'DISK_FULL'));
    await assert.rejects(askRole(folder, 'sync', 'split'), /known: pause/);
  });

  it('takes changes of tags, and names what is no tag', async () => {
    const given: unknown[] = [];
    const set = (args: unknown): void => void given.push(args);
    server = await listenForControl(folder, 'recorder', { set_tags: set }, silentLogger);
    const ask = (tags: unknown): Promise<unknown> =>
      askRole(folder, 'recorder', 'set_tags', { args: { tags } });
    await ask({ mission: 'm3', site: '' });
    assert.deepEqual(given, [{ tags: { mission: 'm3', site: '' } }]);
    for (const bad of [
      undefined,
      [],
      'a=b',
      { 'a b': 'x' },
      { a: 7 },
      { a: 'x\ny' },
      { a: 'x'.repeat(201) },
    ]) {
      await assert.rejects(
        ask(bad),
        (error) => isHoldfastError(error, 'REQUEST_INVALID') && /tags is/.test(error.message),
      );
    }
    assert.equal(given.length, 1);
  });

  it('checks arguments, fills in defaults, and names the wrong argument', async () => {
    const given: unknown[] = [];
    const mark = (args: unknown): void => void given.push(args);
    server = await listenForControl(folder, 'recorder', { mark_event: mark, pause: mark }, silentLogger);
    const ask = (args: Record<string, unknown>): Promise<unknown> =>
      askRole(folder, 'recorder', 'mark_event', { args });
    await ask({ label: 'bump', after_s: 0 });
    assert.deepEqual(given, [{ label: 'bump', before_s: 30, after_s: 0 }]);
    for (const [args, words] of [
      [{}, /label is undefined, allowed: a text of 1 to 200 characters/],
      [{ label: ' ' }, /label is " "/],
      [{ label: 'x'.repeat(201) }, /label is/],
      [{ label: 'x', before_s: 3_601 }, /before_s is 3601, allowed: a number from 0 to 3600/],
      [{ label: 'x', before_s: '1' }, /before_s is "1"/],
      [{ label: 'x', colour: 1 }, /no argument "colour", allowed: label, before_s, after_s/],
    ] as const) {
      await assert.rejects(
        ask(args),
        (error) => isHoldfastError(error, 'REQUEST_INVALID') && words.test(error.message),
      );
    }
    const paused = askRole(folder, 'recorder', 'pause', { args: { for_s: 1 } });
    await assert.rejects(paused, /no argument "for_s", allowed: none/);
    await askRole(folder, 'recorder', 'pause');
    assert.equal(given.length, 2);
  });

  it('replaces the socket of a killed process, never that of a living one', async () => {
    const [path] = firstOf(1, await socketPaths(folder, 'recorder'));
    await ensurePrivateFolder(dirname(path));
    const killed = createServer();
    await new Promise<void>((done) => killed.listen(path, done));
    // Closing removes the file a server listens on; a killed process cannot, so the name is taken first.
    const stale = `${path}.stale`;
    await rename(path, stale);
    await new Promise((done) => killed.close(done));
    await rename(stale, path);

    server = await listenForControl(folder, 'recorder', { status: () => 1 }, silentLogger);
    assert.equal(server.path, path);
    const second = await listenForControl(folder, 'recorder', { status: () => 2 }, silentLogger);
    try {
      assert.notEqual(second.path, path);
      assert.equal(await askRole(folder, 'recorder', 'status'), 1);
    } finally {
      await second[Symbol.asyncDispose]();
    }
  });

  it('removes its socket when it ends', async () => {
    const one = await listenForControl(folder, 'recorder', {}, silentLogger);
    await one[Symbol.asyncDispose]();
    const path = present(one.path);
    assert.ok(!(await readdir(dirname(path))).includes(basename(path)));
  });

  it('cuts off a client that sends an endless line, and continues', async () => {
    server = await listenForControl(folder, 'recorder', { status: () => 1 }, silentLogger);
    const socket = await open(present(server.path));
    const closed = new Promise((done) => socket.once('close', done));
    socket.write('x'.repeat(REQUEST_MAX_BYTES + 2));
    await closed;
    assert.equal(await askRole(folder, 'recorder', 'status'), 1);
  });

  it('bounds the number of clients', async () => {
    server = await listenForControl(folder, 'recorder', { status: () => 1 }, silentLogger);
    for (let index = 0; index < CLIENTS_MAX; index++) await open(present(server.path));
    await assert.rejects(askRole(folder, 'recorder', 'status'), (error) =>
      isHoldfastError(error, 'ROLE_NOT_RUNNING'),
    );
    const closed = new Promise((done) => sockets[0]!.once('close', done));
    sockets[0]!.end('no JSON\n');
    sockets[0]!.resume();
    await closed;
    assert.equal(await askRole(folder, 'recorder', 'status'), 1);
  });

  it('looks in the folder of the user alone first', async () => {
    const [first] = firstOf(1, await socketPaths(folder, 'recorder', { XDG_RUNTIME_DIR: '/run/user/4711' }));
    assert.equal(dirname(dirname(first)), '/run/user/4711');
    const [relative] = firstOf(1, await socketPaths(folder, 'recorder', { XDG_RUNTIME_DIR: 'run' }));
    assert.equal(dirname(dirname(relative)), tmpdir());
  });

  it('does not use a folder that others can enter', async () => {
    const open = join(folder, 'open');
    await ensurePrivateFolder(open);
    await chmod(open, 0o755);
    await assert.rejects(ensurePrivateFolder(open), /not a private folder/);
    await symlink(folder, join(folder, 'link'));
    await assert.rejects(ensurePrivateFolder(join(folder, 'link')), /not a private folder/);
  });
});

describe('lines out of a byte stream', () => {
  it('are the same for any division of the bytes', () => {
    const bytes = Buffer.from('one\ntwö\n\nthree');
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = new LineReader(5);
      const lines = [
        ...present(reader.push(bytes.subarray(0, cut))),
        ...present(reader.push(bytes.subarray(cut))),
      ];
      assert.deepEqual(lines, ['one', 'twö', '']);
    }
  });
});
