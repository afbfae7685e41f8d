import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { eventually } from '../../../src/testing/waiting.js';
import { requireRos, stopRosChildren, type RosChild, type RosInstall } from '../../support/ros.js';
import { onEveryMiddleware } from '../../support/on-every-middleware.js';
import { holdfastMessages } from './message-package.js';
import { parameter, startNode, TemporaryFolder } from './node-child.js';
import { Probe } from './probe.js';
import { perhaps } from '../../support/perhaps.js';

const DOMAIN = 33;
const NODE = '/robot_1/holdfast_sync';
const RECORDER = '/robot_1/holdfast_recorder';

interface SyncStatus {
  link: number;
  segments_verified: number;
  segments_pending: number;
  next_retry_in_ms: number;
  last_error: string;
  store: string;
}
interface SegmentSynced {
  key: string;
  robot: string;
  messages: number;
}
interface Diagnostics {
  status: { level: string; name: string; message: string; hardware_id: string }[];
}

onEveryMiddleware('the node holdfast_sync', function () {
  this.timeout(180_000);
  let ros: RosInstall;
  let messages: NodeJS.ProcessEnv;
  let folder: TemporaryFolder;
  let probe: Probe;
  let sync: RosChild;
  let recorder: RosChild;

  before(async function () {
    // Building the messages takes a minute, and many on a machine that is busy.
    this.timeout(900_000);
    ros = requireRos(this, { native: true });
    messages = await holdfastMessages(ros);
    folder = new TemporaryFolder();
    probe = new Probe(ros, DOMAIN, messages);
    const common = ['-r', '__ns:=/robot_1', ...parameter('data', folder.at('data'))];
    mkdirSync(folder.at('store'));
    recorder = startNode(
      ros,
      'recorder',
      [...common, ...parameter('sources', ['sim:?robots=1'])],
      DOMAIN,
      messages,
    );
    const store = parameter('store.uri', `dir:${folder.at('store')}`);
    sync = startNode(
      ros,
      'sync',
      [...common, ...store, ...parameter('link.idle_probe_ms', 1_000)],
      DOMAIN,
      messages,
    );
    await probe.listen(`${NODE}/sync_status`, 'holdfast/msg/SyncStatus', true);
    await probe.listen(`${NODE}/events/segment_synced`, 'holdfast/msg/SegmentSynced');
    await probe.listen(`${NODE}/events/link_changed`, 'holdfast/msg/LinkChanged');
    await probe.listen('/diagnostics', 'diagnostic_msgs/msg/DiagnosticArray');
    await recorder.waitFor(/\]: recording/);
    await sync.waitFor(/\]: syncing/);
  });

  after(async () => {
    await perhaps(probe)?.[Symbol.asyncDispose]();
    await stopRosChildren();
    perhaps(folder)?.[Symbol.dispose]();
  });

  /**
   * Ends segments until the event of one is heard. Events are not latched: those that sync publishes before the probe's
   * subscription is matched reach nobody.
   */
  async function splitUntilSynced(): Promise<SegmentSynced> {
    let heard: SegmentSynced[] = [];
    await eventually(
      async () => {
        const { success, message } = await probe.trigger(`${RECORDER}/split`);
        assert.ok(success, message);
        heard = await probe.messages<SegmentSynced>(`${NODE}/events/segment_synced`, 1, 5);
        return heard.length > 0;
      },
      'an event segment_synced',
      60_000,
    );
    return heard[0]!;
  }

  it('uploads sealed segments, and publishes each one when it is verified', async () => {
    const synced = await splitUntilSynced();
    assert.equal(synced.robot, 'robot1');
    assert.ok(synced.messages > 0);
    assert.ok(existsSync(folder.at(`store/${synced.key}`)));
    const status = await probe.until<SyncStatus>(
      `${NODE}/sync_status`,
      (one) => one.segments_verified > 0 && one.segments_pending === 0,
    );
    assert.deepEqual([status.link, status.store], [1, `dir:${folder.at('store')}`]);
  });

  it('answers ~/sync_now itself, and for the recorder', async () => {
    assert.ok((await probe.trigger(`${NODE}/sync_now`)).success);
    const { success, message } = await probe.trigger(`${RECORDER}/sync_now`);
    assert.ok(success, message);
  });

  it('keeps its last status for later subscriptions', async () => {
    await using late = new Probe(ros, DOMAIN, messages);
    await late.listen(`${NODE}/sync_status`, 'holdfast/msg/SyncStatus', true);
    assert.ok((await late.messages(`${NODE}/sync_status`, 1, 5)).length >= 1);
  });

  it('publishes that the link is lost and returns, with a WARN in diagnostics meanwhile', async () => {
    renameSync(folder.at('store'), folder.at('gone'));
    const offline = await probe.until<{ link: number; reason: string }>(
      `${NODE}/events/link_changed`,
      ({ link }) => link === 2,
    );
    assert.notEqual(offline.reason, '');
    const status = await probe.until<SyncStatus>(`${NODE}/sync_status`, ({ link }) => link === 2);
    assert.ok(status.next_retry_in_ms >= 0);
    const { status: all } = await probe.until<Diagnostics>('/diagnostics', (one) =>
      one.status.some(({ message }) => message.startsWith('offline')),
    );
    const link = all.find(({ name }) => name === 'robot_1/holdfast_sync: link');
    assert.deepEqual([link?.level.charCodeAt(0), link?.hardware_id], [1, 'robot_1']);
    await probe.forget(`${NODE}/events/link_changed`);
    renameSync(folder.at('gone'), folder.at('store'));
    await probe.trigger(`${NODE}/sync_now`);
    await probe.until<{ link: number }>(`${NODE}/events/link_changed`, (one) => one.link === 1);
  });

  it('applies a bandwidth limit while it runs', async () => {
    const { results } = await probe.call<{ results: { successful: boolean; reason: string }[] }>(
      `${NODE}/set_parameters`,
      'rcl_interfaces/srv/SetParameters',
      {
        parameters: [
          { name: 'upload.bandwidth_limit', value: { type: 4, string_value: '25MB/s' } },
          { name: 'link.backoff_first_ms', value: { type: 2, integer_value: 10_000_000 } },
          { name: 'store.uri', value: { type: 4, string_value: 'dir:/elsewhere' } },
        ],
      },
    );
    assert.deepEqual(
      results.map(({ successful }) => successful),
      [true, false, false],
    );
    assert.match(results[1]!.reason, /^link\.backoff_first_ms is 10000000; allowed/);
    assert.match(results[2]!.reason, /^store\.uri is fixed/);
  });

  it('continues an upload after a kill, and leaves no ghost on SIGTERM', async () => {
    await sync.stop('SIGKILL');
    const common = ['-r', '__ns:=/robot_1', ...parameter('data', folder.at('data'))];
    const store = parameter('store.uri', `dir:${folder.at('store')}`);
    const before = storedIn(folder.at('store'));
    await probe.trigger(`${RECORDER}/split`);
    await probe.forget(`${NODE}/events/segment_synced`);
    sync = startNode(ros, 'sync', [...common, ...store], DOMAIN, messages);
    await eventually(() => storedIn(folder.at('store')) > before, 'the upload of what was left');
    await splitUntilSynced();
    await sync.stop('SIGTERM');
    assert.equal(await sync.ended, 0, sync.output());
    // The killed one haunts the graph by itself, so a look at both names' ends would say nothing here.
    assert.match(sync.output(), /ending: the next run resumes the unfinished uploads/);
  });

  it('ends with the reason if no store is given', async () => {
    const child = startNode(ros, 'sync', parameter('data', folder.at('other')), DOMAIN);
    assert.equal(await child.ended, 2);
    assert.match(child.output(), /store\.uri: allowed: a store/);
  });
});

/** How many sealed segments a folder store has. */
function storedIn(store: string): number {
  return readdirSync(store, { recursive: true }).filter((name) => String(name).endsWith('.mcap')).length;
}
