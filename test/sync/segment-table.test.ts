import assert from 'node:assert/strict';
import type { Priority } from '../../src/core/message.js';
import { SegmentTable, type SegmentEntry } from '../../src/sync/segment-table.js';
import type { SyncOptions } from '../../src/sync/sync-options.js';

function entry(name: string, priority: Priority = 'normal'): SegmentEntry {
  return { name, robot: 'r', bytes: 10, priority, fresh: false, state: 'pending', turns: 0 };
}

function takeAll(order: SyncOptions['order'], entries: SegmentEntry[], first: string[] = []): string[] {
  const table = new SegmentTable(order);
  for (const one of entries) table.add(one);
  table.putFirst(first);
  const names: string[] = [];
  for (let next = table.takeNext(0n); next; next = table.takeNext(0n)) names.push(next.name);
  return names;
}

describe('segment table', () => {
  it('gives the oldest first, the newest first, or the highest priority first', () => {
    const entries = (): SegmentEntry[] => [
      entry('2', 'low'),
      entry('1'),
      entry('3', 'high'),
      entry('4', 'high'),
    ];
    assert.deepEqual(takeAll('oldest-first', entries()), ['1', '2', '3', '4']);
    assert.deepEqual(takeAll('newest-first', entries()), ['4', '3', '2', '1']);
    assert.deepEqual(takeAll('priority', entries()), ['3', '4', '1', '2']);
  });

  it('puts named segments before all others', () => {
    const entries = [entry('1'), entry('2'), entry('3'), entry('4')];
    assert.deepEqual(takeAll('oldest-first', entries, ['4', '3']), ['3', '4', '1', '2']);
  });

  it('holds back what failed until it is due, and nothing else', () => {
    const table = new SegmentTable('oldest-first');
    const failed = entry('1');
    table.add(failed);
    table.add(entry('2'));
    assert.equal(table.takeNext(0n), failed);
    table.move(failed, 'pending', 50n);
    assert.equal(table.takeNext(0n)?.name, '2');
    assert.equal(table.takeNext(49n), undefined);
    assert.equal(table.nextDueAt, 50n);
    assert.equal(table.takeNext(50n), failed);
  });

  it('keeps the totals in step with every move', () => {
    const table = new SegmentTable('oldest-first');
    const [a, b] = [entry('1'), entry('2')];
    table.add(a);
    table.add(b);
    table.takeNext(0n);
    table.move(a, 'verified');
    table.remove(b);
    assert.deepEqual(table.totals.verified, { segments: 1, bytes: 10 });
    assert.deepEqual(table.totals.pending, { segments: 0, bytes: 0 });
    assert.equal(table.takeNext(0n), undefined, 'a removed segment is not given out');
  });

  it('takes fifty thousand segments without a second look at each', () => {
    const table = new SegmentTable('newest-first');
    for (let n = 0; n < 50_000; n++) table.add(entry(String(n).padStart(12, '0')));
    let taken = 0;
    while (table.takeNext(0n)) taken++;
    assert.equal(taken, 50_000);
  });
});
