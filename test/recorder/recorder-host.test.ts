import assert from 'node:assert/strict';
import { present } from '../../src/core/present.js';
import { isHoldfastError } from '../../src/core/errors.js';
import type { RecorderEvent } from '../../src/core/events.js';
import { silentLogger } from '../../src/core/logger.js';
import { manifestGaps } from '../../src/core/manifest.js';
import { dataFolder } from '../../src/core/data-folder.js';
import { acquireRoleLock } from '../../src/host/role-lock.js';
import { RecorderHost } from '../../src/recorder/recorder-host.js';
import type { RecorderInput } from '../../src/recorder/recorder-run.js';
import { systemPorts } from '../../src/host/ports.js';
import { PuppetSource, RecorderPlace, testChannel, testMessage } from './recorder-support.js';
import { copyAsKilled } from '../support/copy-as-killed.js';
import { eventually } from '../../src/testing/waiting.js';

describe('a recorder that is started and stopped', function () {
  this.timeout(30_000);
  const ports = systemPorts(silentLogger);
  let place: RecorderPlace;
  let host: RecorderHost;
  let puppets: PuppetSource[];
  let openInputs: () => RecorderInput[];
  let events: RecorderEvent[];

  beforeEach(async () => {
    place = await RecorderPlace.make();
    puppets = [];
    events = [];
    openInputs = () => {
      puppets.push(new PuppetSource());
      return [present(puppets.at(-1)).input()];
    };
    host = new RecorderHost({ options: place.options(), ports, openInputs: () => openInputs() });
    host.onEvent((event) => events.push(event));
  });
  afterEach(async () => {
    await host.close();
    await place[Symbol.asyncDispose]();
  });

  const states = (): string[] => events.flatMap((event) => (event.kind === 'state' ? [event.state] : []));
  const refuses = (work: () => unknown, words: RegExp): void =>
    assert.throws(work, (error) => isHoldfastError(error, 'STATE_REFUSED') && words.test(error.message));

  it('goes through its phases and reports each', async () => {
    assert.equal(host.phase, 'unconfigured');
    assert.equal(host.status().state, 'stopped');
    const configured = host.configure();
    assert.equal(host.phase, 'configuring');
    assert.equal(host.status().state, 'recovering');
    await configured;
    assert.equal(host.phase, 'inactive');
    const activated = host.activate();
    assert.equal(host.phase, 'activating');
    await activated;
    assert.equal(host.status().state, 'recording');
    const deactivated = host.deactivate();
    assert.equal(host.phase, 'deactivating');
    assert.equal(host.status().state, 'draining');
    await deactivated;
    assert.equal(host.phase, 'inactive');
    await host.cleanup();
    assert.equal(host.phase, 'unconfigured');
    assert.deepEqual(states(), [
      'recovering',
      'inactive',
      'recording',
      'draining',
      'inactive',
      'draining',
      'stopped',
    ]);
  });

  it('refuses at once, with the reason, what its phase does not allow', async () => {
    refuses(() => host.activate(), /cannot activate while unconfigured.*possible while inactive/);
    refuses(() => host.split(), /cannot split while unconfigured/);
    await host.configure();
    refuses(() => host.configure(), /cannot configure while inactive/);
    refuses(() => host.deactivate(), /while inactive: it is not recording/);
    refuses(() => host.pause(), /cannot pause while inactive/);
    await host.activate();
    refuses(() => host.cleanup(), /cannot clean up while active/);
    let release = (): void => {};
    puppets[0]!.beforeEnd = new Promise((done) => (release = done));
    const deactivated = host.deactivate();
    refuses(() => host.activate(), /while deactivating: it is committing and sealing/);
    refuses(() => host.deactivate(), /while deactivating/);
    release();
    await deactivated;
  });

  it('takes an activation right behind the configuration, once', async () => {
    const configured = host.configure();
    const activated = host.activate();
    refuses(() => host.activate(), /about to be activated already/);
    await configured;
    await activated;
    assert.equal(host.phase, 'active');
    assert.equal(puppets.length, 1);
  });

  it('records again after it was stopped, counts on, and seals each time', async () => {
    await host.configure();
    const numbered = testChannel('/numbered');
    for (const [first, next] of [
      [1, 1],
      [3, 4],
    ] as const) {
      await host.activate();
      const puppet = present(puppets.at(-1));
      if (first > 1) puppet.emit({ kind: 'numbering', channel: numbered, delivered: first - 2, next });
      puppet.emit(testMessage(numbered, 'x', { sourceSequence: next }));
      await host.deactivate();
    }
    assert.equal(host.status().totals.durable, 2);
    assert.equal(host.topics()[0]?.received, 2);
    const all = await place.manifests();
    assert.deepEqual(
      all.map(({ messages, uncleanEnd, firstSequence }) => [messages, uncleanEnd, firstSequence]),
      [
        [1, false, 1],
        [1, false, 2],
      ],
    );
    assert.deepEqual(
      all.flatMap(manifestGaps).map(({ reason, count }) => [reason, count]),
      [['missed_while_down', 2]],
    );
    await host.cleanup();
    assert.equal(host.summary?.durable, 2);
    assert.equal(host.status().totals.durable, 2, 'the last word after the end');
    assert.equal(host.topics()[0]?.present, false);
  });

  it('seals what an earlier run left already while inactive', async () => {
    await host.configure();
    await host.activate();
    puppets[0]!.emit(testMessage(testChannel('/a'), 'one'));
    await eventually(() => host.status().totals.durable === 1, 'durable');
    // As a kill would leave it: the folder goes, the segment stays.
    const { rename, rm } = await import('node:fs/promises');
    await copyAsKilled(place.data, `${place.data}-killed`);
    await host.close();
    await rm(place.data, { recursive: true });
    await rename(`${place.data}-killed`, place.data);
    await rm(dataFolder(place.data).lock, { recursive: true });
    await host.configure();
    await eventually(
      () => events.some((event) => event.kind === 'segment-sealed' && event.manifest.uncleanEnd),
      'sealed',
    );
    assert.equal(host.phase, 'inactive');
  });

  it('keeps the folder while inactive, and gives it back', async () => {
    await host.configure();
    const folder = dataFolder(place.data);
    await assert.rejects(acquireRoleLock(ports.fs, folder, 'recorder'), { code: 'DATA_FOLDER_BUSY' });
    await host.cleanup();
    await (await acquireRoleLock(ports.fs, folder, 'recorder')).close();
  });

  it('returns to its phase if a folder cannot be taken, and reports why', async () => {
    const other = await acquireRoleLock(ports.fs, dataFolder(place.data), 'recorder');
    const configured = host.configure();
    const activated = host.activate();
    await assert.rejects(configured, { code: 'DATA_FOLDER_BUSY' });
    await assert.rejects(activated, { code: 'DATA_FOLDER_BUSY' });
    assert.equal(host.phase, 'unconfigured');
    const told = events.at(-1);
    assert.ok(
      told?.kind === 'state' && told.state === 'stopped' && told.reason?.includes('another recorder'),
    );
    assert.match(host.status().stalledReason ?? '', /configure failed: another recorder/);
    await other.close();
    await host.configure();
    assert.equal(host.status().stalledReason, undefined);
  });

  it('stays inactive when its sources cannot be opened, and says why', async () => {
    await host.configure();
    openInputs = () => {
      throw new Error('no such robot');
    };
    await assert.rejects(host.activate(), /no such robot/);
    assert.equal(host.phase, 'inactive');
    assert.match(host.status().stalledReason ?? '', /activate failed: no such robot/);
  });

  it('reports when all sources have ended by themselves, and not when it was stopped', async () => {
    let finished = 0;
    host.onFinished(() => finished++);
    await host.configure();
    await host.activate();
    await host.deactivate();
    assert.equal(finished, 0);
    await host.activate();
    puppets[1]!.end();
    await eventually(() => finished === 1, 'told');
    assert.equal(host.phase, 'active');
    await host.deactivate();
  });

  it('keeps its listeners and taps over a cleanup', async () => {
    const seen: string[] = [];
    host.tap(({ data }) => seen.push(Buffer.from(data).toString()));
    for (const text of ['one', 'two']) {
      await host.configure();
      await host.activate();
      present(puppets.at(-1)).emit(testMessage(testChannel('/a'), text));
      await host.close();
    }
    assert.deepEqual(seen, ['one', 'two']);
  });

  it('ends from any phase', async () => {
    void host.configure();
    void host.activate();
    await host.close();
    assert.equal(host.phase, 'unconfigured');
    void host.configure();
    await host.close();
    assert.equal(host.phase, 'unconfigured');
  });
});
