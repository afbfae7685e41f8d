import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SyncStatus } from '../../../src/core/status.js';
import { jsonOf, runCli } from '../../support/cli.js';

describe('holdfast sync with several sinks and data folders', function () {
  this.timeout(120_000);
  let folder: string;
  const at = (...names: string[]): string => join(folder, ...names);

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-sinks-'));
    for (const name of ['store', 'replica']) await mkdir(at(name));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const record = async (data: string): Promise<void> => {
    const source = 'sim:?robots=1&duration=1s&rate=max&topics=imu,tf_static';
    const run = await runCli(['record', '--source', source, '--data', data, '--json']);
    assert.equal(run.exitCode, 0, run.stderr);
  };
  const objects = async (store: string): Promise<string[]> => {
    const names = await readdir(at(store), { recursive: true });
    return names.filter((name) => name.endsWith('.mcap')).sort();
  };

  it('serves several data folders and replicates; a folder that is broken stops none of the others', async () => {
    await record(at('a'));
    await record(at('b'));
    await writeFile(at('broken'), 'a file, not a folder');
    const folders = ['a', 'broken', 'b'].flatMap((name) => ['--data', at(name)]);
    const sinks = ['--store', `dir:${at('store')}`, '--sink', `mcap:dir:${at('replica')}`];
    const run = await runCli(['sync', ...folders, ...sinks, '--drain', '--json']);
    assert.equal(run.exitCode, 3, run.stderr);
    const results = jsonOf(run)['folders'] as { data: string; complete?: boolean }[];
    assert.deepEqual(
      results.map(({ data, complete }) => [data, complete === true]),
      [
        [at('a'), true],
        [at('broken'), false],
        [at('b'), true],
      ],
    );
    const stored = await objects('store');
    assert.equal(stored.length, 2);
    assert.deepEqual(await objects('replica'), stored);
  });

  it('shows each sink in its status', async () => {
    await record(at('a'));
    const sinks = [
      '--store',
      `dir:${at('store')}`,
      '--sink',
      `mcap:dir:${at('replica')}?required=no&name=usb`,
    ];
    const run = await runCli(['sync', '--data', at('a'), ...sinks, '--drain', '--json']);
    assert.equal(run.exitCode, 0, run.stderr);
    const shown = jsonOf(run)['sinks'] as (SyncStatus['sinks'] & object)[number][];
    assert.deepEqual(
      shown.map(({ name, segments }) => [name, segments.verified]),
      [
        ['store', 1],
        ['usb', 1],
      ],
    );
  });

  it('reports every fault of sinks at once, and repeats no secret', async () => {
    const run = await runCli([
      'sync',
      '--data',
      at('a'),
      '--sink',
      'parqet:dir:/x',
      '--sink',
      'mcap:dir:/x?required=perhaps&colour=red&priority=top',
      '--sink',
      'mcap:s3://user:hunter2@bucket',
      '--sink',
      'mcap:ftp://x',
      '--json',
    ]);
    assert.equal(run.exitCode, 2);
    const { message, facts } = jsonOf(run)['error'] as {
      message: string;
      facts: { faults: { value?: unknown; allowed: string }[] };
    };
    const said = facts.faults.map(({ value, allowed }) => `${String(value)}: ${allowed}`).join('\n');
    for (const part of [
      /parqet: allowed: mcap:STORE/,
      /colour: allowed: options required, name/,
      /required=perhaps: allowed: yes, no/,
      /priority=top: allowed: high, normal, low/,
      /mcap:: allowed: followed by dir:PATH, s3:\/\//,
    ]) {
      assert.match(said, part, message);
    }
    assert.ok(!`${run.stdout}${run.stderr}`.includes('hunter2'));
  });

  it('refuses the same place twice', async () => {
    const sinks = ['--store', `dir:${at('store')}`, '--sink', `mcap:dir:${at('store')}`];
    const run = await runCli(['sync', '--data', at('a'), ...sinks, '--drain', '--json']);
    assert.equal(run.exitCode, 2);
    assert.match(run.stderr, /another store than that of the sink store/);
  });

  it('takes several data folders for sync alone', async () => {
    const run = await runCli(['status', '--data', at('a'), '--data', at('b'), '--json']);
    assert.equal(run.exitCode, 2);
  });
});
