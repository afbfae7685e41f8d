import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { openRecording } from '../../../src/recordings/entry.js';
import { jsonOf, runCli, type CliRun } from '../../support/cli.js';

describe('an encrypted store', function () {
  this.timeout(120_000);
  let folder: string;
  let store: string;
  let data: string;
  let key: string;
  let other: string;
  let recipient: string;
  let objects: string[];
  const at = (name: string): string => join(folder, name);

  async function ok(...args: string[]): Promise<CliRun> {
    const run = await runCli(args);
    assert.equal(run.exitCode, 0, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
    return run;
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-encrypted-'));
    [data, key, other] = [at('rec'), at('fleet.key'), at('other.key')];
    store = `dir:${at('store')}`;
    recipient = String(jsonOf(await ok('keygen', '--out', key, '--json'))['recipient']);
    await ok('keygen', '--out', other);
    await ok('record', '--source', 'sim:?robots=2&duration=3s&rate=max', '--data', data);
    await ok('sync', '--data', data, '--store', store, '--recipient', recipient, '--drain');
    const all = await readdir(at('store'), { recursive: true });
    objects = all.filter((name) => name.endsWith('.mcap.enc')).map((name) => join(at('store'), name));
    assert.deepEqual(
      all.filter((name) => name.endsWith('.mcap')),
      [],
    );
    assert.ok(objects.length >= 2);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const messagesOf = (run: CliRun): string[] => run.stdout.split('\n').filter((line) => line.startsWith('{'));

  it('is read like the data folder, with an identity', async () => {
    const plain = messagesOf(await ok('cat', data, '--topic', '*/odom'));
    assert.ok(plain.length > 10);
    assert.deepEqual(
      messagesOf(await ok('cat', store, '--topic', '*/odom', '--identity', other, key)),
      plain,
    );
    await ok('check', store, '--identity', key);
    await ok('replay', store, '--identity', key, '-o', at('all.mcap'));
    await ok('export', '--from', store, '--to', at('csv'), '--format', 'csv', '--identity', key);
    await ok('report', '--from', store, '--output', at('report.html'), '--identity', key);
    await ok('bag', store, '--files', 'copy', '-o', at('bags'), '--identity', key);
    const query = await ok('query', 'SELECT count(*) AS n FROM odom', '--from', store, '--identity', key);
    assert.match(query.stdout, new RegExp(String(plain.length)));
    await using recording = await openRecording(store, { identities: [await readFile(key, 'utf8')] });
    let count = 0;
    for await (const { value } of recording.messages({ topics: ['*/odom'] }))
      if (value !== undefined) count++;
    assert.equal(count, plain.length);
  });

  it('says which identity is missing', async () => {
    for (const more of [[], ['--identity', other]]) {
      for (const args of [
        ['cat', store],
        ['replay', store, '-o', at('none.mcap')],
        ['export', '--from', store, '--to', at('none'), '--format', 'csv'],
        ['check', store],
        ['report', '--from', store, '--output', at('none.html')],
      ]) {
        const run = await runCli([...args, ...more]);
        assert.equal(run.exitCode, 1, args.join(' '));
        assert.ok(run.stderr.includes(`is encrypted for ${recipient}`), run.stderr);
      }
    }
    const bag = await runCli(['bag', store, '-o', at('no-bags'), '--identity', key]);
    assert.match(bag.stderr, /needs --files copy/);
  });

  it('is listed and verified without an identity, and verified inside with one', async () => {
    const rows = jsonOf(await ok('ls', store, '--json'))['segments'] as { encrypted?: boolean }[];
    assert.ok(rows.length === objects.length && rows.every(({ encrypted }) => encrypted === true));
    const sums = await ok('verify', store);
    assert.match(sums.stdout, new RegExp(`${objects.length} encrypted objects by their sums only`));
    const inside = await ok('verify', store, '--identity', key, '--json');
    const { totals } = jsonOf(inside) as { totals: { messages: number; unopened: number } };
    assert.ok(totals.messages > 10 && totals.unopened === 0);
    await ok('verify', data);
    const path = present(objects[0]);
    const bytes = await readFile(path);
    const damaged = Buffer.from(bytes);
    damaged[5_000] = (damaged[5_000] ?? 0) ^ 1;
    await writeFile(path, damaged);
    try {
      const found = await runCli(['verify', store]);
      assert.equal(found.exitCode, 3);
      assert.match(found.stdout, /ERROR .*\.mcap\.enc: sha256/);
      const cat = await runCli(['cat', store, '--identity', key]);
      assert.equal(cat.exitCode, 3);
      assert.match(cat.stderr, /chunk 0 of \d+ is damaged/);
    } finally {
      await writeFile(path, bytes);
    }
  });

  it('gives plain files: one to a reader, all to decrypt', async () => {
    await ok('cat', present(objects[0]), '--identity', key, '--limit', '1');
    await ok('decrypt', ...objects, '--identity', key, '--out', at('plain'));
    const names = await readdir(join(data, 'sealed'));
    for (const name of names.filter((one) => one.endsWith('.mcap'))) {
      const [a, b] = await Promise.all([
        readFile(join(data, 'sealed', name)),
        readFile(join(at('plain'), name)),
      ]);
      assert.ok(a.equals(b), name);
    }
  });

  it('changes its readers with rewrap, without a byte of its objects, and sync changes nothing back', async () => {
    const before = await Promise.all(objects.map((path) => readFile(path)));
    const second = at('second.key');
    const next = String(jsonOf(await ok('keygen', '--out', second, '--json'))['recipient']);
    const none = await runCli(['rewrap', store, '--identity', other, '--recipient', next]);
    assert.equal(none.exitCode, 3);
    assert.match(none.stderr, new RegExp(`is encrypted for ${recipient}`));
    const dry = await ok('rewrap', store, '--identity', key, '--recipient', next, '--dry-run', '--json');
    assert.deepEqual([jsonOf(dry)['rewrapped'], jsonOf(dry)['failed']], [objects.length, 0]);
    const args = ['rewrap', store, '--identity', key, second, '--recipient', next, '--json'];
    assert.equal(jsonOf(await ok(...args))['rewrapped'], objects.length);
    assert.equal(jsonOf(await ok(...args))['unchanged'], objects.length);
    assert.deepEqual(await Promise.all(objects.map((path) => readFile(path))), before);
    const old = await runCli(['cat', store, '--identity', key]);
    assert.ok(old.stderr.includes(`is encrypted for ${next}`), old.stderr);
    await ok('cat', store, '--identity', second, '--limit', '1');
    await ok('verify', store);
    // All that sync knew is lost, and it still has its old recipient.
    await rm(join(data, 'sync'), { recursive: true, force: true });
    await ok('sync', '--data', data, '--store', store, '--recipient', recipient, '--drain');
    assert.equal(jsonOf(await ok(...args))['unchanged'], objects.length);
    await ok('rewrap', store, '--identity', second, '--recipient', recipient);
  });

  it('takes no sink that would send files readable, unless it says so', async () => {
    const sync = ['sync', '--data', data, '--store', store, '--recipient', recipient, '--drain'];
    const lake = `parquet:dir:${at('lake')}`;
    const refused = await runCli([...sync, '--sink', lake]);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /encrypt=no/);
    await ok(...sync, '--sink', `${lake}?encrypt=no`);
    const secret = (await readFile(key, 'utf8')).split('\n').find((line) => line.startsWith('hfsec1_'));
    const wrong = await runCli(['sync', '--data', data, '--store', store, '--recipient', present(secret)]);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /holds an identity/);
    assert.ok(!wrong.stderr.includes(present(secret)));
  });
});
