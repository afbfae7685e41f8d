import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '../../../src/host/system-clock.js';
import { ReadTurns, type Pausable } from '../../../src/uplink/link/read-turns.js';

/** Longer than messages may take in one turn. */
const TOO_LONG_NS = 60_000_000n;

describe('Turns of reading', () => {
  let now: bigint;
  let turns: ReadTurns;
  /** What happened, in order: `+3` for a connection that reads again, `-3` for one that pauses. */
  let log: string[];

  const connection = (number: number): Pausable => {
    const one = { pause: () => log.push(`-${number}`), resume: () => log.push(`+${number}`) };
    turns.add(one);
    return one;
  };

  beforeEach(() => {
    now = 0n;
    log = [];
    turns = new ReadTurns({ monotonic: () => now, soon: (run) => systemClock.soon(run) });
  });

  it('leave connections alone whose messages take little time', async () => {
    const [one, two] = [connection(1), connection(2)];
    for (let turn = 0; turn < 3; turn++) {
      turns.took(one);
      now += 10_000_000n;
      turns.took(two);
      await nextTurn();
    }
    assert.deepEqual(log, []);
  });

  it('pause all when messages take too long, and begin again with those that had no turn', async () => {
    const [one, two] = [1, 2, 3, 4].map(connection) as [Pausable, Pausable];
    turns.took(one);
    now += TOO_LONG_NS;
    turns.took(two);
    assert.deepEqual(log, ['-1', '-2', '-3', '-4']);
    log = [];
    await nextTurn();
    assert.deepEqual(log, ['+3', '+4', '+1', '+2']);
  });

  it('let a few read again in each turn, so that everything else has its own between them', async () => {
    const [one] = Array.from({ length: 150 }, (_, i) => connection(i)) as [Pausable];
    turns.took(one);
    now += TOO_LONG_NS;
    turns.took(one);
    log = [];
    const resumed: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      resumed.push(log.length);
    }
    assert.deepEqual(resumed, [64, 128, 150]);
    assert.equal(log.at(-1), '+0', 'the one that had its turn is the last');
  });

  it('keep the place of connections that wait, when those that read take too long again', async () => {
    const all = Array.from({ length: 100 }, (_, i) => connection(i));
    const [first, greedy] = all as [Pausable, Pausable];
    turns.took(first);
    now += TOO_LONG_NS;
    turns.took(first);
    await nextTurn();
    // 1 to 64 read again; one of them uses up the turn.
    now += TOO_LONG_NS;
    log = [];
    turns.took(greedy);
    assert.equal(log.filter((line) => line.startsWith('-')).length, 64);
    log = [];
    await nextTurn();
    await nextTurn();
    assert.equal(log[0], '+2', 'it had no turn');
    assert.deepEqual(log.slice(-2), ['+0', '+1']);
  });

  it('never touch a connection that has ended', async () => {
    const [one, two] = [connection(1), connection(2)];
    turns.took(one);
    now += TOO_LONG_NS;
    turns.took(one);
    turns.remove(two);
    log = [];
    await nextTurn();
    assert.deepEqual(log, ['+1']);
    turns.remove(one);
    turns.remove(one);
    turns.took(one);
    now += TOO_LONG_NS;
    turns.took(one);
    assert.deepEqual(log, ['+1']);
  });
});
