import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { StopSignals, type StopSignalOptions } from '../../../src/app/cli/stop-signals.js';
import { sleep } from '../../../src/testing/waiting.js';

/** What of a process is used, and how it ended. */
class FakeProcess extends EventEmitter {
  exitedWith: number | undefined;

  exit(code: number): void {
    this.exitedWith ??= code;
  }
}

function begin(options: StopSignalOptions = {}): {
  fake: FakeProcess;
  stop: StopSignals;
  seconds: () => number;
} {
  const fake = new FakeProcess();
  let seconds = 0;
  const stop = new StopSignals(fake as unknown as NodeJS.Process, () => seconds++, options);
  return { fake, stop, seconds: () => seconds };
}

describe('signals that end a process', () => {
  it('ask it to end the first time, and end it at once the second time', () => {
    const { fake, stop, seconds } = begin();
    fake.emit('SIGTERM');
    assert.deepEqual([stop.signal.aborted, stop.exitCode, fake.exitedWith], [true, 143, undefined]);
    fake.emit('SIGINT');
    assert.deepEqual([seconds(), fake.exitedWith], [1, 130]);
  });

  it('count as one if they come twice within the given time', () => {
    let now = 5_000;
    const { fake, stop } = begin({ togetherMs: 1_000, nowMs: () => now });
    fake.emit('SIGTERM');
    now += 999;
    fake.emit('SIGINT');
    assert.deepEqual([stop.exitCode, fake.exitedWith], [143, undefined]);
    now += 1;
    fake.emit('SIGINT');
    assert.equal(fake.exitedWith, 130);
  });

  it('end a process that has not ended within the time it was given', async () => {
    const { fake, stop, seconds } = begin();
    stop.endWithin(20);
    fake.emit('SIGTERM');
    assert.equal(fake.exitedWith, undefined);
    await sleep(60);
    assert.deepEqual([seconds(), fake.exitedWith], [1, 143]);
  });

  it('leave a process its time, which begins when the process asks for it', async () => {
    const { fake, stop } = begin();
    stop.endWithin(20);
    stop.endWithin(undefined);
    fake.emit('SIGTERM');
    await sleep(60);
    assert.equal(fake.exitedWith, undefined);
    stop.endWithin(20);
    await sleep(60);
    assert.equal(fake.exitedWith, 143);
  });

  it('are no longer handled after disposal', () => {
    const { fake, stop } = begin();
    stop[Symbol.dispose]();
    assert.equal(fake.listenerCount('SIGTERM'), 0);
  });
});
