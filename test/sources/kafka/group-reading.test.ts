import assert from 'node:assert/strict';
import { idle } from '../../../src/testing/source-probe.js';
import { eventually } from '../../../src/testing/waiting.js';
import { gapsOf, ScriptedSource, statesOf, textsOf } from './scripted-source.js';

describe('Reading the partitions of a group', () => {
  let world: ScriptedSource;
  beforeEach(() => (world = new ScriptedSource()));
  afterEach(() => world.end());

  it('begins at the offset of the group, or where the address says', async () => {
    world.produce('a', 'b', 'c');
    const first = await world.open('&from=latest');
    await world.passUntil(() => world.kafka.committed.get('t/0') === 3, 'the place');
    world.produce('d');
    await eventually(() => textsOf(first).length === 1);
    await world.passUntil(() => world.kafka.committed.get('t/0') === 4, 'the commit');
    first.unsubscribe();
    world.produce('e');
    const second = await world.open('&from=earliest');
    await eventually(() => textsOf(second).length === 1);
    assert.deepEqual([textsOf(first), textsOf(second)], [['d'], ['e']]);
  });

  it('makes a gap of offsets that the cluster deleted', async () => {
    world.produce('a', 'b', 'c', 'd');
    world.kafka.committed.set('t/0', 1);
    world.kafka.partition('t').earliest = 3;
    const probe = await world.open();
    await eventually(() => textsOf(probe).length === 1);
    const [gap] = gapsOf(probe);
    assert.deepEqual(
      [gap?.reason, gap?.count, gap?.firstSourceSequence, gap?.lastSourceSequence],
      ['missed_while_down', 2, 1, 2],
    );
  });

  it('joins again when an offset is out of range, and then knows the gap', async () => {
    world.produce('a', 'b');
    const probe = await world.open();
    await eventually(() => textsOf(probe).length === 2);
    await world.passUntil(() => world.kafka.committed.get('t/0') === 2, 'the commit');
    world.kafka.produce('t', [{ value: 'c' }, { value: 'd' }, { value: 'e' }]);
    world.kafka.partition('t').earliest = 4;
    await world.passUntil(() => textsOf(probe).includes('e'), 'what is left');
    const lost = gapsOf(probe).reduce((sum, { count = 0 }) => sum + count, 0);
    // Messages that it fetched before they were deleted are not missing.
    assert.equal(textsOf(probe).length + lost, 5);
    assert.equal(new Set(textsOf(probe)).size, textsOf(probe).length);
  });

  it('warns when the cluster has fewer messages than the group has read, and continues at its end', async () => {
    world.kafka.committed.set('t/0', 9);
    world.produce('a');
    const probe = await world.open();
    await eventually(() => world.lines.some(({ event }) => event.includes('has lost messages')));
    world.produce('b');
    await eventually(() => textsOf(probe).length === 1);
    assert.deepEqual(textsOf(probe), ['b']);
  });

  it('reads new partitions, and a topic that was made again', async () => {
    world.produce('a');
    const probe = await world.open();
    await eventually(() => textsOf(probe).length === 1);
    world.kafka.topics.get('t')?.partitions.push({ leader: 2, earliest: 0, records: [{ value: 'b' }] });
    await world.passUntil(() => textsOf(probe).includes('b'), 'a message of the new partition', 5_000);
    assert.match(statesOf(probe).join('\n'), /the topics have 2 partitions now/);
    world.kafka.create('t');
    world.kafka.committed.clear();
    world.produce('c');
    await world.passUntil(() => textsOf(probe).includes('c'), 'a message of the new topic', 5_000);
    const numberings = new Set(probe.channels.map(({ numberedIn }) => numberedIn));
    assert.deepEqual(
      [...numberings],
      ['kafka:t@id-t-first/0', 'kafka:t@id-t-first/1', 'kafka:t@id-t-again/0'],
    );
  });

  it('leaves partitions to another member, and forgets how far behind it was there', async () => {
    world.end();
    world = new ScriptedSource(2);
    const probe = await world.open();
    world.kafka.produce('t', [{ value: 'a' }], 0);
    world.kafka.produce('t', [{ value: 'b' }], 1);
    await eventually(() => textsOf(probe).length === 2);
    world.kafka.member.share((partition) => partition === 0);
    await world.clock.advance(0);
    await idle();
    world.kafka.produce('t', [{ value: 'not ours' }], 1);
    world.kafka.produce('t', [{ value: 'c' }], 0);
    await eventually(() => textsOf(probe).length === 3);
    assert.deepEqual(textsOf(probe).sort(), ['a', 'b', 'c']);
    world.kafka.member.share(() => false);
    await idle();
    assert.equal(world.stats()['lagMessages'], undefined);
  });

  it('fetches a message again that the recorder did not take within a minute', async () => {
    world.produce('a', 'b');
    let isTaking = false;
    const probe = await world.open(
      '',
      {},
      {
        onEvent: (one) => {
          if (one.kind === 'message' && isTaking) one.ack?.();
        },
      },
    );
    await eventually(() => textsOf(probe).length === 2);
    await world.clock.advance(30_000);
    await idle();
    assert.equal(textsOf(probe).length, 2);
    isTaking = true;
    await world.passUntil(() => world.kafka.committed.get('t/0') === 2, 'the commit', 5_000);
    assert.deepEqual(textsOf(probe), ['a', 'b', 'a', 'b']);
    assert.equal(world.stats()['redeliveredMessages'], 2);
  });

  it('fetches nothing while the recorder takes no messages', async () => {
    let resume = (): void => undefined;
    let ready: Promise<void> | undefined = new Promise((resolve) => (resume = resolve));
    world.produce('a');
    const probe = await world.open('', { flow: { whenReady: () => ready } });
    await eventually(() => statesOf(probe).includes('open'));
    await idle();
    assert.equal(world.kafka.member.fetches, 0);
    ready = undefined;
    resume();
    await eventually(() => textsOf(probe).length === 1);
  });

  it('ends in the middle of an answer, and stores the offset of what is still committed', async () => {
    world.produce('a', 'b', 'c');
    const acknowledge: (() => void)[] = [];
    const probe = await world.open(
      '',
      {},
      {
        onEvent: (one, self) => {
          if (one.kind !== 'message') return;
          if (one.ack) acknowledge.push(one.ack);
          if (self.messages.length === 2) self.abort();
        },
      },
    );
    await probe.end();
    assert.deepEqual(textsOf(probe), ['a', 'b']);
    for (const one of acknowledge.reverse()) one();
    await world.passUntil(() => world.kafka.member.isClosed, 'the end of the membership');
    assert.equal(world.kafka.committed.get('t/0'), 2);
  });
});
