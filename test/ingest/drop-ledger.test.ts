import assert from 'node:assert/strict';
import { present } from '../../src/core/present.js';
import { DropLedger } from '../../src/ingest/drop-ledger.js';
import { makeChannel, makeMessage } from './ingest-support.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';

describe('Drop ledger', () => {
  it('counts a flood of drops in one gap per channel and reason', () => {
    const drops = new DropLedger(seededBytes());
    const [a, b] = [makeChannel('/a'), makeChannel('/b')];
    const first = makeMessage(a, 10);
    drops.drop(first, 'memory_limit', false);
    for (let i = 0; i < 1000; i++) drops.drop(makeMessage(a, 10), 'memory_limit', false);
    const last = makeMessage(a, 10);
    drops.drop(last, 'memory_limit', false);
    drops.drop(makeMessage(a, 10), 'disk_full', false);
    drops.drop(makeMessage(b, 7), 'memory_limit', false);
    assert.ok(drops.pending);
    const gaps = drops.take();
    assert.ok(!drops.pending);
    assert.deepEqual(
      gaps.map(({ topic, reason, count, bytes }) => [topic, reason, count, bytes]),
      [
        ['/a', 'memory_limit', 1002, 10_020],
        ['/a', 'disk_full', 1, 10],
        ['/b', 'memory_limit', 1, 7],
      ],
    );
    assert.deepEqual([gaps[0]?.firstTime, gaps[0]?.lastTime], [first.receivedAt, last.receivedAt]);
    assert.equal(new Set(gaps.map(({ id }) => id)).size, 3);
    assert.deepEqual(drops.droppedByReason(), { memory_limit: 1003, disk_full: 1 });
  });

  it('does not mix drops of the oldest with drops that leave older ones waiting', () => {
    const drops = new DropLedger(seededBytes());
    const channel = makeChannel('/a');
    drops.drop(makeMessage(channel, 1, 5), 'memory_limit', true);
    drops.drop(makeMessage(channel, 1, 9), 'memory_limit', false);
    assert.deepEqual(
      drops.take().map(({ settledThrough, lastSourceSequence }) => [settledThrough, lastSourceSequence]),
      [
        [5, 5],
        [undefined, 9],
      ],
    );
  });

  it('keeps the times of messages that arrive out of order', () => {
    const drops = new DropLedger(seededBytes());
    const channel = makeChannel('/a');
    for (const receivedAt of [30n, 10n, 20n]) {
      drops.drop({ ...makeMessage(channel, 1), receivedAt }, 'paused', false);
    }
    const [gap] = drops.take();
    assert.deepEqual([gap?.firstTime, gap?.lastTime], [10n, 30n]);
  });

  it('knows how many messages are in gaps that are not written yet', () => {
    const drops = new DropLedger(seededBytes());
    const channel = makeChannel('/a');
    let announced = 0;
    drops.onPending = () => announced++;
    drops.drop(makeMessage(channel, 1), 'memory_limit', false);
    drops.drop(makeMessage(channel, 1), 'memory_limit', false);
    drops.refuse(makeMessage(channel, 1), 'memory_limit');
    drops.add({ reason: 'decimated', robot: 'crab', count: 50 });
    assert.equal(drops.unwritten, 3);
    const gaps = drops.take();
    assert.equal(drops.unwritten, 0);
    announced = 0;
    drops.putBack(gaps);
    assert.deepEqual([drops.unwritten, announced], [3, 1]);
    const again = drops.take();
    assert.deepEqual(new Set(again.map(({ id }) => id)), new Set(gaps.map(({ id }) => id)));
    assert.deepEqual(drops.droppedByReason(), { memory_limit: 3 });
  });

  it('keeps the id of a gap that has one, so that telling it twice counts once', () => {
    const drops = new DropLedger(seededBytes());
    drops.add({ id: 'known', reason: 'source_lost', robot: 'crab', count: 2 });
    drops.add({ reason: 'source_lost', robot: 'crab', count: 2 });
    const [known, made] = drops.take();
    assert.ok(made);
    assert.equal(known?.id, 'known');
    assert.match(made.id, /^[0-9a-f]{32}$/);
  });

  it('reports the losses of 300,000 refused channels of as many robots in few gaps, and counts every message', () => {
    const drops = new DropLedger(seededBytes());
    let most = 0;
    let counted = 0;
    const robots = new Set<string>();
    for (let commit = 0; commit < 3; commit++) {
      for (let i = 0; i < 100_000; i++) {
        const channel = { ...makeChannel(`/c${commit}_${i}`), robot: `robot${commit}_${i}` };
        drops.refuse(makeMessage(channel, 3), 'memory_limit');
      }
      const gaps = drops.take();
      most = Math.max(most, gaps.length);
      counted += gaps.reduce((sum, { count }) => sum + present(count), 0);
      for (const { robot } of gaps) robots.add(robot);
    }
    assert.equal(counted, 300_000);
    assert.ok(most <= 2000, `${most} gaps in one commit`);
    assert.ok(robots.size <= 1000, `${robots.size} robots`);
    assert.deepEqual(drops.droppedByReason(), { memory_limit: 300_000 });
  });

  it('adds up what sources report more topics than gaps are kept, with the first names', () => {
    const drops = new DropLedger(seededBytes());
    for (let i = 0; i < 25_000; i++) {
      drops.add({ reason: 'source_unreadable', robot: 'crab', topic: `/t${i}`, count: 1, bytes: 10 });
    }
    const gaps = drops.take();
    assert.equal(gaps.length, 1001);
    const { detail, ...several } = present(gaps.at(-1));
    assert.deepEqual(
      { ...several, id: '' },
      { id: '', reason: 'source_unreadable', robot: 'crab', count: 24_000, bytes: 240_000 },
    );
    assert.match(present(detail), /^several gaps told as one: \/t1000, \/t1001, .*\/t1019 and more$/);
  });

  it('never adds up a gap that settles the numbers of its topic', () => {
    const drops = new DropLedger(seededBytes());
    for (let i = 0; i < 3000; i++) drops.drop(makeMessage(makeChannel(`/t${i}`), 1, i), 'memory_limit', true);
    assert.equal(drops.take().filter(({ settledThrough }) => settledThrough !== undefined).length, 3000);
  });

  it('stays bounded while nothing can be committed and a source reports gap after gap', () => {
    const drops = new DropLedger(seededBytes());
    for (let i = 0; i < 20_000; i++) {
      drops.add({
        reason: 'source_lost',
        robot: 'crab',
        topic: `/t${i % 10}`,
        count: 2,
        lastTime: BigInt(i),
        settledThrough: i,
      });
    }
    drops.add({ reason: 'source_lost', robot: 'crab', topic: '/t0' });
    const gaps = drops.take();
    assert.ok(gaps.length < 5000, `${gaps.length} gaps`);
    const counted = gaps
      .filter(({ topic }) => topic === '/t1')
      .reduce((sum, { count }) => sum + present(count), 0);
    assert.equal(counted, 4000);
    assert.equal(
      Math.max(...gaps.filter(({ topic }) => topic === '/t1').map((gap) => present(gap.settledThrough))),
      19_991,
    );
    assert.equal(gaps.filter(({ topic, count }) => topic === '/t0' && count === undefined).length, 1);
    assert.ok(!gaps.some((gap) => 'bytes' in gap || 'firstTime' in gap));
  });
});
