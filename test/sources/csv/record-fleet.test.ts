import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../support/cli.js';
import { present } from '../../../src/core/present.js';

interface Sealed {
  readonly robot: string;
  readonly channels: readonly { readonly topic: string; readonly count: number }[];
  readonly gaps: readonly { readonly reason: string; readonly count?: number; readonly detail?: string }[];
}

describe('A drive log on its way into sealed segments', function () {
  this.timeout(90_000);
  let folder = '';
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-drive-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  async function record(source: string): Promise<Sealed[]> {
    const data = join(folder, 'rec');
    const recorded = await runCli([
      'record',
      '--source',
      source,
      '--data',
      data,
      '--no-web',
      '--no-foxglove',
      '--json',
    ]);
    assert.equal(recorded.exitCode, 0, recorded.stderr);
    const verified = await runCli(['verify', data, '--json']);
    assert.equal(verified.exitCode, 0, verified.stdout);
    const names = (await fs.readdir(join(data, 'sealed'))).filter((name) => name.endsWith('.json'));
    return Promise.all(
      names.map(async (name) => JSON.parse(await fs.readFile(join(data, 'sealed', name), 'utf8')) as Sealed),
    );
  }

  it('is a fleet of five by one command, each with its own recording and number', async () => {
    const sealed = await record('csv:bundled?vehicles=5&speed=max');
    const robots = [...new Set(sealed.map(({ robot }) => robot))].sort();
    assert.deepEqual(robots, ['vehicle1', 'vehicle2', 'vehicle3', 'vehicle4', 'vehicle5']);
    for (const robot of robots) {
      const channels = sealed.filter((one) => one.robot === robot).flatMap((one) => one.channels);
      for (const [topic, count] of [
        ['telemetry', 3_839],
        ['gps/fix', 3_839],
        ['odom', 3_839],
        ['vin', 1],
      ] as const) {
        const found = channels.filter((channel) => channel.topic === `/${robot}/${topic}`);
        assert.equal(
          found.reduce((sum, channel) => sum + channel.count, 0),
          count,
          `${robot} ${topic}`,
        );
      }
    }
    const read = await runCli(['cat', join(folder, 'rec'), '--topic', '*/vin']);
    const vins = read.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { data: { data: string } }).data.data);
    assert.equal(new Set(vins).size, 5);
  });

  it('keeps the lines that could not be read as gaps of the recording', async () => {
    const log = join(folder, 'log.csv');
    await fs.writeFile(log, `time,speed\n${'1,2\n'.repeat(10)}oops\n${'2,2\n'.repeat(10)}`);
    const sealed = await record(`csv:${log}?speed=max`);
    const gaps = sealed.flatMap((one) => one.gaps);
    assert.deepEqual(
      gaps.map(({ reason, count }) => [reason, count]),
      [['source_unreadable', 1]],
    );
    assert.match(present(gaps[0]!.detail), /line 12/);
  });

  it('is refused as a whole if the map is wrong', async () => {
    const map = join(folder, 'map.yaml');
    await fs.writeFile(map, 'columns: { a: { field: nothing }, b: { field: speed, unit: parsec } }');
    const run = await runCli([
      'record',
      '--source',
      `csv:bundled?map=${map}`,
      '--data',
      join(folder, 'rec'),
      '--json',
    ]);
    assert.notEqual(run.exitCode, 0);
    assert.match(run.stderr + run.stdout, /CONFIG_INVALID/);
    assert.match(run.stderr + run.stdout, /nothing[\s\S]*parsec/);
  });
});
