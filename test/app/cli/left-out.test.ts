import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeManifest, type Manifest } from '../../../src/core/manifest.js';
import { firstOf } from '../../support/first-of.js';
import { jsonOf, runCli, type CliRun } from '../../support/cli.js';

describe('a recording with rules that leave messages out', function () {
  this.timeout(120_000);
  let folder: string;
  let recorded: CliRun;
  const at = (name: string): string => join(folder, name);

  const record = (data: string, ...flags: string[]): Promise<CliRun> =>
    runCli(['record', '--data', data, '--no-web', '--no-foxglove', '--json', ...flags]);
  const manifestsIn = async (data: string): Promise<Manifest[]> => {
    const names = (await fs.readdir(join(data, 'sealed'))).filter((name) => name.endsWith('.json'));
    return Promise.all(
      names.map(async (name) => decodeManifest(await fs.readFile(join(data, 'sealed', name), 'utf8'), name)),
    );
  };
  /** Messages and left out messages of a topic. */
  const counted = (manifests: readonly Manifest[], topic: string): readonly [number, number] => [
    manifests
      .flatMap(({ channels }) => channels)
      .filter((one) => one.topic === topic)
      .reduce((sum, { count }) => sum + count, 0),
    manifests
      .flatMap(({ gaps }) => gaps)
      .filter((gap) => gap.topic === topic && gap.reason === 'decimated')
      .reduce((sum, { count = 0 }) => sum + count, 0),
  ];

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-left-out-'));
    const rules = ['--rule', '/imu$ max_hz=10', '--rule', '/tf$ max_hz=5'];
    recorded = await record(at('rec'), '--source', 'sim:?robots=1&duration=20s&rate=max', ...rules);
    assert.equal(recorded.exitCode, 0, recorded.stderr);
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('tells how many, and the balance of received messages is even', () => {
    const {
      received = 0,
      durable = 0,
      dropped,
      decimated = 0,
      undurable,
    } = jsonOf(recorded) as Record<string, number>;
    assert.deepEqual([dropped, undurable], [0, 0]);
    assert.ok(decimated > 1_000, String(decimated));
    assert.equal(received, durable + decimated);
  });

  it('has the rate of the rules, with every message in the file or in the count, and is whole for verify, check and report', async () => {
    const manifests = await manifestsIn(at('rec'));
    const [imu, imuLeftOut] = counted(manifests, '/robot1/imu');
    assert.ok(Math.abs(imu - 200) <= 2, `${imu} in 20 s`);
    assert.ok(imuLeftOut > 10 * imu, `${imuLeftOut} left out`);
    const [tf, tfLeftOut] = counted(manifests, '/robot1/tf');
    assert.ok(Math.abs(tf - 100) <= 2, `${tf} of tf`);
    assert.equal(tf + tfLeftOut, 1_000);
    const [statics, staticsLeftOut] = counted(manifests, '/robot1/tf_static');
    assert.ok(statics > 0 && staticsLeftOut === 0);
    const verify = await runCli(['verify', at('rec')]);
    assert.equal(verify.exitCode, 0, verify.stdout + verify.stderr);
    const check = await runCli(['check', at('rec'), '--json']);
    assert.doesNotMatch(check.stdout, /decimated|"gaps"/);
    const report = await runCli(['report', '--from', at('rec'), '--output', at('report.html'), '--json']);
    const answers = jsonOf(report)['answers'] as { headline: string; remarks: string[] }[];
    const [whole, missing] = firstOf(2, answers);
    assert.deepEqual([whole.headline, missing.headline], ['Whole', 'Nothing that is known']);
    assert.match(
      missing.remarks.join(' '),
      /[\d,]+ messages left out on request \(max_hz, every\); this is no loss/,
    );
  });

  it('applies rules to the messages of files too, by their own times', async () => {
    const files = (await fs.readdir(at('rec/sealed'))).filter((name) => name.endsWith('.mcap'));
    const [file] = firstOf(1, files);
    const source = `mcap:${join(at('rec/sealed'), file)}`;
    const again = await record(at('again'), '--source', source, '--rule', '/odom$ every=4');
    assert.equal(again.exitCode, 0, again.stderr);
    const [before] = counted(await manifestsIn(at('rec')), '/robot1/odom');
    const [odom, leftOut] = counted(await manifestsIn(at('again')), '/robot1/odom');
    assert.deepEqual([odom, leftOut], [Math.ceil(before / 4), before - Math.ceil(before / 4)]);
  });

  it('is refused with the allowed values if a rule is wrong', async () => {
    const wrong = await record(at('none'), '--source', 'sim:', '--rule', '/imu max_hz=0');
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /--rule: rules is .*max_hz=0.*max_hz=0\.001 to 1000000/s);
  });
});
