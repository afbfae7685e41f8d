import assert from 'node:assert/strict';
import { chmod, chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import { askRole } from '../../../src/app/control/control-client.js';
import { socketPaths } from '../../../src/app/control/socket-path.js';
import { spawnCli, type CliRun } from '../../support/cli.js';
import { lacking } from '../../../src/testing/lacking.js';

/** A user that no list of users knows. */
const STRANGER = 54_321;
const isRoot = process.getuid?.() === 0;

describe('another user of the machine', () => {
  let folder: string;
  let path: string;
  let forger: Server;
  const runtime = process.env['XDG_RUNTIME_DIR'];

  /** A socket that answers in the place of the recorder, as the first user to come could make it. */
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-forged-'));
    process.env['XDG_RUNTIME_DIR'] = folder;
    path = (await socketPaths(folder, 'recorder'))[0]!;
    assert.equal(dirname(dirname(path)), folder);
    await mkdir(dirname(path), { mode: 0o700 });
    forger = createServer((socket) =>
      socket.on('data', () => socket.end(`${JSON.stringify({ id: 1, ok: true, result: 'forged' })}\n`)),
    );
    await new Promise<void>((done) => forger.listen(path, done));
  });
  afterEach(async () => {
    if (runtime === undefined) delete process.env['XDG_RUNTIME_DIR'];
    else process.env['XDG_RUNTIME_DIR'] = runtime;
    await new Promise((done) => forger.close(done));
    await rm(folder, { recursive: true, force: true });
  });

  const refused = (words: RegExp): Promise<void> =>
    assert.rejects(
      askRole(folder, 'recorder', 'status'),
      (error) => isHoldfastError(error, 'ROLE_NOT_RUNNING') && words.test(error.message),
    );

  it('cannot show a forged recorder from a folder of sockets that everybody can enter', async () => {
    assert.equal(await askRole(folder, 'recorder', 'status'), 'forged');
    await chmod(dirname(path), 0o755);
    await refused(/its mode is 0755, allowed: 0700/);
  });

  it('cannot show a forged recorder from a folder that others can exchange', async () => {
    await chmod(folder, 0o777);
    await refused(/others can exchange it/);
  });

  it('cannot show a forged recorder from a folder or a socket of its own', async function () {
    // Only root can make files of another user.
    if (!isRoot)
      return lacking(
        this,
        'root',
        `only root can make files of another user, and this is uid ${process.getuid?.()}`,
      );
    await chown(path, STRANGER, STRANGER);
    await refused(/belongs to user 54321, not to this user/);
    await chown(path, 0, 0);
    await chown(dirname(path), STRANGER, STRANGER);
    await refused(/is not a private folder of this user: it belongs to user 54321/);
  });
});

describe('a user without an entry in the list of users', function () {
  this.timeout(60_000);
  let folder: string;
  before(function () {
    // Only root can become another user.
    if (!isRoot)
      lacking(this, 'root', `only root can become another user, and this is uid ${process.getuid?.()}`);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-stranger-'));
    await chown(folder, STRANGER, STRANGER);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const env = { HOME: undefined, XDG_CACHE_HOME: undefined, XDG_RUNTIME_DIR: undefined };

  /** Whether a status has that of the recorder; without a sync process it is a finding. */
  const answers = ({ json }: CliRun): boolean =>
    typeof json?.['recorder'] === 'object' && json['recorder'] !== null;

  it('can record, sync and ask for the status', async () => {
    const data = join(folder, 'rec');
    const run = (args: readonly string[]) => spawnCli(args, { uid: STRANGER, env });
    const monitoring = ['--no-web', '--no-foxglove'];
    const recorder = run([
      'record',
      '--source',
      'sim:?robots=1',
      '--data',
      data,
      ...monitoring,
      '--log-format',
      'json',
    ]);
    try {
      let status = await run(['status', '--data', data, '--json']).ended;
      for (let tries = 0; !answers(status) && recorder.child.exitCode === null && tries < 50; tries++) {
        status = await run(['status', '--data', data, '--json']).ended;
      }
      assert.ok(answers(status), status.stdout + status.stderr);
    } finally {
      recorder.child.kill('SIGINT');
    }
    const recorded = await recorder.ended;
    assert.equal(recorded.exitCode, 0, recorded.stderr);
    const store = `dir:${join(folder, 'nas')}`;
    const sync = await run(['sync', '--data', data, '--store', store, '--drain']).ended;
    assert.equal(sync.exitCode, 0, sync.stderr);
    assert.ok((await readdir(join(folder, 'nas'))).some((name) => name.startsWith('robot=')));
  });

  it('cannot drain sealed segments of another user, and learns whose they are and what to do', async () => {
    const sealed = join(folder, 'rec', 'sealed');
    await mkdir(sealed, { recursive: true, mode: 0o700 });
    await chown(dirname(sealed), STRANGER, STRANGER);
    const args = ['sync', '--data', dirname(sealed), '--store', `dir:${join(folder, 'nas')}`, '--drain'];
    const sync = await spawnCli(args, { uid: STRANGER, env }).ended;
    assert.equal(sync.exitCode, 1, sync.stderr);
    assert.ok(sync.stderr.includes(`DATA_FOLDER_UNUSABLE: ${sealed} cannot be read`), sync.stderr);
    assert.match(
      sync.stderr,
      /belongs to user 0 \(mode 0700\), and sync runs as user 54321; run sync as user 0/,
    );
  });

  it('gets as far as the network on the way to S3', async () => {
    const s3 = ['s3://bucket', '--s3-endpoint', 'http://127.0.0.1:9', '--s3-region', 'eu'];
    const keys = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' };
    const run = await spawnCli(['ls', ...s3], { uid: STRANGER, env: { ...env, ...keys } }).ended;
    assert.match(run.stderr, /STORE_OFFLINE/);
    assert.doesNotMatch(run.stderr, /homedir/);
  });
});
