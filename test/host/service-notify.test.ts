import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceNotify, type ServiceNotifyOptions } from '../../src/host/service-notify.js';
import { eventually } from '../../src/testing/waiting.js';

const WATCHDOG = 'WATCHDOG=1';

/** What a notifier with a watchdog of 30 ms sends, message by message. */
function notifier(options: Partial<ServiceNotifyOptions>): { sent: string[]; notify: ServiceNotify } {
  const sent: string[] = [];
  const env = { NOTIFY_SOCKET: '@test', WATCHDOG_USEC: '30000', ...options.env };
  const send = (assignment: string): Promise<void> => {
    sent.push(assignment);
    return Promise.resolve();
  };
  return { sent, notify: new ServiceNotify({ pid: 7, send, ...options, env }) };
}

describe('notifications to systemd', () => {
  it('say that the service is ready, serve the watchdog, and say that it stops', async () => {
    const { sent, notify } = notifier({});
    await eventually(() => sent.filter((one) => one === WATCHDOG).length >= 3);
    notify[Symbol.dispose]();
    const count = sent.length;
    assert.equal(sent[0], 'READY=1');
    assert.equal(sent.at(-1), 'STOPPING=1');
    await sleep(60);
    assert.equal(sent.length, count, 'nothing follows the end');
  });

  it('leave the watchdog alone while the service does not answer', async () => {
    let answer: () => Promise<boolean> = () => Promise.resolve(false);
    let asked = 0;
    const isAlive = (): Promise<boolean> => {
      asked++;
      return answer();
    };
    const { sent, notify } = notifier({ isAlive });
    await eventually(() => asked >= 2);
    answer = () => Promise.reject(new Error('no answer'));
    await eventually(() => asked >= 4);
    assert.deepEqual(sent, ['READY=1']);
    answer = () => Promise.resolve(true);
    await eventually(() => sent.includes(WATCHDOG));
    notify[Symbol.dispose]();
  });

  it('ask one question at a time', async () => {
    let asked = 0;
    const { sent, notify } = notifier({
      isAlive: () => {
        asked++;
        return new Promise(() => undefined);
      },
    });
    await eventually(() => asked === 1);
    await sleep(60);
    notify[Symbol.dispose]();
    assert.equal(asked, 1);
    assert.deepEqual(sent, ['READY=1', 'STOPPING=1']);
  });

  it('serve no watchdog that is meant for another process, or that has no time', async () => {
    for (const env of [{ WATCHDOG_PID: '8' }, { WATCHDOG_USEC: '' }, { WATCHDOG_USEC: 'soon' }]) {
      const { sent, notify } = notifier({ env });
      await sleep(40);
      assert.deepEqual(sent, ['READY=1'], JSON.stringify(env));
      notify[Symbol.dispose]();
    }
  });

  it('are not sent outside a unit', async () => {
    const { sent, notify } = notifier({ env: { NOTIFY_SOCKET: '' } });
    await sleep(40);
    notify[Symbol.dispose]();
    assert.deepEqual(sent, []);
  });

  it('that cannot be sent harm nothing', async () => {
    // No such socket, and on some machines no systemd-notify either.
    const env = { ...process.env, NOTIFY_SOCKET: '/nowhere/notify', WATCHDOG_USEC: '30000' };
    const notify = new ServiceNotify({ env, pid: process.pid });
    await sleep(100);
    notify[Symbol.dispose]();
  });
});
