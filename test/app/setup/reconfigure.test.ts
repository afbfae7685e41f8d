import assert from 'node:assert/strict';
import { silentLogger } from '../../../src/core/logger.js';
import { manifestGaps } from '../../../src/core/manifest.js';
import { isHoldfastError } from '../../../src/core/errors.js';
import {
  changedRecorderParameters,
  changedSyncParameters,
  liveRecorderParameters,
  liveSyncParameters,
} from '../../../src/settings/live-parameters.js';
import { parameterNamesFor } from '../../../src/settings/parameter-table.js';
import type { RawFlags } from '../../../src/settings/resolve.js';
import { RecorderHost } from '../../../src/recorder/recorder-host.js';
import { systemPorts } from '../../../src/host/ports.js';
import { liveSyncOptions, syncDefaults } from '../../../src/sync/sync-options.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from '../../recorder/recorder-support.js';
import { perhaps } from '../../support/perhaps.js';
import { eventually, sleep } from '../../../src/testing/waiting.js';

/** Another value than the default for each live parameter of the recorder. */
const other: RawFlags = {
  'topics.include': ['^/a'],
  'topics.exclude': ['^/b'],
  'types.include': ['^x/'],
  'types.exclude': ['^y/'],
  rules: ['^/a priority=high'],
  max_channels: '100',
  'queue.max_bytes': '1MiB',
  'queue.total_max_bytes': '32MiB',
  'batch.max_bytes': '1MiB',
  'batch.max_count': '1000',
  'batch.max_age_ms': '30',
  'durability.interval_ms': '500',
  'segment.max_bytes': '32MiB',
  'segment.max_age_ms': '30s',
  'seal.compression': 'lz4',
  'seal.compression_level': '3',
  'seal.chunk_bytes': '512KiB',
  'seal.in_place': 'always',
  'seal.in_place_min_bytes': '128KiB',
  'seal.compress_limit': '1MB/s',
  'latched.max_bytes': '1MiB',
  'retention.min_free_bytes': '1MiB',
  'retention.min_free_percent': '6',
  'retention.max_bytes': '1GiB',
  'retention.when_full': 'drop-oldest',
  'retention.confirm_max_age_ms': 60_000,
  tags: ['mission=m3'],
  'anomaly.rules': ['/a nan'],
  'anomaly.before_ms': '1s',
  'anomaly.after_ms': '1s',
  'anomaly.cooldown_ms': '1s',
  'anomaly.max_marks_per_hour': '3',
  'anomaly.budget_ms': '20',
  ballast_bytes: '1MiB',
};

describe('parameters that change while a recorder runs', function () {
  this.timeout(30_000);
  let place: RecorderPlace;
  let puppet: PuppetSource;
  let host: RecorderHost;

  beforeEach(async () => {
    place = await RecorderPlace.make();
    puppet = new PuppetSource();
  });
  afterEach(async () => {
    await perhaps(host)?.close();
    await place[Symbol.asyncDispose]();
  });

  async function record(flags: RawFlags = {}): Promise<void> {
    host = new RecorderHost({
      options: place.options(flags),
      ports: systemPorts(silentLogger),
      openInputs: () => [puppet.input()],
    });
    await host.configure();
    await host.activate();
  }
  const set = (flags: RawFlags): readonly string[] => host.reconfigure(place.options(flags));

  it('are each known as live or fixed, and named when they changed', () => {
    const known = new Set<string>([...liveRecorderParameters, ...liveSyncParameters]);
    assert.deepEqual(new Set(Object.keys(other)), new Set<string>(liveRecorderParameters));
    const recorder = new Set<string>(parameterNamesFor('recorder'));
    assert.ok([...liveRecorderParameters].every((name) => recorder.has(name)));
    assert.ok(known.size > 30);
    const before = place.options();
    for (const [name, value] of Object.entries(other)) {
      const changed = changedRecorderParameters(before, place.options({ [name]: value }));
      assert.ok(changed.includes(name as never), name);
    }
    assert.deepEqual(changedRecorderParameters(before, place.options()), []);
    for (const name of liveSyncOptions) {
      const changed = { ...syncDefaults, [name]: 'another' as never };
      const [parameter] = changedSyncParameters(syncDefaults, changed);
      assert.ok(parameter !== undefined && liveSyncParameters.has(parameter), name);
    }
    // The rules of sync.transform are not options of an engine.
    assert.equal(liveSyncParameters.size, liveSyncOptions.length + 1);
  });

  it('are taken over one by one in the middle of a stream, without a message lost', async () => {
    await record();
    const topics = ['/a', '/b', '/c'].map((topic) => testChannel(topic));
    let sent = 0;
    const send = (): void => {
      sent++;
      for (const of of topics) puppet.emit(testMessage(of, 'x'.repeat(100), { sourceSequence: sent }));
    };
    for (const [name, value] of Object.entries(other)) {
      if (/^(topics|types)\./.test(name)) continue;
      for (let n = 0; n < 50; n++) send();
      set({ [name]: value });
      for (let n = 0; n < 50; n++) send();
      await new Promise((done) => setImmediate(done));
    }
    await host.deactivate();
    const { totals } = host.status();
    assert.equal(totals.received, 3 * sent);
    assert.deepEqual([totals.durable, totals.dropped], [3 * sent, 0]);
    const all = await place.manifests();
    assert.equal(
      all.reduce((sum, { messages }) => sum + messages, 0),
      3 * sent,
    );
    assert.deepEqual(all.flatMap(manifestGaps), []);
  });

  it('apply the filter to every channel again, and notify the source', async () => {
    await record();
    const [a, b] = [testChannel('/a'), testChannel('/b')];
    let told = 0;
    puppet.context?.onWantedChange?.(() => told++);
    const both = (): void => puppet.emit(testMessage(a, 'x'), testMessage(b, 'x'));
    both();
    assert.deepEqual(set({ 'topics.exclude': ['^/b$'] }), ['topics.exclude']);
    both();
    assert.equal(puppet.context?.wanted('/b', 't'), false);
    set({});
    both();
    assert.equal(told, 2);
    await host.deactivate();
    assert.deepEqual(
      host.topics().map(({ topic, received }) => [topic, received]),
      [
        ['/a', 3],
        ['/b', 2],
      ],
    );
  });

  it('act at once on what waits: a batch, a segment, the order of priorities', async () => {
    await record({ 'batch.max_age_ms': '10s', 'segment.max_age_ms': '1h' });
    puppet.emit(testMessage(testChannel('/a'), 'x'));
    await sleep(100);
    assert.equal(host.status().totals.durable, 0);
    set({ 'batch.max_age_ms': '1ms', 'segment.max_age_ms': '1h', rules: ['^/a priority=high'] });
    await eventually(() => host.status().totals.durable === 1, 'committed');
    assert.equal(host.topics()[0]?.priority, 'high');
    set({ 'batch.max_age_ms': '1ms', 'segment.max_age_ms': '100ms' });
    await eventually(() => host.status().sealed.segments === 1, 'sealed');
  });

  it('are refused together if one is fixed, with its name', async () => {
    await record();
    assert.throws(
      () => set({ 'segment.split_by_priority': 'true', 'durability.mode': 'os', max_channels: '5' }),
      (error) =>
        isHoldfastError(error, 'STATE_REFUSED') &&
        /: durability.mode, segment.split_by_priority;/.test(error.message),
    );
    assert.deepEqual(set({ max_channels: '5' }), ['max_channels']);
    await host.close();
    assert.deepEqual(set({ 'durability.mode': 'os', max_channels: '5' }), ['durability.mode']);
    await host.configure();
    assert.throws(() => set({ max_channels: '5' }), /durability.mode/);
  });
});
