import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { exportRecording } from '../../../src/jobs/export/entry.js';
import { jsonOf, runCli, spawnCli, type CliRun } from '../../support/cli.js';

const VIN = '1ZZZ5A3T0RF000001';
const OTHER = '1ZZZ5A3T0RF000002';
const TIME = ['--from', '1970-01-01', '--to', '2100-01-01'];

/** A vehicle by its VIN, with nothing but manifests. */
describe('VINs on the command line', function () {
  this.timeout(180_000);
  let folder: string;
  let data: string;
  let store: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-vin-'));
    [data, store] = [join(folder, 'rec'), `dir:${join(folder, 'store')}`];
    await mkdir(join(folder, 'store'));
    await recorded(data, `robot1=${VIN}`, `robot2=${OTHER}`);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function ok(exitCode: number, ...args: string[]): Promise<CliRun> {
    const run = await runCli(args);
    assert.equal(run.exitCode, exitCode, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
    return run;
  }

  /** Two robots record, with these VINs, and their segments go to the store. */
  async function recorded(into: string, ...vins: string[]): Promise<void> {
    const source = ['--source', 'sim:?robots=2&duration=1s&rate=max&topics=odom'];
    await ok(0, 'record', ...source, '--data', into, ...vins.flatMap((vin) => ['--vin', vin]));
    await ok(0, 'sync', '--data', into, '--store', store, '--drain');
  }

  const rowsOf = async (...args: string[]): Promise<(readonly [string, string | undefined])[]> => {
    const { segments } = jsonOf(await ok(0, 'ls', ...args, '--json')) as {
      readonly segments: readonly { readonly robot: string; readonly vin?: string }[];
    };
    return segments.map(({ robot, vin }) => [robot, vin] as const).sort();
  };

  it('lead to the recordings of the vehicle, in a data folder and a store', async () => {
    for (const place of [data, store]) {
      assert.deepEqual(await rowsOf(place, '--robots', VIN), [['robot1', VIN]], place);
      assert.deepEqual(await rowsOf(place, '--robots', 'robot2'), [['robot2', OTHER]], place);
    }
    assert.match((await ok(0, 'ls', store)).stdout, new RegExp(`VIN[\\s\\S]*${VIN}`));
    const cat = (await ok(0, 'cat', data, '--only-robot', VIN)).stdout.trim().split('\n');
    assert.ok(cat.length > 1);
    for (const line of cat) assert.match(line, /"\/robot1\/odom"/);
    assert.equal((await ok(0, 'verify', store)).exitCode, 0);
  });

  it('name the robot of a deletion and of a request', async () => {
    const plan = await ok(0, 'delete', '--store', store, '--robot', VIN, ...TIME, '--json');
    const { request, places } = (
      jsonOf(plan) as {
        plan: { request: { robot: string }; places: { remove: { key: string }[] }[] };
      }
    ).plan;
    assert.equal(request.robot, 'robot1');
    assert.deepEqual(
      places.map(({ remove }) => remove.map(({ key }) => key.split('/')[0])),
      [['robot=robot1']],
    );
    const fetch = await ok(0, 'fetch', OTHER, ...TIME, '--to-store', store, '--json');
    const [asked] = jsonOf(fetch)['requests'] as { request: { robot: string } }[];
    assert.equal(asked?.request.robot, 'robot2');
    const unknown = await runCli(['fetch', VIN.replace('1', '2'), ...TIME, '--to-store', store]);
    assert.match(unknown.stderr, /looks like a VIN, and no recording in dir:.* has it/);
  });

  it('that two robots recorded with are refused where one robot is meant, and choose both where several may be', async () => {
    await recorded(join(folder, 'moved'), `robot2=${VIN}`);
    const refused = /1ZZZ5A3T0RF000001 is the VIN of robot1 \(.*\) and robot2 \(.*\); give the name of one/;
    assert.match((await ok(2, 'fetch', VIN, ...TIME, '--to-store', store)).stderr, refused);
    assert.match((await ok(2, 'delete', '--store', store, '--robot', VIN, ...TIME)).stderr, refused);
    // Not what robot2 recorded in the other vehicle; what robot1 recorded without a VIN may be of this one.
    assert.deepEqual(await rowsOf(store, '--robots', VIN), [
      ['robot1', undefined],
      ['robot1', VIN],
      ['robot2', VIN],
    ]);
    const two = /is a VIN of the robot robot2, which also recorded as 1ZZZ5A3T0RF000001; give its name/;
    assert.match((await ok(2, 'fetch', OTHER, ...TIME, '--to-store', store)).stderr, two);
  });

  it('choose the robots that serve gives', async () => {
    const server = spawnCli(['serve', data, '--listen', '127.0.0.1:0']);
    await server.waitFor(/serving .* on http\S+/);
    const url = present(/on (http\S+)/.exec(server.output())?.[1]);
    const get = async (path: string) => (await (await fetch(url + path)).json()) as Record<string, unknown>;
    const named = await get('api/window?robot=robot1');
    assert.ok(Number(named['messages']) > 0);
    assert.equal((await get(`api/window?robot=${VIN}`))['messages'], named['messages']);
    const { segments } = await get(`api/segments?robot=${VIN}`);
    assert.deepEqual(
      new Set((segments as { robot: string }[]).map(({ robot }) => robot)),
      new Set(['robot1']),
    );
    server.child.kill('SIGTERM');
    assert.equal((await server.ended).exitCode, 0);
  });

  it('choose what a sink gets, and what is exported and queried', async () => {
    const sink = join(folder, 'sink');
    const lake = join(folder, 'lake');
    for (const place of [sink, lake]) await mkdir(place);
    const sinks = ['--sink', `mcap:dir:${sink}?robots=${VIN}`, '--sink', `parquet:dir:${lake}`];
    await ok(0, 'sync', '--data', data, '--store', store, ...sinks, '--drain');
    assert.deepEqual(await rowsOf(`dir:${sink}`), [['robot1', VIN]]);

    const sql = 'SELECT DISTINCT robot FROM odom ORDER BY robot';
    const asked = async (from: string, ...robots: string[]): Promise<string[]> => {
      const chosen = robots.length === 0 ? [] : ['--robots', ...robots];
      const { stdout } = await ok(0, 'query', sql, '--from', from, ...chosen, '--output-format', 'csv');
      return stdout.trim().split('\n').slice(1);
    };
    assert.deepEqual(await asked(lake), ['robot1', 'robot2']);
    assert.deepEqual(await asked(lake, VIN), ['robot1']);
    assert.deepEqual(await asked(lake, 'robot1', OTHER), ['robot1', 'robot2']);

    const tables = join(folder, 'tables');
    await ok(0, 'export', '--from', data, '--to', tables, '--format', 'parquet');
    assert.deepEqual(await asked(tables, OTHER), ['robot2']);
    const one = await exportRecording(data, join(folder, 'one'), { format: 'parquet', robots: [OTHER] });
    assert.deepEqual([...new Set(one.manifest.topics.map(({ robot }) => robot))], ['robot2']);
    assert.deepEqual(
      one.manifest.sources.map(({ robot, vin }) => [robot, vin]),
      [['robot2', OTHER]],
    );
  });

  it('of a robot with two are told apart in a lake, and refused where tables have both', async () => {
    const lake = join(folder, 'two');
    const moved = join(folder, 'other-vehicle');
    await mkdir(lake);
    await recorded(moved, `robot2=${VIN}`);
    const layout = 'layout=robot={robot}/topic={topic}/{segment}';
    const sink = ['--sink', `parquet:dir:${lake}?${layout}`, '--drain'];
    for (const from of [data, moved]) await ok(0, 'sync', '--data', from, '--store', store, ...sink);
    const rows = async (from: string, vin?: string): Promise<number> => {
      const robots = vin === undefined ? [] : ['--robots', vin];
      const sql = "SELECT count(*) FROM odom WHERE robot = 'robot2'";
      const { stdout } = await ok(0, 'query', sql, '--from', from, ...robots, '--output-format', 'csv');
      return Number(stdout.trim().split('\n')[1]);
    };
    const [all, one, other] = [await rows(lake), await rows(lake, OTHER), await rows(lake, VIN)];
    assert.ok(one > 0 && other > 0);
    assert.equal(one + other, all);

    const merged = ['query', 'SELECT * FROM odom', '--from', lake, '--robots', OTHER];
    await ok(0, 'compact', `dir:${lake}`);
    assert.match((await ok(0, ...merged)).stderr, /robot=robot2.*merged rows of 1ZZZ5A3T0RF000001 into it/);
    const tables = join(folder, 'two-tables');
    await ok(0, 'export', '--from', store, '--to', tables, '--format', 'parquet');
    const refused = await ok(1, 'query', 'SELECT * FROM odom', '--from', tables, '--robots', OTHER);
    assert.match(
      refused.stderr,
      /has robot2 as 1ZZZ5A3T0RF000002 and as 1ZZZ5A3T0RF000001 .* --robots 1ZZZ5A3T0RF000002/,
    );
  });

  it('that are not VINs are refused by record', async () => {
    const record = await ok(2, 'record', '--source', 'sim:', '--data', data, '--vin', 'robot1=123');
    assert.match(record.stderr, /vin.*robot1=123.*17 capital letters and digits/);
  });
});
