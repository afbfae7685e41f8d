import assert from 'node:assert/strict';
import { STRING, UNKNOWN, driver, setUp } from './fake-domain.js';

const robots = ['/r1', '/r2', '/r3'];

describe('What one domain records, in every order of discovery', () => {
  it('gives a fleet whose endpoints come before the names of their nodes to its robots, nothing to _shared', async () => {
    const { ros, messages, poll } = setUp();
    for (const one of robots) ros.topics.set(`${one}/imu`, [UNKNOWN]);
    ros.topics.set('/tf', [UNKNOWN, UNKNOWN, UNKNOWN]);
    await poll();
    for (const one of robots) ros.publish(`${one}/imu`, 'early');
    ros.publish('/tf', 'early');
    assert.deepEqual(messages(), [], 'it waits for the names');
    for (const one of robots) ros.topics.set(`${one}/imu`, [driver(one)]);
    ros.topics.set('/tf', robots.map(driver));
    await poll();
    const names = ['r1', 'r2', 'r3'];
    const expected = (text: string) => [
      ...names.map((name) => `${name} /${name}/imu ${text}`),
      ...names.map((name) => `${name} /tf ${text}`),
    ];
    assert.deepEqual(messages().sort(), expected('early').sort());
    for (const one of robots) ros.publish(`${one}/imu`, 'late');
    ros.publish('/tf', 'late');
    assert.deepEqual(messages().sort(), [...expected('early'), ...expected('late')].sort());
  });

  it('gives a robot that joins a latched topic the messages published before it was known', async () => {
    const { ros, messages, poll } = setUp();
    ros.latched = true;
    ros.topics.set('/tf_static', [driver('/r1')]);
    await poll();
    ros.publish('/tf_static', 'of r1');
    // The message of the second robot comes before its publisher is seen.
    ros.publish('/tf_static', 'of r2');
    ros.topics.set('/tf_static', [driver('/r1'), driver('/r2')]);
    ros.namespaces = ['/', '/r1', '/r2'];
    await poll();
    const all = ['r1', 'r2'].flatMap((robot) =>
      ['of r1', 'of r2'].map((text) => `${robot} /tf_static ${text}`),
    );
    assert.deepEqual(messages().sort(), all);
  });

  it('moves a topic from _shared to the robots that come later, and leaves nothing doubled', async () => {
    const { ros, messages, poll } = setUp();
    ros.topics.set('/clock', [{ node: 'simulator', namespace: '/' }]);
    await poll();
    ros.publish('/clock', '1');
    ros.namespaces = ['/', '/r1'];
    await poll();
    ros.publish('/clock', '2');
    assert.deepEqual(messages(), ['_shared /clock 1', 'r1 /clock 2']);
  });

  it('waits three seconds for a name, then records what has none, such as publishers outside ROS', async () => {
    const { ros, messages, poll } = setUp({ auto: false });
    ros.topics.set('/plain', [UNKNOWN]);
    await poll();
    ros.publish('/plain', '1');
    await poll(2_000);
    assert.deepEqual(messages(), []);
    await poll(1_000);
    ros.publish('/plain', '2');
    assert.deepEqual(messages(), ['r /plain 1', 'r /plain 2']);
  });

  it('does not wait longer than its memory lasts', async () => {
    const { ros, messages, poll } = setUp({ auto: false });
    ros.topics.set('/large', [UNKNOWN]);
    await poll();
    for (let number = 0; number < 10_001; number++) ros.publish('/large', String(number));
    assert.deepEqual(
      messages(),
      Array.from({ length: 10_001 }, (_, number) => `r /large ${number}`),
    );
  });

  it('never announces what turns out to be its own or of an excluded node', async () => {
    const { ros, events, poll } = setUp();
    ros.topics.set('/own', [UNKNOWN]).set('/tool', [UNKNOWN]);
    await poll();
    ros.publish('/own', 'x');
    ros.publish('/tool', 'x');
    ros.topics.set('/own', [{ node: 'holdfast_recorder', namespace: '/' }]);
    ros.topics.set('/tool', [{ node: 'tool', namespace: '/' }]);
    await poll();
    assert.deepEqual(events, []);
  });

  it('never requests a second type of a topic from a middleware that refuses it, and reports the gap once', async () => {
    const { ros, recorder, events, messages, poll } = setUp({ auto: false, oneTypePerTopic: true });
    const empty = 'std_msgs/msg/Empty';
    const [a, b] = [driver('/a'), { ...driver('/b'), type: empty }];
    ros.topics.set('/two', [a]);
    await poll();
    ros.topics.set('/two', [a, b]);
    for (let round = 0; round < 5; round++) await poll(4_000);
    ros.publish('/two', 'x');
    assert.deepEqual(ros.asked, [`/two ${STRING}`]);
    assert.deepEqual(messages(), ['r /two x']);
    const gaps = events.filter((event) => event.kind === 'gap');
    assert.deepEqual(
      gaps.map(({ gap }) => [gap.topic, gap.reason]),
      [['/two', 'source_unreadable']],
    );
    const problems = recorder.report().problems.map(({ kind }) => kind);
    assert.deepEqual(problems.sort(), ['no-type-support', 'two-types']);
    // The first type is gone: the second one is heard.
    ros.topics.set('/two', [b]);
    for (let round = 0; round < 2; round++) await poll(4_000);
    assert.deepEqual(ros.asked, [`/two ${STRING}`, `/two ${empty}`]);
  });

  it('subscribes to a topic that is named before it has a publisher, and records its first message', async () => {
    const staticTopics = [{ topic: '/first', type: STRING }];
    const { ros, events, messages, poll, recorder } = setUp({ auto: false, staticTopics, excludeNodes: [] });
    await poll();
    assert.deepEqual(ros.asked, [`/first ${STRING}`]);
    assert.deepEqual(events, [], 'no channel without a message');
    // Longer than a subscription without publishers is kept.
    await poll(120_000);
    ros.publish('/first', '1');
    assert.deepEqual(messages(), ['r /first 1']);
    ros.topics.set('/first', [driver('/a')]);
    await poll();
    ros.publish('/first', '2');
    ros.topics.delete('/first');
    await poll();
    for (let round = 0; round < 3; round++) await poll(61_000);
    ros.publish('/first', '3');
    assert.deepEqual(messages(), ['r /first 1', 'r /first 2', 'r /first 3']);
    assert.deepEqual(recorder.report().problems, []);
  });

  it('holds the first message of a named topic until the graph shows whose it is', async () => {
    const staticTopics = [{ topic: '/tf', type: STRING }];
    const { ros, messages, poll } = setUp({ staticTopics });
    await poll();
    ros.publish('/tf', '1');
    assert.deepEqual(messages(), []);
    ros.topics.set('/tf', [driver('/r2')]);
    ros.namespaces = ['/', '/r1', '/r2'];
    await poll();
    assert.deepEqual(messages(), ['r2 /tf 1']);
    // Of a node that is excluded, nothing is recorded.
    const other = setUp({ auto: false, staticTopics });
    await other.poll();
    other.ros.publish('/tf', '1');
    other.ros.topics.set('/tf', [{ node: 'tool', namespace: '/' }]);
    for (let round = 0; round < 3; round++) await other.poll(2_000);
    other.ros.publish('/tf', '2');
    await other.poll();
    assert.deepEqual(other.messages(), []);
    const [problem] = other.recorder.report().problems;
    assert.match(problem?.detail ?? '', /not recorded: node excluded/);
  });

  it('reports a named topic that comes with another type, and receives it where one type is allowed', async () => {
    const empty = 'std_msgs/msg/Empty';
    const staticTopics = [{ topic: '/other', type: empty }];
    for (const oneTypePerTopic of [true, false]) {
      const { ros, messages, poll, recorder } = setUp({
        ...{ auto: false, oneTypePerTopic, staticTopics, excludeNodes: [] },
      });
      const kinds = () => recorder.report().problems.map(({ kind }) => kind);
      await poll();
      ros.topics.set('/other', [driver('/a')]);
      for (let round = 0; round < 3; round++) await poll(4_000);
      ros.publish('/other', '1');
      assert.deepEqual(messages(), ['r /other 1']);
      assert.deepEqual(ros.asked, [`/other ${empty}`, `/other ${STRING}`]);
      assert.deepEqual(kinds(), ['static-topic']);
      ros.topics.delete('/other');
      await poll();
      for (let round = 0; round < 3; round++) await poll(61_000);
      ros.publish('/other', '2', empty);
      assert.deepEqual(messages(), ['r /other 1', 'r /other 2']);
      assert.deepEqual(kinds(), []);
    }
  });

  it('does not subscribe to a named topic that the rules exclude, until they allow it', async () => {
    let isWanted = false;
    const staticTopics = [{ topic: '/a', type: STRING }];
    const { ros, poll, recorder } = setUp({ auto: false, staticTopics, wanted: () => isWanted });
    await poll();
    assert.deepEqual(ros.asked, []);
    assert.match(recorder.report().problems[0]?.detail ?? '', /not wanted/);
    isWanted = true;
    await poll();
    assert.deepEqual(ros.asked, [`/a ${STRING}`]);
    assert.deepEqual(recorder.report().problems, []);
    isWanted = false;
    await poll(61_000);
    ros.publish('/a', 'x');
    assert.equal(recorder.report().problems.length, 1);
  });

  it('continues to record a calm robot while the name of another publisher of the topic is awaited', async () => {
    const { ros, messages, poll } = setUp();
    ros.namespaces = ['/', '/r1'];
    ros.topics.set('/tf', [driver('/r1')]).set('/r1/imu', [driver('/r1')]);
    await poll();
    ros.topics.set('/tf', [driver('/r1'), UNKNOWN]).set('/r1/imu', [driver('/r1'), UNKNOWN]);
    await poll();
    ros.publish('/tf', 'a');
    ros.publish('/r1/imu', 'b');
    assert.deepEqual(messages(), ['r1 /tf a', 'r1 /r1/imu b'], 'nothing waits');
    ros.topics.set('/tf', [driver('/r1'), driver('/r2')]);
    await poll();
    ros.publish('/tf', 'c');
    const expected = ['r1 /tf a', 'r1 /r1/imu b', 'r2 /tf a', 'r1 /tf c', 'r2 /tf c'];
    assert.deepEqual(messages(), expected, 'the robot that joins has what came meanwhile, once');
  });

  it('waits for each publisher without a name once, however many come one after the other', async () => {
    const { ros, messages, poll } = setUp({ auto: false });
    ros.topics.set('/plain', [UNKNOWN]);
    await poll();
    await poll(3_000);
    ros.publish('/plain', '1');
    assert.deepEqual(messages(), ['r /plain 1']);
    ros.topics.set('/plain', [UNKNOWN, UNKNOWN]);
    await poll();
    ros.publish('/plain', '2');
    assert.deepEqual(messages(), ['r /plain 1'], 'the second one may be of Holdfast');
    for (let number = 3; number < 10_003; number++) ros.publish('/plain', String(number));
    assert.equal(messages().length, 10_002);
    await poll();
    ros.publish('/plain', 'last');
    assert.equal(messages().at(-1), 'r /plain last', 'a flood is not held a second time');
  });

  it('holds no more than 64 MiB for all topics together', async () => {
    const { ros, messages, poll } = setUp({ auto: false });
    const topics = Array.from({ length: 6 }, (_, index) => `/t${index}`);
    for (const topic of topics) ros.topics.set(topic, [UNKNOWN]);
    await poll();
    const large = 'x'.repeat(12 * 1024 * 1024);
    for (const topic of topics) ros.publish(topic, large);
    assert.equal(messages().length, 1);
    await poll(3_000);
    assert.equal(messages().length, 6);
  });
});

describe('A topic that brings nothing any more though its publisher is in the graph', () => {
  it('is subscribed to again, which brings it back, and has a gap for the time between', async () => {
    const { ros, recorder, gaps, messages, poll, steadily, silence } = setUp({ auto: false });
    ros.topics.set('/imu', [driver('/r')]);
    await poll();
    await steadily('/imu', 5);
    assert.equal(ros.opened, 1);
    ros.stick();
    await steadily('/imu', 9, 'lost');
    assert.deepEqual([gaps(), recorder.report().silent], [[], 0], 'not yet');
    await steadily('/imu', 1, 'lost');
    const { silent, resubscriptions, problems } = recorder.report();
    assert.deepEqual([silent, resubscriptions, ros.opened], [1, 1, 2]);
    assert.deepEqual(
      problems.map(({ kind, topic }) => [kind, topic]),
      [['silent', '/imu']],
    );
    const before = messages().length;
    await steadily('/imu', 3, 'again');
    assert.equal(messages().length, before + 30, 'none twice while both subscriptions are there');
    assert.deepEqual(gaps(), ['r /imu not_received 5..15.1']);
    assert.deepEqual([recorder.report().silent, recorder.report().problems], [0, []]);
    await silence(1);
  });

  it('is tried with growing pauses, and the gap ends when the publisher leaves the graph', async () => {
    const { ros, recorder, gaps, poll, steadily, silence } = setUp({ auto: false });
    ros.topics.set('/imu', [driver('/r')]);
    await poll();
    await steadily('/imu', 5);
    await silence(75);
    assert.deepEqual([recorder.report().resubscriptions, ros.opened], [3, 4]);
    ros.topics.delete('/imu');
    await poll();
    const spans = gaps().map((gap) => gap.split(' ')[3]);
    assert.deepEqual(spans, ['5..15.1', '15.1..25.1', '25.1..45.1', '45.1..80.2']);
    assert.deepEqual([recorder.report().silent, recorder.report().problems], [0, []]);
  });

  it('leaves a gap up to the end of the recording', async () => {
    const { ros, recorder, gaps, poll, steadily, silence } = setUp({ auto: false });
    ros.topics.set('/imu', [driver('/r')]);
    await poll();
    await steadily('/imu', 5);
    await silence(12);
    recorder.close();
    assert.deepEqual(gaps(), ['r /imu not_received 5..15.1', 'r /imu not_received 15.1..17.1']);
  });

  it('is not subscribed to again when it is latched: that would record its messages twice', async () => {
    const { ros, recorder, poll, steadily, silence } = setUp({ auto: false });
    ros.latched = true;
    ros.deadline = 1n;
    ros.topics.set('/state', [driver('/r')]);
    await poll();
    await steadily('/state', 5);
    await silence(20);
    assert.deepEqual([recorder.report().silent, recorder.report().resubscriptions, ros.opened], [1, 0, 1]);
  });

  it('does not count time without a listener: a recorder that hung raises no alarm', async () => {
    const { ros, recorder, gaps, poll, steadily } = setUp({ auto: false });
    ros.topics.set('/imu', [driver('/r')]);
    await poll();
    await steadily('/imu', 5);
    await poll(600_000);
    await steadily('/imu', 1);
    assert.deepEqual([gaps(), recorder.report().silent], [[], 0]);
  });
});
