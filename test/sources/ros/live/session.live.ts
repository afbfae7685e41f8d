import assert from 'node:assert/strict';
import { guard } from '../../../../src/sources/ros/guard.js';
import { loadRclnodejs } from '../../../../src/sources/ros/rclnodejs.js';
import { RosSession } from '../../../../src/sources/ros/ros-session.js';
import { recordingLogger, type LogLine } from '../../../../src/testing/source-probe.js';
import { eventually, sleep } from '../../../../src/testing/waiting.js';
import { systemTimers } from '../../../../src/host/system-clock.js';

const domainId = Number(process.env.ROS_DOMAIN_ID);

describe('A session with a ROS domain', function () {
  this.timeout(30_000);
  const lines: LogLine[] = [];
  const logger = recordingLogger(lines);
  const open = async (nodeName: string, domain = domainId): Promise<RosSession> =>
    RosSession.open(await loadRclnodejs(process.env), {
      nodeName,
      domainId: domain,
      logger,
      timers: systemTimers,
    });

  it('leaves signals to the application', async () => {
    await loadRclnodejs(process.env);
    assert.deepEqual(process.listeners('SIGINT'), []);
  });

  it('is one of several in a process, each in its own domain, and leaves at once when closed', async () => {
    await using here = await open('here');
    await using elsewhere = await open('elsewhere', domainId + 1);
    const other = await open('other');
    for (const session of [here, elsewhere, other]) session.spin();
    const names = (session: RosSession): string => session.node.getNodeNames().sort().join();
    await eventually(() => names(here) === 'here,other', 'the other node');
    assert.equal(names(elsewhere), 'elsewhere');
    assert.deepEqual([here.domainId, elsewhere.domainId], [domainId, domainId + 1]);
    await other.close();
    await eventually(() => names(here) === 'here', 'the other node to be gone', 5_000);
    await other.close();
  });

  it('survives an error in a guarded callback', async () => {
    await using session = await open('thrower');
    let calls = 0;
    const fail = guard(
      'timer',
      () => {
        calls++;
        throw new Error('in a timer');
      },
      logger,
    );
    session.create((node) => node.createTimer(5_000_000n, fail));
    session.spin();
    await eventually(() => calls >= 3, 'the timer');
    assert.match(JSON.stringify(lines), /in a timer/);
  });

  it('creates and destroys hundreds of subscriptions while spinning without waiting for each', async () => {
    await using session = await open('many');
    session.spin();
    await sleep(50);
    class Text {
      static type(): object {
        return { pkgName: 'std_msgs', subFolder: 'msg', interfaceName: 'String' };
      }
    }
    const begin = performance.now();
    const made = session.create((node) =>
      Array.from({ length: 300 }, (_, index) =>
        node.createSubscription(Text as never, `/t${index}`, { isRaw: true }, () => undefined),
      ),
    );
    session.change((node) => made.forEach((one) => node.destroySubscription(one)));
    // One wait each would be 600 times 100 ms.
    assert.ok(performance.now() - begin < 20_000);
  });
});
