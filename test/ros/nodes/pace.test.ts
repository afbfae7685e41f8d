import assert from 'node:assert/strict';
import { Pace, type PaceTimers } from '../../../src/app/ros/pace.js';

/** Time that passes when told to. */
class FakeTimers implements PaceTimers {
  now = 0;
  #due: { at: number; call: () => void }[] = [];

  nowMs(): number {
    return this.now;
  }

  after(ms: number, call: () => void): () => void {
    const one = { at: this.now + ms, call };
    this.#due.push(one);
    return () => (this.#due = this.#due.filter((other) => other !== one));
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.#due.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due = this.#due.filter((other) => other !== next);
      this.now = next.at;
      next.call();
    }
    this.now = end;
  }
}

describe('the pace of a status topic', () => {
  const begin = (): { timers: FakeTimers; times: number[]; pace: Pace } => {
    const timers = new FakeTimers();
    const times: number[] = [];
    const pace = new Pace(() => times.push(timers.now), 100, 1_000, timers);
    return { timers, times, pace };
  };

  it('is once a second without any change', () => {
    const { timers, times } = begin();
    timers.pass(3_500);
    assert.deepEqual(times, [0, 1_000, 2_000, 3_000]);
  });

  it('is at once on a change, and counts the second from there', () => {
    const { timers, times, pace } = begin();
    timers.pass(450);
    pace.poke();
    timers.pass(1_100);
    assert.deepEqual(times, [0, 450, 1_450]);
  });

  it('makes one of a storm of changes, the last of them included', () => {
    const { timers, times, pace } = begin();
    for (let i = 0; i < 55; i++) {
      timers.pass(10);
      pace.poke();
    }
    timers.pass(100);
    assert.deepEqual(times, [0, 100, 200, 300, 400, 500, 600]);
  });

  it('ends when disposed of, and continues after a throw', () => {
    const timers = new FakeTimers();
    let calls = 0;
    const pace = new Pace(
      () => {
        calls++;
        throw new Error('no');
      },
      100,
      1_000,
      timers,
    );
    assert.throws(() => timers.pass(0));
    assert.throws(() => timers.pass(1_000));
    pace[Symbol.dispose]();
    pace.poke();
    timers.pass(5_000);
    assert.equal(calls, 2);
  });
});
