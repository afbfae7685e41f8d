import assert from 'node:assert/strict';
import { present } from '../../../src/core/present.js';
import { askRole } from '../../../src/app/control/control-client.js';
import type { RecorderStatus } from '../../../src/core/status.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { requireRos, startPython, stopRosChildren, type RosInstall } from '../../support/ros.js';
import { startPublisher } from './publishers.js';
import { RobotRig } from './robot-rig.js';

/** The domain of this file. */
const DOMAIN = 96;

/** Prints the names of the values of every status of `/diagnostics` that is not OK. */
const DIAGNOSTICS = `
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
rclpy.init()
node = rclpy.create_node('panel')
def show(message):
    for status in message.status:
        if status.level != b'\\0':
            print('status', status.name, [value.key for value in status.values], flush=True)
node.create_subscription(DiagnosticArray, '/diagnostics', show, 10)
rclpy.spin(node)
`;

onEveryMiddleware('a topic that brings nothing any more though its publisher is in the graph', function () {
  this.timeout(120_000);
  let ros: RosInstall;
  before(function () {
    ros = requireRos(this, { native: true });
  });
  afterEach(stopRosChildren);

  it('appears in status, /diagnostics and the alert, and in the manifest after its return', async () => {
    await using rig = await RobotRig.create(ros, DOMAIN);
    const panel = startPython(ros, DIAGNOSTICS, [], { domainId: DOMAIN });
    const options = { sources: "['ros:?silent_after=1s&silent_periods=2']", 'segment.max_age_ms': '10min' };
    const [recorder, sync] = await Promise.all([rig.recorder(options), rig.sync()]);
    const plan = { topics: ['/stops'], count: 400, perS: 20 };
    const publisher = startPublisher(ros, DOMAIN, plan);
    await publisher.waitFor(/at 100/);
    process.kill(-present(publisher.child.pid), 'SIGSTOP');
    await panel.waitFor(/status \S+: topics .*'\/stops silent'/);
    await panel.waitFor(/status \S+: alerts .*'topic_silent'/);
    const { sources } = (await askRole(rig.data, 'recorder', 'status')) as RecorderStatus;
    assert.equal(sources[0]?.stats?.silentTopics, 1);
    assert.ok((sources[0].stats.resubscriptions ?? 0) >= 1);
    process.kill(-present(publisher.child.pid), 'SIGCONT');
    await publisher.waitFor(/published/);
    assert.equal(await rig.end(recorder), 0, recorder.output());
    await rig.synced();
    await sync.stop();
    const gaps = (await rig.manifests()).flatMap((manifest) => manifest.gaps);
    assert.ok(gaps.length > 0);
    for (const { reason, topic, robot } of gaps) {
      assert.deepEqual([reason, topic, robot], ['not_received', '/stops', 'r1']);
    }
  });
});
