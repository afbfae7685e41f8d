import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { packageRoot } from '../../../src/host/version.js';
import { jsonOf, runCli } from '../../support/cli.js';

const fixture = join(packageRoot, 'test', 'fixtures', 'version-0.1.0');
/** Messages in the fixture: sealed, and only in the WAL. */
const SEALED = 654;
const IN_STORE = 523;
const IN_WAL = 597;

describe('a data folder and a store that 0.1.0 wrote', function () {
  this.timeout(120_000);
  let folder: string;
  let rec: string;
  let store: string;

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-upgrade-'));
    await fs.cp(fixture, folder, { recursive: true });
    rec = join(folder, 'rec');
    store = `dir:${join(folder, 'store')}`;
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  async function json(...args: string[]): Promise<Record<string, unknown>> {
    const run = await runCli([...args, '--json']);
    assert.equal(run.exitCode, 0, `${args.join(' ')}: ${run.stderr}`);
    return jsonOf(run);
  }

  async function messagesIn(place: string): Promise<number> {
    return ((await json('verify', place))['totals'] as { messages: number }).messages;
  }

  it('are read by today’s version, which changes nothing', async () => {
    const before = await contents(folder);
    assert.equal(await messagesIn(rec), SEALED);
    assert.equal(await messagesIn(store), IN_STORE);
    const lines = (await runCli(['cat', store])).stdout.trim().split('\n');
    assert.equal(lines.length, IN_STORE);
    assert.deepEqual(await contents(folder), before);
  });

  it('are continued and synced: every message of the killed recorder and of the next one arrives once', async () => {
    const uploaded = await contents(join(folder, 'store'));
    const recorded = await json('record', '--source', 'sim:?robots=2&duration=1s', '--data', rec, ...quiet);
    const synced = await json('sync', '--data', rec, '--store', store, '--drain');
    assert.equal((synced['segments'] as { parked?: number }).parked, 0);
    const expected = SEALED + IN_WAL + Number(recorded['durable']);
    assert.equal(await messagesIn(rec), expected);
    assert.equal(await messagesIn(store), expected);
    const [file] = await fs.readdir(join(rec, 'events'));
    const { event } = JSON.parse(await fs.readFile(join(rec, 'events', present(file)), 'utf8')) as {
      event: { label: string };
    };
    assert.equal(event.label, 'hit the kerb');
    const now = await contents(join(folder, 'store'));
    for (const [name, content] of uploaded) {
      assert.deepEqual(now.get(name), content, `${name} is an object of 0.1.0: it stays as it is`);
    }
  });
});

describe('a data folder of a version to come', function () {
  this.timeout(60_000);

  it('is refused by name, and stays as it is', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-downgrade-'));
    try {
      const made = ['record', '--source', 'sim:?robots=1&duration=1s', '--data', folder, ...quiet];
      assert.equal((await runCli(made)).exitCode, 0);
      const [manifest] = (await fs.readdir(join(folder, 'sealed'))).filter((name) => name.endsWith('.json'));
      const path = join(folder, 'sealed', present(manifest));
      const text = await fs.readFile(path, 'utf8');
      await fs.writeFile(path, text.replace(/"version": *[12]\b/, '"version": 99'));
      const sealed = await contents(join(folder, 'sealed'));
      const { exitCode, stdout } = await runCli(['verify', folder]);
      assert.equal(exitCode, 3);
      assert.match(stdout, /99/);
      assert.ok(stdout.includes(present(manifest)), stdout);
      assert.deepEqual(await contents(join(folder, 'sealed')), sealed);
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });
});

const quiet = ['--no-web', '--no-foxglove'];

/** Every file below a folder, by its relative path. */
async function contents(folder: string): Promise<Map<string, string>> {
  const entries = await fs.readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path, await fs.readFile(path, 'base64')] as [string, string]),
    ),
  );
}
