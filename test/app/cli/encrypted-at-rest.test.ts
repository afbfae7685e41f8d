import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataFolder } from '../../../src/core/data-folder.js';
import { decodeManifest } from '../../../src/core/manifest.js';
import { acquireRoleLock } from '../../../src/host/role-lock.js';
import { jsonOf, runCli, type CliRun } from '../../support/cli.js';

describe('a data folder whose segments are encrypted', function () {
  this.timeout(300_000);
  let folder: string;
  let data: string;
  let key: string;
  let other: string;
  let recipient: string;
  const at = (name: string): string => join(folder, name);

  async function ok(...args: string[]): Promise<CliRun> {
    const run = await runCli(args);
    assert.equal(run.exitCode, 0, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
    return run;
  }
  const messagesOf = (run: CliRun): string[] => run.stdout.split('\n').filter((line) => line.startsWith('{'));

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-at-rest-'));
    [data, key, other] = [at('rec'), at('fleet.key'), at('other.key')];
    recipient = String(jsonOf(await ok('keygen', '--out', key, '--json'))['recipient']);
    await ok('keygen', '--out', other);
    const source = 'sim:?robots=2&duration=3s&rate=max';
    await ok('record', '--source', source, '--data', data, '--encrypt-for', recipient);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('has no readable segment, and nothing left in its WAL', async () => {
    const names = await readdir(join(data, 'sealed'));
    assert.ok(names.filter((name) => name.endsWith('.mcap.enc')).length >= 2);
    assert.deepEqual(
      names.filter((name) => !/\.(mcap\.enc|json)$/.test(name)),
      [],
    );
    assert.deepEqual(await readdir(join(data, 'wal')), []);
    for (const name of names.filter((each) => each.endsWith('.enc'))) {
      const bytes = await readFile(join(data, 'sealed', name));
      for (const text of ['MCAP', 'sensor_msgs', 'holdfast']) assert.ok(!bytes.includes(text), text);
    }
  });

  it('is read with an identity by every command', async () => {
    const odom = messagesOf(await ok('cat', data, '--topic', '*/odom', '--identity', other, key));
    assert.ok(odom.length > 10);
    await ok('check', data, '--identity', key);
    await ok('replay', data, '--identity', key, '-o', at('all.mcap'));
    await ok('export', '--from', data, '--to', at('csv'), '--format', 'csv', '--identity', key);
    await ok('report', '--from', data, '--output', at('report.html'), '--identity', key);
    await ok('bag', data, '--files', 'copy', '-o', at('bags'), '--identity', key);
    const query = await ok('query', 'SELECT count(*) AS n FROM odom', '--from', data, '--identity', key);
    assert.match(query.stdout, new RegExp(String(odom.length)));
    const [file] = (await readdir(join(data, 'sealed'))).filter((name) => name.endsWith('.enc'));
    await ok('cat', join(data, 'sealed', String(file)), '--identity', key, '--limit', '1');
    await ok('decrypt', join(data, 'sealed', String(file)), '--identity', key, '--out', at('plain'));
    const [plain] = await readdir(at('plain'));
    await ok('verify', join(at('plain'), String(plain)));
  });

  it('is listed and verified without an identity, and every other command names the missing one', async () => {
    const rows = jsonOf(await ok('ls', data, '--json'))['segments'] as { encrypted?: boolean }[];
    assert.ok(rows.length >= 2 && rows.every(({ encrypted }) => encrypted === true));
    assert.match((await ok('verify', data)).stdout, /encrypted objects by their sums only/);
    const inside = jsonOf(await ok('verify', data, '--identity', key, '--json'));
    const { totals } = inside as { totals: { messages: number; unopened: number } };
    assert.ok(totals.messages > 10 && totals.unopened === 0);
    for (const args of [
      ['cat', data],
      ['replay', data, '-o', at('none.mcap')],
      ['export', '--from', data, '--to', at('none'), '--format', 'csv'],
      ['query', 'SELECT 1', '--from', data],
      ['check', data],
      ['report', '--from', data, '--output', at('none.html')],
    ]) {
      const run = await runCli([...args, '--identity', other]);
      assert.equal(run.exitCode, 1, args.join(' '));
      assert.ok(run.stderr.includes(`is encrypted for ${recipient}`), run.stderr);
    }
  });

  it('is uploaded as it is, and read, rotated and fetched from the store', async () => {
    const store = `dir:${at('store')}`;
    await ok('sync', '--data', data, '--store', store, '--drain');
    const uploaded = (await readdir(at('store'), { recursive: true })).filter((name) =>
      name.endsWith('.enc'),
    );
    const local = (await readdir(join(data, 'sealed'))).filter((name) => name.endsWith('.enc'));
    assert.equal(uploaded.length, local.length);
    for (const name of local) {
      const object = uploaded.find(
        (one) => one.endsWith(name.slice(0, 45) + '.mcap.enc') || one.endsWith(name),
      );
      assert.ok(object, name);
    }
    await ok('verify', store);
    await ok('verify', store, '--identity', key);
    const fromStore = messagesOf(await ok('cat', store, '--topic', '*/odom', '--identity', key));
    assert.deepEqual(fromStore, messagesOf(await ok('cat', data, '--topic', '*/odom', '--identity', key)));
    // Both at once: a segment that is here and there is read once.
    const both = await ok('cat', data, '--store', store, '--topic', '*/odom', '--identity', key);
    assert.deepEqual(messagesOf(both), fromStore);
    const next = String(jsonOf(await ok('keygen', '--out', at('next.key'), '--json'))['recipient']);
    await ok('rewrap', store, '--identity', key, '--recipient', next);
    await ok('cat', store, '--identity', at('next.key'), '--limit', '1');
  });

  it('changes its readers with rewrap, without a byte of its segments, while no recorder has the folder', async () => {
    const next = String(jsonOf(await ok('keygen', '--out', at('local.key'), '--json'))['recipient']);
    const sealed = async (): Promise<string[]> =>
      Promise.all(
        (await readdir(join(data, 'sealed')))
          .filter((name) => name.endsWith('.enc'))
          .sort()
          .map((name) => readFile(join(data, 'sealed', name), 'base64')),
      );
    const before = await sealed();
    const args = ['rewrap', data, '--identity', key, at('local.key'), '--recipient', next, '--json'];
    const lock = await acquireRoleLock(fs, dataFolder(data), 'recorder');
    const busy = await runCli(args);
    await lock.close();
    assert.equal(busy.exitCode, 4, busy.stderr);
    assert.match(busy.stderr, /recorder/);
    assert.equal(jsonOf(await ok(...args, '--dry-run'))['rewrapped'], before.length);
    assert.equal(jsonOf(await ok(...args))['rewrapped'], before.length);
    assert.equal(jsonOf(await ok(...args))['unchanged'], before.length);
    assert.deepEqual(await sealed(), before);
    for (const name of (await readdir(join(data, 'sealed'))).filter((one) => one.endsWith('.json'))) {
      const { encryption } = decodeManifest(await readFile(join(data, 'sealed', name), 'utf8'), name);
      assert.deepEqual([encryption?.version, encryption?.keys.map((one) => one.recipient)], [2, [next]]);
    }
    const old = await runCli(['cat', data, '--identity', key]);
    assert.ok(old.stderr.includes(`is encrypted for ${next}`), old.stderr);
    await ok('cat', data, '--identity', at('local.key'), '--limit', '1');
    await ok('verify', data, '--identity', at('local.key'));
    await ok('rewrap', data, '--identity', at('local.key'), '--recipient', recipient);
    await ok('cat', data, '--identity', key, '--limit', '1');
  });

  it('refuses an identity in the place of a recipient, and sinks that make readable files of its segments', async () => {
    const record = ['record', '--source', 'sim:?duration=1s&rate=max', '--data', at('none'), '--encrypt-for'];
    const secret = (await readFile(key, 'utf8')).split('\n').find((line) => line.startsWith('hfsec1_'));
    const wrong = await runCli([...record, String(secret)]);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /encryption\.recipients[\s\S]*holds an identity/);
    assert.ok(!wrong.stderr.includes(String(secret)));
    const lake = ['--sink', `parquet:dir:${at('lake')}?encrypt=no`];
    const sync = ['sync', '--data', data, '--drain', '--encrypt-for', recipient, ...lake];
    const refused = await runCli(sync);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /this machine cannot read what it has sealed/);
  });
});
