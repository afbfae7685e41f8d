import assert from 'node:assert/strict';
import type { Subscription } from 'rclnodejs';
import { BusyTopics, type PacedLine } from '../../../src/sources/ros/busy-topics.js';
import type { RosSession } from '../../../src/sources/ros/ros-session.js';
import { SimulatedClock } from '../../support/simulated-clock.js';

const SECOND = 1_000_000_000n;

/** A subscription with a queue in place of the middleware. */
class FakeLine implements PacedLine {
  readonly subscription = {} as Subscription;
  wakes = 0;
  taken = 0;
  isPolled = false;
  waiting = 0;
  polls = 0;

  poll(): void {
    this.polls++;
    this.taken += this.waiting;
    this.waiting = 0;
  }
}

describe('A busy topic', () => {
  let lines: FakeLine[];
  let node: { _subscriptions: Subscription[] };
  let syncs: number;
  let busy: BusyTopics;
  let time: SimulatedClock;
  beforeEach(() => {
    time = new SimulatedClock();
    lines = [new FakeLine(), new FakeLine()];
    node = { _subscriptions: lines.map(({ subscription }) => subscription) };
    syncs = 0;
    const create = (work: (node: unknown) => void): void => {
      syncs++;
      work(node);
    };
    busy = new BusyTopics({ isClosed: false, create } as unknown as RosSession, time, () => undefined);
    busy.review(lines, SECOND);
  });
  afterEach(() => busy.close());

  const makeBusy = (line: FakeLine): void => {
    line.wakes = line.taken = 1_000;
    busy.review(lines, 2n * SECOND);
  };

  it('is waited for no longer but polled, and the others are waited for as before', () => {
    const [flood, calm] = lines as [FakeLine, FakeLine];
    calm.wakes = calm.taken = 100;
    flood.waiting = 7;
    makeBusy(flood);
    assert.deepEqual([flood.isPolled, calm.isPolled], [true, false]);
    assert.deepEqual(node._subscriptions, [calm.subscription]);
    // What had come by then is taken at once, and what comes later by the timer.
    assert.equal(flood.waiting, 0);
    flood.waiting = 5;
    time.pass(2);
    assert.equal(flood.waiting, 0);
    assert.equal(calm.polls, 0);
  });

  it('is waited for again once it has calmed down, and loses nothing in between', () => {
    const [flood, calm] = lines as [FakeLine, FakeLine];
    makeBusy(flood);
    flood.taken = 1_000;
    busy.review(lines, 3n * SECOND);
    assert.equal(flood.isPolled, true, 'still busy by what it takes, though it has no wake-ups');
    flood.taken = 100;
    flood.waiting = 3;
    busy.review(lines, 4n * SECOND);
    assert.equal(flood.isPolled, false);
    assert.deepEqual(node._subscriptions, [calm.subscription, flood.subscription]);
    assert.equal(flood.waiting, 0);
  });

  it('costs nothing while none is busy, and the node takes notice only of changes', () => {
    for (let second = 2n; second < 10n; second++) busy.review(lines, second * SECOND);
    assert.equal(syncs, 0);
    assert.equal(time.pending, 0);
    assert.deepEqual(
      lines.map(({ polls }) => polls),
      [0, 0],
    );
  });

  it('is polled no more once it is closed', () => {
    const [flood] = lines as [FakeLine];
    makeBusy(flood);
    busy.review([lines[1]!], 3n * SECOND);
    const { polls } = flood;
    assert.equal(time.pending, 0);
    time.pass(10);
    assert.equal(flood.polls, polls);
  });

  it('is not judged by less than a quarter of a second', () => {
    const [flood] = lines as [FakeLine];
    flood.wakes = flood.taken = 1_000;
    busy.review(lines, SECOND + SECOND / 10n);
    assert.deepEqual([flood.isPolled, flood.wakes], [false, 1_000]);
  });
});
