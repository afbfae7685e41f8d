import assert from 'node:assert/strict';
import { Budget } from '../../src/sync/budget.js';
import { PartBuffers } from '../../src/sync/part-buffers.js';
import { SendWindow } from '../../src/sync/send-window.js';
import { TestClock } from '../support/test-clock.js';

const never = new AbortController().signal;
const MB = 1_000_000;

describe('send window', () => {
  it('is one part until the link is measured, then the bytes of four seconds', async () => {
    const clock = new TestClock();
    const window = new SendWindow(clock, 8 * MB, 24 * MB);
    assert.equal(window.bytes, 8 * MB);
    const send = (ms: number): Promise<void> =>
      window.send(8 * MB, never, () => {
        clock.pass(ms);
        return Promise.resolve();
      });
    await send(2000);
    assert.equal(window.bytes, 16 * MB, 'at 4 MB/s');
    await send(100);
    assert.equal(window.bytes, 24 * MB, 'never more than memory allows');
    for (let n = 0; n < 20; n++) await send(16_000);
    assert.equal(window.bytes, 8 * MB, 'at 0.5 MB/s one part after the other');
  });

  it('keeps a second part waiting while a slow link is busy with the first', async () => {
    const window = new SendWindow(new TestClock(), 10, 30);
    let finish = (): void => undefined;
    const first = window.send(10, never, () => new Promise<void>((resolve) => (finish = resolve)));
    let isSecondBegun = false;
    const second = window.send(10, never, () => {
      isSecondBegun = true;
      return Promise.resolve();
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isSecondBegun, false);
    finish();
    await Promise.all([first, second]);
    assert.equal(isSecondBegun, true);
  });

  it('learns nothing from what failed', async () => {
    const window = new SendWindow(new TestClock(), 10, 30);
    await assert.rejects(
      window.send(10, never, () => Promise.reject(new Error('reset'))),
      /reset/,
    );
    assert.equal(window.bytes, 10);
  });
});

describe('budget', () => {
  it('serves in the order of arrival, also past a large request that waits', async () => {
    const budget = new Budget(10);
    const order: number[] = [];
    const free = await budget.take(6, never);
    const take = async (bytes: number): Promise<void> => {
      const give = await budget.take(bytes, never);
      order.push(bytes);
      give();
    };
    const [large, small] = [take(10), take(1)];
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(order, []);
    free();
    free();
    await Promise.all([large, small]);
    assert.deepEqual(order, [10, 1]);
  });

  it('lets a request above the limit pass alone, and forgets one that gave up', async () => {
    const budget = new Budget(5);
    const free = await budget.take(50, never);
    const stop = new AbortController();
    const given = budget.take(1, stop.signal);
    stop.abort(new Error('gave up'));
    await assert.rejects(given, /gave up/);
    free();
    (await budget.take(5, never))();
  });
});

describe('part buffers', () => {
  it('are used again after a success, and never after a failure', async () => {
    const size = 512 * 1024;
    const buffers = new PartBuffers(1, size);
    const first = await buffers.take(size, never);
    first.release(true);
    const second = await buffers.take(size - 5, never);
    assert.equal(second.data.buffer, first.data.buffer);
    assert.equal(second.data.length, size - 5);
    second.release(false);
    second.release(true);
    const third = await buffers.take(size, never);
    assert.notEqual(third.data.buffer, first.data.buffer);
  });
});
