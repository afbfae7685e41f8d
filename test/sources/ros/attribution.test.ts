import assert from 'node:assert/strict';
import { TellingReceiver, UNKNOWN, driver, setUp, type Endpoint } from './fake-domain.js';

const A = 'aa'.repeat(16);
const B = 'bb'.repeat(16);
const SIMULATOR = 'cc'.repeat(16);

const LOST = 'the middleware lost messages on their way';

const of = (namespace: string, gid: string): Endpoint => ({ ...driver(namespace), gid });

function setUpFleet() {
  const receiver = new TellingReceiver();
  return { ...setUp({ receiver }), receiver };
}

describe('A message on a topic that several robots publish', () => {
  it('is recorded for the robot whose node published it alone', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.topics.set('/tf', [of('/r1', A), of('/r2', B)]);
    await poll();
    receiver.publish('/tf', '1', A);
    receiver.publish('/tf', '2', B);
    receiver.publish('/tf', '3', A);
    assert.deepEqual(messages(), ['r1 /tf 1', 'r2 /tf 2', 'r1 /tf 3']);
  });

  it('is recorded for all of them if its publisher belongs to no robot', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.topics.set('/tf', [of('/r1', A), of('/r2', B), of('/', SIMULATOR)]);
    await poll();
    receiver.publish('/tf', '1', SIMULATOR);
    assert.deepEqual(messages(), ['r1 /tf 1', 'r2 /tf 1']);
  });

  it('waits for the graph to show its publisher, while the messages of others do not', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.topics.set('/tf', [of('/r1', A)]);
    await poll();
    receiver.publish('/tf', 'early', B);
    receiver.publish('/tf', '1', A);
    assert.deepEqual(messages(), ['r1 /tf 1']);
    ros.topics.set('/tf', [of('/r1', A), { ...UNKNOWN, gid: B }]);
    await poll();
    receiver.publish('/tf', 'nameless', B);
    receiver.publish('/tf', '2', A);
    assert.deepEqual(messages(), ['r1 /tf 1', 'r1 /tf 2']);
    ros.topics.set('/tf', [of('/r1', A), of('/r2', B)]);
    await poll();
    receiver.publish('/tf', 'late', B);
    const ofB = ['early', 'nameless', 'late'].map((text) => `r2 /tf ${text}`);
    assert.deepEqual(messages(), ['r1 /tf 1', 'r1 /tf 2', ...ofB]);
  });

  it('is recorded for all of them if the graph does not show its publisher for three seconds, and the next at once', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.topics.set('/tf', [of('/r1', A), of('/r2', B)]);
    await poll();
    receiver.publish('/tf', '1', 'dd'.repeat(16));
    await poll(2_900);
    assert.deepEqual(messages(), []);
    await poll(100);
    receiver.publish('/tf', '2', 'dd'.repeat(16));
    const expected = ['1', '2'].flatMap((text) => ['r1', 'r2'].map((robot) => `${robot} /tf ${text}`));
    assert.deepEqual(messages(), expected);
  });

  it('is recorded when the recording ends while it waits, and when the topic leaves the graph', async () => {
    const ending = setUpFleet();
    ending.ros.topics.set('/tf', [of('/r1', A)]);
    await ending.poll();
    ending.receiver.publish('/tf', 'last', B);
    ending.recorder.close();
    assert.deepEqual(ending.messages(), ['r1 /tf last']);
    const leaving = setUpFleet();
    leaving.ros.topics.set('/tf', [of('/r1', A)]);
    await leaving.poll();
    leaving.receiver.publish('/tf', 'last', B);
    leaving.ros.topics.delete('/tf');
    await leaving.poll();
    assert.deepEqual(leaving.messages(), ['r1 /tf last']);
  });

  it('still belongs to its robot if it comes after its publisher has left the graph', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.topics.set('/tf', [of('/r1', A), of('/r2', B)]);
    await poll();
    ros.topics.set('/tf', [of('/r1', A)]);
    await poll();
    receiver.publish('/tf', 'last', B);
    assert.deepEqual(messages(), ['r2 /tf last']);
  });

  it('does not reach a robot that joins a latched topic later', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.latched = true;
    ros.topics.set('/tf_static', [of('/r1', A), of('/', SIMULATOR)]);
    await poll();
    receiver.publish('/tf_static', 'of r1', A);
    receiver.publish('/tf_static', 'of all', SIMULATOR);
    receiver.publish('/tf_static', 'of r2', B);
    ros.topics.set('/tf_static', [of('/r1', A), of('/', SIMULATOR), of('/r2', B)]);
    await poll();
    const expected = ['r1 of r1', 'r1 of all', 'r2 of all', 'r2 of r2'];
    assert.deepEqual(
      messages(),
      expected.map((text) => text.replace(' ', ' /tf_static ')),
    );
  });

  it('does not wait longer than the memory for waiting messages lasts', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.topics.set('/tf', [of('/r1', A)]);
    await poll();
    for (let number = 0; number < 10_001; number++) receiver.publish('/tf', String(number), B);
    assert.deepEqual(
      messages(),
      Array.from({ length: 10_001 }, (_, number) => `r1 /tf ${number}`),
    );
  });

  it('is missing for its robot alone if the middleware lost it, with its numbers', async () => {
    const { ros, receiver, events, poll } = setUpFleet();
    ros.topics.set('/tf', [of('/r1', A), of('/r2', B)]);
    await poll();
    const drop = { reason: 'source_lost', count: 3, bytes: 0, firstAt: 5n, lastAt: 6n } as const;
    receiver.drop('/tf', { ...drop, publisher: B, numbers: [7, 9] });
    receiver.drop('/tf', drop);
    receiver.drop('/tf', { ...drop, reason: 'memory_limit', bytes: 30 });
    const gaps = events.flatMap((event) => (event.kind === 'gap' ? [event.gap] : []));
    assert.deepEqual(
      gaps.map(({ robot, reason, count, detail }) => [robot, reason, count, detail]),
      [
        ['r2', 'source_lost', 3, `${LOST}, of /r2/driver: numbers 7 to 9`],
        ['r1', 'source_lost', 3, LOST],
        ['r2', 'source_lost', 3, LOST],
        ['r1', 'memory_limit', 3, 'dropped by the receiver: the recorder was too slow'],
        ['r2', 'memory_limit', 3, 'dropped by the receiver: the recorder was too slow'],
      ],
    );
  });

  it('is not held if the name of the topic says whose it is', async () => {
    const { ros, receiver, messages, poll } = setUpFleet();
    ros.topics.set('/r1/imu', [of('/r1', A)]);
    await poll();
    receiver.publish('/r1/imu', '1', B);
    assert.deepEqual(messages(), ['r1 /r1/imu 1']);
  });
});
