import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { present } from '../../../src/core/present.js';
import type { Manifest } from '../../../src/core/manifest.js';
import { requireRos, stopRosChildren, type RosChild, type RosInstall } from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { holdfastMessages } from './message-package.js';
import { parameter, startNode, TemporaryFolder } from './node-child.js';
import { Probe } from './probe.js';
import { perhaps } from '../../support/perhaps.js';

const DOMAIN = 30;
const NODE = '/robot_1/holdfast_recorder';

interface Status {
  state: number;
  received: number;
  durable: number;
  dropped: number;
  sealed_segments: number;
  robots: { robot: string }[];
}
interface Diagnostics {
  status: { level: string; name: string; message: string; hardware_id: string }[];
}
interface Answer {
  success: boolean;
  message: string;
  id?: string;
}

onEveryMiddleware('the node holdfast_recorder', function () {
  this.timeout(180_000);
  let ros: RosInstall;
  let messages: NodeJS.ProcessEnv;
  let folder: TemporaryFolder;
  let child: RosChild;
  let probe: Probe;

  /** Messages of {@link meet} that the recorder has. */
  let hellos = 0;

  /**
   * Publishes on /robot_1/imu until the recorder has received something: then the publisher and the subscription know
   * each other, and no later message is lost.
   */
  const meet = async (): Promise<void> => {
    const received = async (): Promise<number> => {
      await probe.forget(`${NODE}/topic_stats`);
      const { topics } = await probe.until<{ topics: { topic: string; received: number }[] }>(
        `${NODE}/topic_stats`,
        () => true,
      );
      return topics.find(({ topic }) => topic === '/robot_1/imu')?.received ?? 0;
    };
    while ((await received()) === 0) {
      await probe.publish('/robot_1/imu', 'std_msgs/msg/String', { data: 'hello' });
    }
    // Nothing is under way any more when two statistics in a row are the same.
    do hellos = await received();
    while (hellos !== (await received()));
  };

  /** Publishes on /robot_1/imu; resolves once the recorder has them all. */
  const publish = async (data: string, count: number): Promise<void> => {
    const { received } = present((await probe.messages<Status>(`${NODE}/status`, 1)).at(-1));
    await probe.publish('/robot_1/imu', 'std_msgs/msg/String', { data }, count);
    await probe.until<Status>(`${NODE}/status`, (status) => status.received >= received + count);
  };

  before(async function () {
    // Building the messages takes a minute, and many on a machine that is busy.
    this.timeout(900_000);
    ros = requireRos(this, { native: true });
    messages = await holdfastMessages(ros);
    folder = new TemporaryFolder();
    child = startNode(
      ros,
      'recorder',
      ['-r', '__ns:=/robot_1', ...parameter('data', folder.at('data'))],
      DOMAIN,
      messages,
    );
    probe = new Probe(ros, DOMAIN, messages);
    await probe.listen(`${NODE}/status`, 'holdfast/msg/RecorderStatus');
    await probe.listen(`${NODE}/topic_stats`, 'holdfast/msg/TopicStatsArray');
    await probe.listen(`${NODE}/events/segment_sealed`, 'holdfast/msg/SegmentSealed');
    await probe.listen(`${NODE}/events/gap`, 'holdfast/msg/Gap');
    await probe.listen('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray');
    await probe.listen('/rosout', 'rcl_interfaces/msg/Log');
    await child.waitFor(/\]: recording/);
  });

  after(async () => {
    await perhaps(probe)?.[Symbol.asyncDispose]();
    await stopRosChildren();
    perhaps(folder)?.[Symbol.dispose]();
  });

  it('records its graph for the robot of its namespace, and publishes its status every second', async () => {
    await meet();
    await publish('x', 20);
    const status = await probe.until<Status>(
      `${NODE}/status`,
      ({ robots, durable }) => durable >= 20 && robots.some(({ robot }) => robot === 'robot_1'),
    );
    assert.equal(status.state, 1);
    const { topics } = await probe.until<{
      topics: { topic: string; robot: string; type: string; received: number }[];
    }>(`${NODE}/topic_stats`, (stats) => stats.topics.some((one) => one.received >= 20));
    const imu = topics.find(({ topic }) => topic === '/robot_1/imu');
    assert.deepEqual([imu?.robot, imu?.type], ['robot_1', 'std_msgs/msg/String']);
    const before = (await probe.messages(`${NODE}/status`)).length;
    await probe.spin(3.2);
    const later = (await probe.messages(`${NODE}/status`)).length;
    assert.ok(later - before >= 3, `${later - before} in 3.2 s`);
  });

  it('shows OK for itself in diagnostics, with the robot as hardware id', async () => {
    const { status } = await probe.until<Diagnostics>('/diagnostics', (one) =>
      one.status.some(({ message }) => message === 'recording'),
    );
    const tasks = new Map(status.map((one) => [one.name, one]));
    for (const task of ['recording', 'durability', 'drops', 'disk', 'sources']) {
      const one = tasks.get(`robot_1/holdfast_recorder: ${task}`);
      assert.deepEqual([one?.level.charCodeAt(0), one?.hardware_id], [0, 'robot_1'], JSON.stringify(one));
    }
  });

  it('splits on ~/split, and publishes the sealed segment', async () => {
    await publish('y', 5);
    const answer = await probe.trigger(`${NODE}/split`);
    assert.deepEqual([answer.success, answer.message !== ''], [true, true]);
    const sealed = await probe.until<{ segment: string; path: string; messages: number; sha256: string }>(
      `${NODE}/events/segment_sealed`,
      ({ messages: count }) => count >= 25,
    );
    const manifest = JSON.parse(readFileSync(sealed.path.replace(/mcap$/, 'json'), 'utf8')) as Manifest;
    assert.equal(manifest.file.sha256, sealed.sha256);
    assert.equal(manifest.messages, sealed.messages);
  });

  it('pauses and resumes; messages meanwhile are a gap, published when it is durable', async () => {
    assert.ok((await probe.trigger(`${NODE}/pause`)).success);
    await probe.until<Status>(`${NODE}/status`, ({ state }) => state === 2);
    const { status } = await probe.until<Diagnostics>('/diagnostics', (one) =>
      one.status.some(({ message }) => message.startsWith('paused')),
    );
    const paused = status.find(({ name }) => name.endsWith(': recording'));
    assert.equal(paused?.level.charCodeAt(0), 1);
    await publish('z', 7);
    assert.ok((await probe.trigger(`${NODE}/resume`)).success);
    await publish('after', 1);
    const gap = await probe.until<{ reason: string; topic: string; count: number }>(
      `${NODE}/events/gap`,
      ({ topic }) => topic === '/robot_1/imu',
    );
    assert.deepEqual([gap.reason, gap.count], ['paused', 7]);
  });

  it('sets and removes tags, and refuses one without a valid name with the reason', async () => {
    const [name, type] = [`${NODE}/set_tags`, 'holdfast/srv/SetTags'];
    const call = (tags: string): Promise<Answer & { tags: string }> => probe.call(name, type, { tags });
    const good = await call('mission=Größe 3; site=north');
    assert.deepEqual([good.success, good.tags], [true, 'mission=Größe 3\nsite=north'], good.message);
    assert.equal((await call('site=\nmission=')).tags, '');
    const refused = await call('Mission=x');
    assert.deepEqual([refused.success, refused.tags], [false, '']);
    assert.match(refused.message, /tags is .*Mission.*, allowed: an object of tags/);
  });

  it('marks an event, in any script, and refuses one without a label with the reason', async () => {
    const name = `${NODE}/mark_event`;
    const type = 'holdfast/srv/MarkEvent';
    const request = { label: 'Größe → 値', seconds_before: 2, seconds_after: 0.5 };
    const good = await probe.call<Answer>(name, type, request);
    assert.match(present(good.id), /^[0-9a-f]{32}$/);
    assert.ok(good.success && good.message.includes('Größe → 値'));
    for (const [bad, reason] of [
      [{ ...request, label: '' }, /label is "", allowed: a text of 1 to 200/],
      [{ ...request, seconds_before: -1 }, /before_s is -1, allowed: a number from 0 to 3600/],
      [{ ...request, seconds_after: Number.MAX_VALUE }, /after_s is 1.7.*, allowed/],
    ] as const) {
      const refused = await probe.call<Answer>(name, type, bad);
      assert.deepEqual([refused.success, refused.id], [false, '']);
      assert.match(refused.message, reason);
    }
    const many = await probe.calls<Answer>(
      name,
      type,
      Array.from({ length: 10 }, (_, index) => ({ ...request, label: `event ${index}`.repeat(5) })),
    );
    assert.equal(new Set(many.map(({ id }) => id)).size, 10);
  });

  it('answers ~/sync_now with the reason if no sync runs on its data folder', async () => {
    const answer = await probe.trigger(`${NODE}/sync_now`);
    assert.equal(answer.success, false);
    assert.match(answer.message, /ROLE_NOT_RUNNING: the sync of data folder .* is not running/);
  });

  it('stops with everything sealed, refuses to stop twice, and starts again', async () => {
    assert.ok((await probe.trigger(`${NODE}/stop`)).success);
    await probe.until<Status>(`${NODE}/status`, ({ state }) => state === 6);
    const again = await probe.trigger(`${NODE}/stop`);
    assert.equal(again.success, false);
    assert.match(again.message, /STATE_REFUSED: .* while inactive: it is not recording/);
    const pause = await probe.trigger(`${NODE}/pause`);
    assert.match(pause.message, /STATE_REFUSED/);
    assert.ok((await probe.trigger(`${NODE}/start`)).success);
    await probe.forget(`${NODE}/status`);
    await probe.until<Status>(`${NODE}/status`, ({ state }) => state === 1);
    const { durable } = present((await probe.messages<Status>(`${NODE}/status`)).at(-1));
    await publish('again', 5);
    await probe.until<Status>(`${NODE}/status`, (status) => status.durable >= durable + 5);
  });

  it('answers every one of ten requests at once', async () => {
    const answers = await probe.calls<Answer>(
      `${NODE}/pause`,
      'std_srvs/srv/Trigger',
      Array.from({ length: 10 }, () => ({})),
    );
    assert.equal(answers.length, 10);
    assert.ok((await probe.trigger(`${NODE}/resume`)).success);
  });

  it('writes warnings to /rosout under its own name', async () => {
    const line = await probe.until<{ level: number; name: string; msg: string }>(
      '/rosout',
      ({ name, msg }) => name === 'robot_1.holdfast_recorder' && msg.startsWith('a service refused'),
    );
    assert.equal(line.level, 30);
  });

  it('drains, seals and leaves no ghost in the graph on SIGINT', async () => {
    await publish('last', 9);
    await child.stop('SIGINT');
    assert.equal(await child.ended, 0, child.output());
    const secondsS = await probe.gone(NODE, 2);
    assert.ok(secondsS >= 0 && secondsS < 1, `gone after ${secondsS} s`);
    const sealed = readdirSync(folder.at('data/sealed')).filter((name) => name.endsWith('.json'));
    const counted = sealed
      .map((name) => JSON.parse(readFileSync(folder.at(`data/sealed/${name}`), 'utf8')) as Manifest)
      .flatMap(({ channels }) => channels)
      .filter(({ topic }) => topic === '/robot_1/imu')
      .reduce((sum, { count }) => sum + count, 0);
    assert.equal(counted, hellos + 20 + 5 + 1 + 5 + 9);
    assert.deepEqual(
      readdirSync(folder.at('data/wal')).filter((name) => !name.startsWith('head')),
      [],
    );
  });
});
