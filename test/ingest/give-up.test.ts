import assert from 'node:assert/strict';
import type { Gap } from '../../src/core/gap.js';
import type { Message } from '../../src/core/message.js';
import type { Batch } from '../../src/ingest/batch.js';
import { giveUp, type GiveUpParts, type Uncommitted } from '../../src/ingest/give-up.js';
import { makeBuffer, makeChannel, makeMessage } from './ingest-support.js';

const [a, b] = [makeChannel('/a'), makeChannel('/b')];
const earlier: Gap = {
  id: 'earlier',
  reason: 'queue_full_drop_oldest',
  robot: 'crab',
  topic: '/a',
  count: 7,
};

function left(messages: readonly Message[], gaps: readonly Gap[] = []): Uncommitted {
  return { messages, gaps, others: [], oldestAt: 5n };
}

describe('Giving up uncommitted messages', () => {
  function parts(more: Partial<GiveUpParts> = {}): GiveUpParts & { readonly commits: Batch[] } {
    const commits: Batch[] = [];
    const commit = (batch: Batch): Promise<void> => {
      commits.push(batch);
      return Promise.resolve();
    };
    const made = makeBuffer();
    for (const channel of [a, b]) made.buffer.queueOf(channel);
    return { ...made, commit, isKept: ({ ack }) => ack !== undefined, commits, ...more };
  }
  const counted = (gaps: readonly Gap[]): unknown[] =>
    gaps.map(({ topic, reason, count, bytes }) => [topic, reason, count, bytes]);

  it('commits one gap per channel in their place, beside the gaps that waited', async () => {
    const { commits, ...given } = parts();
    given.buffer.stalledBy = 'disk_full';
    const messages = [makeMessage(a, 10, 3), makeMessage(b, 1), makeMessage(a, 20, 4)];
    const batch = await giveUp(left(messages, [earlier]), given);
    assert.deepEqual(commits, [batch]);
    assert.deepEqual([batch.messages, batch.bytes, batch.oldestAt], [[], 0, 5n]);
    assert.deepEqual(counted(batch.gaps), [
      ['/a', 'queue_full_drop_oldest', 7, undefined],
      ['/a', 'disk_full', 2, 30],
      ['/b', 'disk_full', 1, 1],
    ]);
    assert.equal(batch.gaps[0]?.id, 'earlier');
    const { firstSourceSequence, lastSourceSequence, settledThrough } = batch.gaps[1] as Gap;
    assert.deepEqual([firstSourceSequence, lastSourceSequence, settledThrough], [3, 4, 4]);
    assert.deepEqual(
      [given.buffer.knownQueue(a)?.dropped, given.buffer.knownQueue(b)?.dropped, given.drops.unwritten],
      [2, 1, 0],
    );
  });

  it('names the failed commits if the disk was not full', async () => {
    const batch = await giveUp(left([makeMessage(a, 10)]), parts());
    assert.deepEqual(counted(batch.gaps), [['/a', 'commit_failed', 1, 10]]);
  });

  it('counts no message that its source keeps, and returns all lent memory', async () => {
    const given = parts();
    let released = 0;
    const lease = { release: () => released++ };
    const messages = [
      { ...makeMessage(a, 10), lease, ack: () => undefined },
      { ...makeMessage(a, 10), lease },
    ];
    const batch = await giveUp(left(messages), given);
    assert.deepEqual(counted(batch.gaps), [['/a', 'commit_failed', 1, 10]]);
    assert.equal(released, 2);
  });

  it('commits nothing if nothing is lost', async () => {
    const given = parts();
    await giveUp(left([{ ...makeMessage(a, 10), ack: () => undefined }]), given);
    assert.deepEqual(given.commits, []);
  });

  it('keeps the gaps in the ledger, under their ids, if the disk refuses them too', async () => {
    const given = parts({ commit: () => Promise.reject(new Error('no space')) });
    await assert.rejects(giveUp(left([makeMessage(a, 10)], [earlier]), given), /no space/);
    assert.equal(given.drops.unwritten, 8);
    const gaps = given.drops.take();
    assert.deepEqual(counted(gaps), [
      ['/a', 'queue_full_drop_oldest', 7, undefined],
      ['/a', 'commit_failed', 1, 10],
    ]);
    assert.equal(gaps[0]?.id, 'earlier');
  });

  it('fails after the gaps are written if records that no gap can count are lost', async () => {
    const given = parts();
    const metadata = { kind: 'metadata', name: 'n', metadata: {} } as const;
    const lost = { ...left([makeMessage(a, 10)]), others: [{ robot: 'crab', record: metadata }] };
    await assert.rejects(giveUp(lost, given), /1 records that are not messages/);
    assert.equal(given.commits.length, 1);
    assert.equal(given.drops.unwritten, 0);
  });
});
