import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import {
  requireRos,
  ros2OfNode,
  stopRosChildren,
  type RosChild,
  type RosInstall,
} from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { parameter, startNode, TemporaryFolder } from './node-child.js';
import { Probe } from './probe.js';
import { perhaps } from '../../support/perhaps.js';

const DOMAIN = 32;
const NODE = '/holdfast_recorder';
const ids = { configure: 1, cleanup: 2, activate: 3, deactivate: 4 } as const;

onEveryMiddleware('the managed node holdfast_recorder', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  let folder: TemporaryFolder;
  let probe: Probe;
  let child: RosChild;

  const state = async (): Promise<string> =>
    (
      await probe.call<{ current_state: { label: string } }>(
        `${NODE}/get_state`,
        'lifecycle_msgs/srv/GetState',
      )
    ).current_state.label;
  const change = async (id: number, label = ''): Promise<boolean> =>
    (
      await probe.call<{ success: boolean }>(`${NODE}/change_state`, 'lifecycle_msgs/srv/ChangeState', {
        transition: { id, label },
      })
    ).success;
  const start = (...more: string[]): RosChild =>
    startNode(
      ros,
      'recorder',
      [
        ...parameter('managed', true),
        ...parameter('data', folder.at('data')),
        ...parameter('sources', ['sim:?robots=1']),
        ...more,
      ],
      DOMAIN,
    );

  before(async function () {
    ros = requireRos(this, { native: true });
    folder = new TemporaryFolder();
    probe = new Probe(ros, DOMAIN);
    child = start();
    await probe.there(NODE);
    await probe.listen(`${NODE}/transition_event`, 'lifecycle_msgs/msg/TransitionEvent');
  });

  after(async () => {
    await perhaps(probe)?.[Symbol.asyncDispose]();
    await stopRosChildren();
    perhaps(folder)?.[Symbol.dispose]();
  });

  it('does nothing before it is configured, and refuses what needs more', async () => {
    assert.equal(await state(), 'unconfigured');
    assert.equal(existsSync(folder.at('data/wal')), false);
    assert.equal(await change(ids.activate), false);
    assert.equal(await change(77), false);
    assert.equal(await change(0, 'nonsense'), false);
    // The end of a transition is its own to tell, not another's.
    assert.equal(await change(10), false);
    const { success, message } = await probe.trigger(`${NODE}/split`);
    assert.equal(success, false);
    assert.match(message, /STATE_REFUSED: the recorder cannot split while unconfigured/);
    assert.equal(await state(), 'unconfigured');
  });

  it('takes its data folder when configured, records when activated, and answers when it is done', async () => {
    assert.equal(await change(ids.configure), true);
    assert.equal(await state(), 'inactive');
    assert.ok(existsSync(folder.at('data/wal')));
    assert.equal(await change(ids.configure), false);
    assert.equal(await change(ids.activate), true);
    assert.equal(await state(), 'active');
  });

  it('has everything sealed when deactivation is answered', async () => {
    await probe.spin(1);
    assert.equal(await change(ids.deactivate), true);
    assert.equal(await state(), 'inactive');
    assert.ok(readdirSync(folder.at('data/sealed')).some((name) => name.endsWith('.mcap')));
  });

  it('goes through the same states by its own services', async () => {
    assert.ok((await probe.trigger(`${NODE}/start`)).success);
    assert.equal(await state(), 'active');
    assert.ok((await probe.trigger(`${NODE}/stop`)).success);
    assert.equal(await state(), 'inactive');
    const { message } = await probe.trigger(`${NODE}/stop`);
    assert.match(message, /STATE_REFUSED/);
    assert.equal(await state(), 'inactive');
  });

  it('lets one of two transitions asked for at once happen', async () => {
    const type = 'lifecycle_msgs/srv/ChangeState';
    const request = { transition: { id: ids.activate, label: '' } };
    const answers = await probe.calls<{ success: boolean }>(`${NODE}/change_state`, type, [request, request]);
    assert.deepEqual(answers.map(({ success }) => success).sort(), [false, true]);
    assert.equal(await state(), 'active');
  });

  it('reports each transition, and gives its graph to ros2 lifecycle', async () => {
    const events = await probe.messages<{ goal_state: { label: string } }>(`${NODE}/transition_event`, 10);
    // rcl says where a transition leads, not which it is.
    const labels = events.map(({ goal_state }) => goal_state.label);
    for (const label of ['configuring', 'activating', 'active', 'deactivating', 'inactive']) {
      assert.ok(labels.includes(label), labels.join());
    }
    const list = await ros2OfNode(ros, ['lifecycle', 'list', NODE], { domainId: DOMAIN });
    assert.match(list, /deactivate \[4\]\s+Start: active\s+Goal: deactivating/);
  });

  it('gives its data folder back on cleanup, so that another recorder can have it', async () => {
    assert.equal(await change(ids.deactivate), true);
    assert.equal(await change(ids.cleanup), true);
    assert.equal(await state(), 'unconfigured');
    const other = start('-r', '__node:=other', ...parameter('autostart', true));
    await other.waitFor(/\]: recording/);
    // Configuring fails while another has it, and leaves the node as it was.
    assert.equal(await change(ids.configure), false);
    assert.equal(await state(), 'unconfigured');
    await child.waitFor(/DATA_FOLDER_BUSY|already|another process/i);
    await other.stop('SIGINT');
    assert.equal(await change(ids.configure), true);
  });

  it('is finalized by shutdown from any state, with everything sealed, and ends on SIGTERM', async () => {
    assert.equal(await change(ids.activate), true);
    await probe.spin(1);
    assert.equal(await change(0, 'shutdown'), true);
    assert.equal(await state(), 'finalized');
    assert.equal(await change(ids.configure), false);
    await child.stop('SIGTERM');
    assert.equal(await child.ended, 0, child.output());
    assert.ok((await probe.gone(NODE, 2)) >= 0);
  });
});
