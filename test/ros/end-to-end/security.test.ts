import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lacking } from '../../../src/testing/lacking.js';
import { jsonOf, runCli, spawnCli, type CliProcess, type CliRun } from '../../support/cli.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { requireRos, ros2, stopRosChildren, type RosInstall } from '../../support/ros.js';
import { startPublisher, type Publishing } from './publishers.js';

/** The domain of this file: the governance of a keystore names the one that it was made for. */
const DOMAIN = 97;
const TOPIC = '/guarded';
const PLAN: Publishing = { topics: [TOPIC], count: 300, perS: 200 };

onEveryMiddleware('SROS2, enforced,', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  let folder: string;
  /** Nothing, if the hook before made no folder. */
  let cleanUp = (): Promise<void> => Promise.resolve();

  before(async function () {
    ros = requireRos(this, { native: true });
    const prefixes = (ros.environment(0)['AMENT_PREFIX_PATH'] ?? '').split(':');
    if (!prefixes.some((prefix) => existsSync(join(prefix, 'share', 'sros2'))))
      lacking(this, 'sros2', 'no share/sros2 in AMENT_PREFIX_PATH');
    folder = await mkdtemp(join(tmpdir(), 'holdfast-sros2-'));
    cleanUp = () => rm(folder, { recursive: true, force: true });
    const keystore = join(folder, 'keystore');
    const commands = [['create_keystore'], ['create_enclave', '/recorder'], ['create_enclave', '/publisher']];
    for (const [command = '', ...names] of commands)
      await ros2(ros, ['security', command, keystore, ...names], { domainId: DOMAIN });
  });
  afterEach(stopRosChildren);
  after(() => cleanUp());

  /** Security of a process: no enclave is the root of the keystore, which has no keys. */
  function secured(enclave?: string): NodeJS.ProcessEnv {
    return {
      ROS_SECURITY_ENABLE: 'true',
      ROS_SECURITY_STRATEGY: 'Enforce',
      ROS_SECURITY_KEYSTORE: join(folder, 'keystore'),
      ...(enclave === undefined ? {} : { ROS_SECURITY_ENCLAVE_OVERRIDE: enclave }),
    };
  }

  function record(name: string, env: NodeJS.ProcessEnv): CliProcess {
    const source = ['--source', 'ros:', '--include', `^${TOPIC}$`];
    const args = ['record', ...source, '--data', join(folder, name), '--no-web', '--no-foxglove', '--json'];
    return spawnCli(args, { env: { ...ros.environment(DOMAIN), ...env } });
  }

  async function stop(recorder: CliProcess): Promise<CliRun> {
    recorder.child.kill('SIGINT');
    return recorder.ended;
  }

  it('lets a recorder with an enclave receive every message, and one without security none', async () => {
    const [inside, outside] = [record('inside', secured('/recorder')), record('outside', {})];
    await Promise.all([inside.waitFor(/recording/), outside.waitFor(/recording/)]);
    const guarded: RosInstall = {
      ...ros,
      environment: (domainId) => ({ ...ros.environment(domainId), ...secured('/publisher') }),
    };
    const publisher = startPublisher(guarded, DOMAIN, PLAN);
    await publisher.waitFor(/published/);
    const ended = await Promise.all([stop(inside), stop(outside)]);
    const found = ended.map((run) => {
      assert.equal(run.exitCode, 0, run.stderr);
      const { received, durable, dropped, gaps } = jsonOf(run);
      return { received, durable, dropped, gaps };
    });
    assert.deepEqual(found, [
      { received: PLAN.count, durable: PLAN.count, dropped: 0, gaps: 0 },
      { received: 0, durable: 0, dropped: 0, gaps: 0 },
    ]);
    const verified = await runCli(['verify', join(folder, 'inside'), '--json']);
    assert.equal(verified.exitCode, 0, verified.stderr);
    assert.equal((jsonOf(verified)['totals'] as { readonly messages: number }).messages, PLAN.count);
  });

  it('refuses a recorder without an enclave, and says which enclave and keystore it used', async () => {
    const { exitCode, stderr } = await record('refused', secured()).ended;
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, /ROS_UNUSABLE/);
    assert.ok(stderr.includes(`enclave / of ${join(folder, 'keystore')}`), stderr);
  });
});
