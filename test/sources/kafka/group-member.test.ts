import assert from 'node:assert/strict';
import { eventually } from '../../../src/testing/waiting.js';
import { ScriptedSource, statesOf, textsOf } from './scripted-source.js';

describe('A membership in a group of Kafka', () => {
  let world: ScriptedSource;
  beforeEach(() => (world = new ScriptedSource()));
  afterEach(() => world.end());

  /** An error of the client that says whether it joins again by itself. */
  const clientError = (message: string, rejoins: boolean): Error =>
    Object.assign(new Error(message), {
      findBy: (name: string, value: unknown) =>
        rejoins && name === 'needsRejoin' && value === true ? {} : null,
    });

  it('is given up after three commits that failed in a row, and another one commits', async () => {
    world.kafka.failNext('commit', clientError('the coordinator has moved', false), 3);
    const probe = await world.open();
    world.produce('a', 'b');
    await world.passUntil(() => world.kafka.committed.get('t/0') === 2, 'the commit');
    assert.equal(world.kafka.members.length, 2);
    assert.match(statesOf(probe).join('\n'), /waiting .*the coordinator has moved/);
    // Their offsets were not stored, so they come again, and are known by their numbers.
    assert.deepEqual(textsOf(probe), ['a', 'b', 'a', 'b']);
    assert.equal(world.stats()['redeliveredMessages'], 2);
  });

  it('outlives any number of commits that fail because the partitions are shared out again', async () => {
    world.kafka.failNext('commit', clientError('rebalance', true), 10);
    await world.open();
    world.produce('a');
    await world.passUntil(() => world.kafka.committed.get('t/0') === 1, 'the commit');
    assert.equal(world.kafka.members.length, 1);
  });

  it('counts heartbeats that fail in a row, and starts again after one that is answered', async () => {
    const probe = await world.open();
    await eventually(() => world.kafka.members[0]?.assignments);
    const beat = (name: string): unknown =>
      world.kafka.members[0]?.emit(`consumer:heartbeat:${name}`, {
        error: new Error('no answer to a heartbeat'),
      });
    for (const name of ['error', 'error', 'end', 'error', 'error']) beat(name);
    await world.clock.advance(1_000);
    assert.equal(world.kafka.members.length, 1);
    beat('error');
    await world.passUntil(() => world.kafka.members.length === 2, 'a new membership');
    assert.match(statesOf(probe).join('\n'), /no answer to a heartbeat/);
  });

  it('is given up when the cluster does not answer, with the name of the call', async () => {
    world.kafka.failNext('fetch', 'no answer');
    const probe = await world.open();
    world.produce('a');
    await world.passUntil(() => textsOf(probe).length === 1, 'the message', 5_000);
    assert.match(statesOf(probe).join('\n'), /waiting .*fetching: no answer within 20 s/);
  });

  it('joins under its old id if it could not leave', async () => {
    world.kafka.failNext('fetch', new Error('broken'));
    world.kafka.faults.set('leaveGroup', () => new Error('the coordinator is away'));
    await world.open();
    await world.passUntil(() => world.kafka.joinedAs.length === 2, 'another membership');
    world.kafka.failNext('fetch', new Error('broken again'));
    world.kafka.faults.delete('leaveGroup');
    await world.passUntil(() => world.kafka.joinedAs.length === 3, 'a third membership');
    assert.deepEqual(world.kafka.joinedAs, [null, 'member-1', null]);
    assert.ok(world.kafka.members.slice(0, 2).every(({ isClosed }) => isClosed));
  });

  it('says why it cannot join, closes its connections, and waits longer each time', async () => {
    world.kafka.faults.set('joinGroup', () => new Error('the group is full'));
    const probe = await world.open();
    await world.passUntil(() => world.kafka.members.length === 6, 'six attempts', 100);
    assert.ok(world.kafka.members.slice(0, 5).every(({ isClosed }) => isClosed));
    // Once, however often it fails.
    assert.equal(statesOf(probe).length, 2);
    assert.match(statesOf(probe)[1] ?? '', /^waiting kafka:\/\/broker:9092\/t: the group is full/);
    const waitedMs = world.clock.nowMs - 1_795_000_000_000;
    assert.ok(waitedMs > 100 + 200 + 400 + 800, `${waitedMs} ms`);
  });

  it('ends while it joins, and leaves when the answer comes too late', async () => {
    world.kafka.faults.set('joinGroup', () => 'no answer');
    const probe = await world.open();
    await eventually(() => world.kafka.members.length === 1);
    probe.abort();
    await probe.end();
    await world.passUntil(() => world.kafka.member.isClosed, 'the end of its connections', 30_000);
    assert.deepEqual(world.kafka.joinedAs, []);
  });
});
