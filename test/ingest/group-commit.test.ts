import assert from 'node:assert/strict';
import { Subject } from 'rxjs';
import type { Message } from '../../src/core/message.js';
import type { SourceGap } from '../../src/core/source.js';
import type { Batch, BatchLimits } from '../../src/ingest/batch.js';
import type { Uncommitted } from '../../src/ingest/give-up.js';
import { groupCommit, type GroupCommitOptions } from '../../src/ingest/group-commit.js';
import { drain, makeBuffer, makeChannel, makeMessage } from './ingest-support.js';
import { SimulatedClock } from '../support/simulated-clock.js';

const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

describe('Group commit', () => {
  let time: SimulatedClock;
  const channel = makeChannel('/a');
  let input: Subject<Message | SourceGap>;
  let commits: { batch: Batch; done: () => void; fail: (error: unknown) => void }[];
  let upcoming: Batch[];
  let seen: string[];

  beforeEach(() => {
    time = new SimulatedClock();
  });

  function start(
    limits: Partial<BatchLimits> = {},
    bufferSetup: Parameters<typeof makeBuffer>[0] = {},
    more: Pick<Partial<GroupCommitOptions>, 'giveUp'> = {},
  ) {
    input = new Subject();
    commits = [];
    upcoming = [];
    seen = [];
    const made = makeBuffer({ limits: { totalMaxBytes: 1e6 }, queueMaxBytes: 1e6, ...bufferSetup });
    const subscription = input
      .pipe(
        groupCommit({
          ...made,
          limits: { maxBytes: 1000, maxCount: 10, maxAgeMs: 50, ...limits },
          clock: time,
          commit: (batch) => new Promise((done, fail) => commits.push({ batch, done, fail })),
          upcoming: (batch) => upcoming.push(batch),
          ...more,
        }),
      )
      .subscribe({
        next: (batch) => seen.push(`committed ${batch.messages.length}`),
        error: (error: Error) => seen.push(`error ${error.message}`),
        complete: () => seen.push('complete'),
      });
    return { ...made, subscription };
  }

  const push = (count: number, size = 10): void => {
    for (let i = 0; i < count; i++) input.next(makeMessage(channel, size));
  };
  const sizes = (): number[] => commits.map(({ batch }) => batch.messages.length);

  it('closes a batch on its count', async () => {
    start();
    push(9);
    await settled();
    assert.deepEqual(sizes(), []);
    push(1);
    await settled();
    assert.deepEqual(sizes(), [10]);
  });

  it('closes a batch on its bytes', () => {
    start();
    push(1, 999);
    assert.deepEqual(sizes(), []);
    push(1, 1);
    assert.deepEqual(sizes(), [2]);
    assert.equal(commits[0]?.batch.bytes, 1000);
  });

  it('closes a batch on the age of its first message', async () => {
    start();
    push(1);
    await time.advance(30);
    push(1);
    await time.advance(19);
    assert.deepEqual(sizes(), []);
    await time.advance(1);
    assert.deepEqual(sizes(), [2]);
    assert.equal(commits[0]?.batch.oldestAt, 0n);
  });

  it('fills the next batch while a commit is in flight, and starts it at once when due', async () => {
    start();
    push(10);
    push(25);
    await settled();
    assert.deepEqual(sizes(), [10], 'one commit at a time');
    commits[0]!.done();
    await settled();
    assert.deepEqual(sizes(), [10, 10]);
    commits[1]!.done();
    await settled();
    assert.deepEqual(sizes(), [10, 10, 10]);
    commits[2]!.done();
    await settled();
    assert.deepEqual(sizes(), [10, 10, 10], 'five left are not due yet');
    await time.advance(50);
    assert.deepEqual(sizes(), [10, 10, 10, 5]);
  });

  it('names a full batch while the commit before it is under way, and commits just that one next', async () => {
    start();
    push(19);
    await settled();
    assert.equal(upcoming.length, 0, 'nine could still become ten');
    push(1);
    await settled();
    assert.deepEqual(
      upcoming.map(({ messages }) => messages.length),
      [10],
    );
    push(15);
    await settled();
    assert.equal(upcoming.length, 1, 'one at a time');
    assert.deepEqual(sizes(), [10]);
    commits[0]!.done();
    await settled();
    assert.equal(commits[1]!.batch, upcoming[0]);
    assert.equal(upcoming.length, 2, 'the next one was full already');
    commits[1]!.done();
    await settled();
    assert.equal(commits[2]!.batch, upcoming[1]);
  });

  it('commits its content when the input ends', async () => {
    start();
    push(23);
    input.complete();
    await settled();
    assert.equal(upcoming.length, 1);
    for (let i = 0; i < 3; i++) {
      commits[i]!.done();
      await settled();
    }
    assert.deepEqual(sizes(), [10, 10, 3]);
    assert.equal(seen.at(-1), 'complete');
  });

  it('commits messages next that reached their age during a commit', async () => {
    start();
    push(10);
    push(1);
    await time.advance(200);
    assert.deepEqual(sizes(), [10]);
    commits[0]!.done();
    await settled();
    assert.deepEqual(sizes(), [10, 1]);
  });

  it('never claims messages left behind to be younger than they are', async () => {
    start();
    await time.advance(7);
    push(12);
    assert.equal(commits[0]?.batch.oldestAt, 7_000_000n);
    await time.advance(20);
    commits[0].done();
    await settled();
    await time.advance(30);
    assert.equal(commits[1]?.batch.oldestAt, 7_000_000n);
    assert.deepEqual(sizes(), [10, 2]);
  });

  it('completes only after the last commit', async () => {
    start();
    push(13);
    input.complete();
    await settled();
    assert.deepEqual(seen, []);
    commits[0]!.done();
    await settled();
    assert.deepEqual(seen, ['committed 10']);
    assert.deepEqual(sizes(), [10, 3]);
    commits[1]!.done();
    await settled();
    assert.deepEqual(seen, ['committed 10', 'committed 3', 'complete']);
    assert.equal(time.pending, 0);
  });

  it('completes at once if nothing ever came', async () => {
    start();
    input.complete();
    await settled();
    assert.deepEqual(seen, ['complete']);
  });

  it('commits its content before it passes on an error of the input', async () => {
    start();
    push(3);
    input.error(new Error('source broke'));
    await settled();
    assert.deepEqual(sizes(), [3]);
    assert.deepEqual(seen, []);
    commits[0]!.done();
    await settled();
    assert.deepEqual(seen, ['committed 3', 'error source broke']);
  });

  it('ends with the error of a commit', async () => {
    start();
    push(10);
    commits[0]!.fail(new Error('disk gone'));
    await settled();
    assert.deepEqual(seen, ['error disk gone']);
    push(10);
    await settled();
    assert.equal(commits.length, 1);
  });

  describe('gives up after a failed commit', () => {
    const gapsOnly: Batch = { messages: [], gaps: [], bytes: 0, oldestAt: 0n };
    let left: Uncommitted[];
    beforeEach(() => (left = []));
    const takeLeft = (uncommitted: Uncommitted): Promise<Batch> => {
      left.push(uncommitted);
      return Promise.resolve(gapsOnly);
    };

    it('everything it has taken in, in order, and completes', async () => {
      const { buffer, drops } = start({}, { queueMaxBytes: 150 }, { giveUp: takeLeft });
      const sent = Array.from({ length: 35 }, () => makeMessage(channel, 10));
      for (const message of sent) input.next(message);
      await settled();
      assert.equal(upcoming.length, 1, 'a batch is ready beside the one under way');
      assert.equal(buffer.messages, 15);
      drops.drop(makeMessage(channel, 1), 'paused', false);
      commits[0]!.fail(new Error('disk gone'));
      await settled();
      assert.equal(left.length, 1);
      assert.deepEqual(left[0]!.messages, sent);
      assert.deepEqual(
        left[0]!.gaps.map(({ reason, count }) => [reason, count]),
        [['paused', 1]],
      );
      assert.deepEqual(seen, ['committed 0', 'complete']);
      assert.deepEqual([buffer.messages, drops.pending, time.pending], [0, false, 0]);
    });

    it('and passes on the error of the commit if that fails too', async () => {
      start({}, {}, { giveUp: () => Promise.reject(new Error('no space for gaps')) });
      push(10);
      commits[0]!.fail(new Error('disk gone'));
      await settled();
      assert.deepEqual(seen, ['error disk gone']);
    });

    it('and passes on an error of the input', async () => {
      start({}, {}, { giveUp: takeLeft });
      push(3);
      input.error(new Error('source broke'));
      await settled();
      commits[0]!.fail(new Error('disk gone'));
      await settled();
      assert.deepEqual(seen, ['committed 0', 'error source broke']);
    });
  });

  it('commits gaps that an earlier stream left, even if nothing follows', async () => {
    const { drops, subscription } = start();
    subscription.unsubscribe();
    drops.putBack([{ id: 'left', reason: 'disk_full', robot: 'crab', count: 4 }]);
    groupCommit({
      ...{ drops, buffer: makeBuffer().buffer, clock: time },
      limits: { maxBytes: 1000, maxCount: 10, maxAgeMs: 50 },
      commit: (batch) => new Promise((done, fail) => commits.push({ batch, done, fail })),
    })(input).subscribe();
    await time.advance(1000);
    assert.deepEqual(
      commits[0]?.batch.gaps.map(({ id }) => id),
      ['left'],
    );
  });

  it('commits gaps without messages', async () => {
    start();
    input.next({ kind: 'gap', gap: { reason: 'source_lost', robot: 'crab', count: 4 } });
    await time.advance(50);
    assert.deepEqual(commits[0]?.batch.messages, []);
    assert.equal(commits[0].batch.gaps[0]?.count, 4);
    commits[0].done();
    input.complete();
    await settled();
    assert.deepEqual(seen, ['committed 0', 'complete']);
  });

  it('takes the drops along with the next commit', async () => {
    const { drops } = start({}, { queueMaxBytes: 25 });
    push(5);
    await time.advance(50);
    assert.equal(commits[0]?.batch.messages.length, 2);
    assert.deepEqual(
      commits[0].batch.gaps.map(({ reason, count }) => [reason, count]),
      [['queue_full_drop_oldest', 3]],
    );
    assert.ok(!drops.pending);
  });

  it('commits drops by themselves within a second if no message follows', async () => {
    const { drops } = start();
    drops.drop(makeMessage(channel, 10), 'paused', true);
    await time.advance(999);
    assert.equal(commits.length, 0);
    await time.advance(1);
    assert.deepEqual(
      commits[0]?.batch.gaps.map(({ reason, count }) => [reason, count]),
      [['paused', 1]],
    );
    commits[0].done();
    await settled();
    assert.equal(time.pending, 0);
  });

  it('stops without a subscriber, and leaves no timer', async () => {
    const { subscription, buffer } = start();
    push(15);
    subscription.unsubscribe();
    commits[0]!.done();
    await settled();
    assert.equal(commits.length, 1);
    assert.equal(time.pending, 0);
    assert.equal(input.observed, false);
    assert.equal(drain(buffer).length, 5);
  });
});
