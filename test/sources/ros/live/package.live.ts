import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { requireRos, stopRosChildren } from '../../../support/ros.js';
import { startPublisher } from '../../../support/ros-publisher.js';
import { LiveSource, endLiveSources } from './live-source.js';
import { present } from '../../../../src/core/present.js';
import { eventually } from '../../../../src/testing/waiting.js';

const at = { domainId: Number(process.env.ROS_DOMAIN_ID) };
/** Where the package was built, and a prefix of this process that does not hold it yet. */
const built = present(process.env.HOLDFAST_TEST_BUILT);
const prefix = present(process.env.HOLDFAST_TEST_PREFIX);

describe('A message package that is installed while a source ros runs', function () {
  this.timeout(60_000);
  afterEach(endLiveSources);
  afterEach(stopRosChildren);

  it('is a gap and a report until it is there, stops nothing else, and is recorded from then on', async function () {
    const ros = requireRos(this);
    const env = {
      AMENT_PREFIX_PATH: `${built}:${process.env.AMENT_PREFIX_PATH}`,
      LD_LIBRARY_PATH: `${built}/lib:${process.env.LD_LIBRARY_PATH}`,
      PYTHONPATH: `${process.env.HOLDFAST_TEST_PYTHON}:${process.env.PYTHONPATH}`,
    };
    const custom = { topic: '/custom', count: 0, hz: 50, type: 'holdfast_test_msgs/msg/Late' };
    startPublisher(ros, [custom], { ...at, env, node: 'late', subscribers: 0 });
    const live = LiveSource.open('ros:');
    startPublisher(ros, [{ topic: '/fine', count: 20, hz: 100 }], at);
    await live.received('/fine', 20);
    await eventually(() => live.problems('/custom').includes('no-type-support'), 'the report', 20_000);
    const gaps = () => live.probe.events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));
    assert.deepEqual(
      gaps().map(({ reason, topic }) => [reason, topic]),
      [['source_unreadable', '/custom']],
    );
    assert.deepEqual(live.messages('/custom'), []);

    await fs.cp(built, prefix, { recursive: true });
    await live.received('/custom', 5);
    await eventually(() => live.problems('/custom').length === 0, 'no problem', 20_000);
    assert.equal(gaps().length, 2);
    assert.ok(present(gaps()[1]!.firstTime) <= present(gaps()[1]!.lastTime));
    const { schema } = present(live.channel('/custom'));
    assert.equal(schema.encoding, 'ros2msg');
    assert.match(Buffer.from(schema.data).toString(), /^# Comes late\.[\s\S]*MSG: geometry_msgs\/Point/);
  });
});
