import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { present } from '../../../src/core/present.js';
import { requireRos, stopRosChildren, type RosChild, type RosInstall } from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { parameter, startNode, TemporaryFolder } from './node-child.js';
import { Probe } from './probe.js';
import { perhaps } from '../../support/perhaps.js';

const DOMAIN = 34;
const NODE = '/holdfast_recorder';

onEveryMiddleware('signals to a node', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  let folder: TemporaryFolder;
  let probe: Probe;

  const start = (...more: string[]): RosChild =>
    startNode(
      ros,
      'recorder',
      [...parameter('data', folder.at('data')), ...parameter('sources', ['sim:?robots=1']), ...more],
      DOMAIN,
    );

  before(function () {
    ros = requireRos(this, { native: true });
    folder = new TemporaryFolder();
    probe = new Probe(ros, DOMAIN);
  });

  after(async () => {
    await perhaps(probe)?.[Symbol.asyncDispose]();
    await stopRosChildren();
    perhaps(folder)?.[Symbol.dispose]();
  });

  it('SIGTERM drains, seals and takes the node out of the graph at once', async () => {
    const child = start();
    await child.waitFor(/\]: recording/);
    await probe.there(NODE);
    await probe.spin(1);
    await child.stop('SIGTERM');
    const seconds = await probe.gone(NODE, 2);
    assert.ok(seconds >= 0 && seconds < 1, `gone after ${seconds} s`);
    assert.equal(await child.ended, 0, child.output());
    assert.ok(readdirSync(folder.at('data/sealed')).length > 0);
  });

  it('the same signal told twice at once is one: it drains and seals', async () => {
    const child = start();
    await child.waitFor(/\]: recording/);
    await probe.there(NODE);
    process.kill(present(child.child.pid), 'SIGTERM');
    process.kill(present(child.child.pid), 'SIGINT');
    assert.equal(await child.ended, 0, child.output());
    assert.ok((await probe.gone(NODE, 2)) >= 0);
  });

  it('after kill -9 the next one takes the folder over and continues', async () => {
    const killed = start();
    await killed.waitFor(/\]: recording/);
    await probe.spin(1.5);
    await killed.stop('SIGKILL');
    const before = readdirSync(folder.at('data/sealed')).length;
    const next = start('--log-level', 'debug');
    await next.waitFor(/segments of an earlier run will be sealed/);
    await next.waitFor(/\]: recording/);
    await next.stop('SIGINT');
    assert.equal(await next.ended, 0, next.output());
    assert.ok(readdirSync(folder.at('data/sealed')).length > before);
  });

  it('is reported in one line, with the code of a busy folder, if another recorder has it', async () => {
    const first = start();
    await first.waitFor(/\]: recording/);
    const second = start('-r', '__node:=second');
    assert.equal(await second.ended, 4);
    assert.match(second.output(), /DATA_FOLDER_BUSY/);
    await first.stop('SIGINT');
  });

  it('--log-level sets the level of the log', async () => {
    // The killed one of a test before may still be in the graph, and what is asked of it is answered by nobody: a
    // name of its own.
    const child = start('--log-level', 'error', '-r', '__node:=quiet');
    await probe.there('/quiet');
    await probe.trigger('/quiet/split');
    await child.stop('SIGINT');
    assert.doesNotMatch(child.output(), /\[(INFO|WARN)\]/);
  });
});
