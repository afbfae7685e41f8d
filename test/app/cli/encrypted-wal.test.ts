import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../../src/testing/waiting.js';
import { jsonOf, runCli, spawnCli, type CliRun } from '../../support/cli.js';

/** In payloads and in definitions; none of them is in a manifest or a status. */
const MARKERS = ['/base_link', 'orientation_covariance', 'float64[9]'];

/** More than the start of a segment with its channels. */
const WRITTEN_BYTES = 30_000;

describe('a data folder whose WAL is encrypted', function () {
  this.timeout(300_000);
  let folder: string;
  let data: string;
  let recipient: string;
  const at = (name: string): string => join(folder, name);

  async function ok(...args: string[]): Promise<CliRun> {
    const run = await runCli(args);
    assert.equal(run.exitCode, 0, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
    return run;
  }

  /** Paths of the files under a folder. */
  async function filesOf(root: string): Promise<string[]> {
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  }

  /** None of a file that the recorder has removed meanwhile. */
  const bytesOf = (path: string): Promise<Buffer> => readFile(path).catch(() => Buffer.alloc(0));

  async function foundIn(root: string): Promise<string[]> {
    const found: string[] = [];
    for (const path of await filesOf(root)) {
      const bytes = await bytesOf(path);
      found.push(
        ...MARKERS.filter((marker) => bytes.includes(marker)).map((marker) => `${marker} in ${path}`),
      );
    }
    return found;
  }

  /** Records until the WAL has so many bytes, looks for the markers, and kills the recorder. */
  async function recordAndKill(into: string, ...args: string[]): Promise<string[]> {
    const source = 'sim:?robots=1&topics=imu,odom';
    const run = spawnCli(['record', '--source', source, '--data', into, ...args]);
    try {
      const before = new Set(await readdir(join(into, 'wal')).catch(() => []));
      await eventually(async () => {
        const logs = (await filesOf(join(into, 'wal'))).filter((path) => path.endsWith('.log'));
        const written = logs.filter((path) => ![...before].some((id) => path.includes(id)));
        const sizes = await Promise.all(written.map(async (path) => (await bytesOf(path)).length));
        return Math.max(0, ...sizes) > WRITTEN_BYTES;
      }, 'messages in the WAL');
      return await foundIn(into);
    } finally {
      run.child.kill('SIGKILL');
      await run.ended;
    }
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-wal-key-'));
    data = at('rec');
    recipient = String(jsonOf(await ok('keygen', '--out', at('fleet.key'), '--json'))['recipient']);
    for (const name of ['wal.key', 'other.key']) await ok('keygen', '--symmetric', '--out', at(name));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const withKey = (name: string): string[] => ['--encrypt-for', recipient, '--at-rest-key', at(name)];

  it('has nothing readable of any message or definition, while it is recorded and after kill -9', async () => {
    const plain = await recordAndKill(at('plain'), '--encrypt-for', recipient);
    for (const marker of MARKERS) {
      assert.ok(
        plain.some((found) => found.startsWith(marker)),
        `the search finds ${marker} in a plain WAL`,
      );
    }
    assert.deepEqual(await recordAndKill(data, ...withKey('wal.key')), []);
    assert.deepEqual(await foundIn(data), []);
    assert.ok((await readdir(join(data, 'wal'))).length > 0);
  });

  it('names its key in `holdfast status` while no recorder runs, as errors do', async () => {
    const text = await runCli(['status', '--data', data]);
    const name = /\n {2}encrypted +before sealing with (key:[0-9a-f]{16})\n/.exec(text.stdout)?.[1];
    assert.ok(name, text.stdout);
    const { recorder, wal } = jsonOf(await runCli(['status', '--data', data, '--json']));
    assert.equal(recorder, null);
    const segments = (await readdir(join(data, 'wal'))).length;
    assert.deepEqual(wal, { segments, unencrypted: 0, atRestKeyNames: [name], problems: [] });
    const refused = await runCli(['record', '--source', 'sim:?duration=1s', '--data', data]);
    assert.ok(refused.stderr.includes(`is encrypted with ${name};`), refused.stderr);
  });

  it('is not recorded into without its key, and stays as it is', async () => {
    const left = (await filesOf(join(data, 'wal'))).sort();
    for (const args of [['--encrypt-for', recipient], withKey('other.key')]) {
      const run = await runCli(['record', '--source', 'sim:?duration=1s', '--data', data, ...args]);
      assert.notEqual(run.exitCode, 0);
      assert.match(run.stderr, /is encrypted with key:[0-9a-f]{16}; given: (no key|key:[0-9a-f]{16})\./);
      assert.match(run.stderr, /encryption\.at_rest_key/);
    }
    assert.deepEqual((await filesOf(join(data, 'wal'))).sort(), left);
  });

  it('is recovered and continued with a key file that begins with a newer key', async () => {
    const [newer, older] = await Promise.all([readFile(at('other.key')), readFile(at('wal.key'))]);
    await writeFile(at('both.key'), Buffer.concat([newer, Buffer.from('\n# earlier\n'), older]));
    assert.deepEqual(await recordAndKill(data, ...withKey('both.key')), []);
    // The last start seals what both keys have encrypted.
    const source = 'sim:?robots=1&duration=1s&rate=max&topics=imu,odom';
    await ok('record', '--source', source, '--data', data, ...withKey('both.key'));
    assert.deepEqual(await readdir(join(data, 'wal')), []);
    assert.deepEqual(await readdir(join(data, 'quarantine')), []);
    const { stdout } = await ok('cat', data, '--topic', '*/imu', '--identity', at('fleet.key'));
    assert.ok(stdout.split('\n').filter((line) => line.startsWith('{')).length > 100);
    await ok('verify', data, '--identity', at('fleet.key'));
    assert.deepEqual(await foundIn(data), []);
  });

  it('is recorded with a warning if every user can read the key file', async () => {
    const source = 'sim:?robots=1&duration=1s&rate=max&topics=imu';
    const warned = /every user of this machine can use the key file/;
    const record = ['record', '--source', source, '--data', at('warned'), ...withKey('wal.key')];
    assert.doesNotMatch((await ok(...record)).stderr, warned);
    await chmod(at('wal.key'), 0o644);
    assert.match((await ok(...record)).stderr, warned);
    await chmod(at('wal.key'), 0o600);
  });

  it('is refused with half of an encryption, and with a key that anyone who has the folder has too', async () => {
    const key = at('wal.key');
    const inside = join(at('none'), 'wal.key');
    await mkdir(at('none'));
    await writeFile(inside, await readFile(key));
    const refused: [string[], RegExp][] = [
      [['--at-rest-key', key], /together with encryption\.recipients/],
      [[...withKey('wal.key'), '--seal-in-place', 'always'], /auto or never with encryption\.at_rest_key/],
      [['--encrypt-for', recipient, '--at-rest-key', inside], /lies in the data folder/],
      [['--encrypt-for', recipient, '--at-rest-key', at('none.key')], /none\.key cannot be read.*hfkey1_/],
      [['--encrypt-for', recipient, '--at-rest-key', at('fleet.key')], /holds an identity.*hfkey1_/],
    ];
    for (const [args, what] of refused) {
      const run = await runCli(['record', '--source', 'sim:?duration=1s', '--data', at('none'), ...args]);
      assert.notEqual(run.exitCode, 0, args.join(' '));
      assert.match(run.stderr.replaceAll(/\s+/g, ' '), what);
    }
  });
});
