import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Observable, type Subscriber } from 'rxjs';
import { defined } from '../../src/core/defined.js';
import { HoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { decodeManifest, manifestGaps, type Manifest } from '../../src/core/manifest.js';
import type { Channel, Message } from '../../src/core/message.js';
import type { Source, SourceContext, SourceEvent } from '../../src/core/source.js';
import { compileRecorderOptions } from '../../src/settings/compile-recorder.js';
import { resolve, type RawFlags } from '../../src/settings/resolve.js';
import { Recorder, type RecordSummary } from '../../src/recorder/recorder.js';
import type { RecorderInput } from '../../src/recorder/recorder-run.js';
import { systemPorts, type SystemPorts } from '../../src/host/ports.js';
import { eventually, sleep } from '../../src/testing/waiting.js';
import { firstOf } from '../support/first-of.js';

const schema = { name: 'test_msgs/msg/Bytes', encoding: 'ros2msg', data: Buffer.from('uint8[] data') };

function channel(topic: string, robot = 'robot1', latched = false): Channel {
  return Object.freeze({ robot, topic, encoding: 'cdr', schema, metadata: {}, latched });
}

function message(of: Channel, data: Uint8Array, sourceSequence?: number, at = 1_000_000_000n): Message {
  return {
    kind: 'message',
    channel: of,
    data,
    receivedAt: at,
    publishedAt: at,
    ...defined({ sourceSequence }),
  };
}

/** Something that a test and a source wait for. */
class Gate {
  readonly open: () => void;
  readonly opened: Promise<void>;

  constructor() {
    let open = (): void => undefined;
    this.opened = new Promise((resolve) => (open = resolve));
    this.open = open;
  }
}

type Play = (emit: (event: SourceEvent) => void, context: SourceContext) => void | Promise<void>;

/** A source whose whole life is one function. */
function scripted(play: Play, backpressure = false): RecorderInput {
  const source: Source = {
    uri: 'test:',
    supports: { finite: true, backpressure, sequences: true, acknowledgement: false },
    open: (context) =>
      new Observable((subscriber: Subscriber<SourceEvent>) => {
        void (async () => {
          try {
            await play((event) => subscriber.next(event), context);
            subscriber.complete();
          } catch (error) {
            subscriber.error(error);
          }
        })();
      }),
  };
  return { source, robot: 'robot1', robotFromNamespace: false };
}

describe('the recorder', function () {
  this.timeout(60_000);
  let data = '';
  beforeEach(async () => {
    data = join(await fs.mkdtemp(join(tmpdir(), 'holdfast-recorder-')), 'data');
  });
  afterEach(() => fs.rm(join(data, '..'), { recursive: true, force: true }));

  const quiet = { 'retention.min_free_bytes': '0', ballast_bytes: '0' };
  async function record(inputs: readonly RecorderInput[], flags: RawFlags = {}): Promise<RecordSummary> {
    return (await open(inputs, flags)).done;
  }
  function open(
    inputs: readonly RecorderInput[],
    flags: RawFlags = {},
    ports: SystemPorts = systemPorts(silentLogger),
  ): Promise<Recorder> {
    const resolved = resolve('recorder', undefined, { data, sources: ['sim:'], ...quiet, ...flags });
    return Recorder.open(compileRecorderOptions(resolved, { hostname: 'host' }), inputs, ports);
  }
  async function manifests(): Promise<Manifest[]> {
    const folder = join(data, 'sealed');
    const names = (await fs.readdir(folder)).filter((name) => name.endsWith('.json')).sort();
    return Promise.all(
      names.map(async (name) => decodeManifest(await fs.readFile(join(folder, name), 'utf8'), name)),
    );
  }

  it('ends by itself when its sources have, with everything sealed', async () => {
    const summary = await record([
      scripted((emit) => {
        for (let n = 1; n <= 100; n++) emit(message(channel('/a'), Buffer.alloc(n), n));
      }),
    ]);
    assert.equal(summary.durable, 100);
    assert.equal(summary.waitingSegments, 0);
    const [manifest] = firstOf(1, await manifests());
    assert.deepEqual([manifest.messages, manifest.uncleanEnd], [100, false]);
    assert.deepEqual(await fs.readdir(join(data, 'wal')), []);
  });

  it('ends within seconds and says why when its data folder is removed, or replaced', async () => {
    for (const change of ['removed', 'replaced by another folder']) {
      const recorder = await open([
        scripted(async (emit, { signal }) => {
          for (let n = 1; !signal.aborted; n++) {
            emit(message(channel('/a'), Buffer.alloc(100, n), n));
            await sleep(20);
          }
        }),
      ]);
      // One look at the folder as it was.
      await sleep(1500);
      await fs.rm(data, { recursive: true, force: true });
      if (change !== 'removed') await fs.mkdir(join(data, 'wal'), { recursive: true });
      await assert.rejects(recorder.done, (error: unknown) => {
        assert.ok(error instanceof HoldfastError && error.code === 'DATA_FOLDER_GONE', String(error));
        assert.ok(error.message.includes(change), error.message);
        return true;
      });
      await fs.rm(data, { recursive: true, force: true });
    }
  });

  it('keeps a failing source to itself and says so', async () => {
    const summary = await record([
      scripted(() => {
        throw new HoldfastError('SOURCE_UNREADABLE', 'no such thing');
      }),
      scripted((emit) => emit(message(channel('/b'), Buffer.from('b')))),
    ]);
    assert.equal(summary.durable, 1);
    assert.equal(summary.failedSources.length, 1);
  });

  it('loses nothing of a source that can wait, however small the queues', async () => {
    const summary = await record(
      [
        scripted(async (emit, { flow }) => {
          for (let n = 1; n <= 3_000; n++) {
            await flow.whenReady();
            emit(message(channel('/big'), Buffer.alloc(10_000, n), n));
          }
        }, true),
      ],
      { 'queue.max_bytes': '64KiB', 'queue.total_max_bytes': '128KiB' },
    );
    assert.equal(summary.durable, 3_000);
    assert.equal(summary.dropped, 0);
  });

  it('counts the messages of a flood that do not fit, by their numbers, and keeps the quiet neighbour complete', async () => {
    const flood = channel('/flood');
    const calm = channel('/calm');
    const summary = await record(
      [
        scripted((emit) => {
          for (let n = 1; n <= 5_000; n++) emit(message(flood, Buffer.alloc(1_000, n), n));
          for (let n = 1; n <= 5; n++) emit(message(calm, Buffer.from('calm'), n));
        }),
      ],
      { 'queue.max_bytes': '64KiB', 'queue.total_max_bytes': '1MiB', 'batch.max_bytes': '64KiB' },
    );
    assert.ok(summary.dropped > 0);
    assert.equal(summary.durable + summary.dropped, 5_005);
    const all = await manifests();
    const gaps = all.flatMap(manifestGaps);
    assert.equal(
      gaps.reduce((sum, { count }) => sum + (count ?? 0), 0),
      summary.dropped,
    );
    assert.ok(gaps.every(({ topic, reason }) => topic === '/flood' && reason === 'queue_full_drop_oldest'));
    const calmCount = all.flatMap(({ channels }) => channels).find(({ topic }) => topic === '/calm')?.count;
    assert.equal(calmCount, 5);
  });

  it('records a message that fits its queue, and drops a larger one with a gap', async () => {
    const summary = await record(
      [
        scripted((emit) => {
          emit(message(channel('/huge'), Buffer.alloc(300_000), 1));
          emit(message(channel('/monster'), Buffer.alloc(3_000_000), 1));
        }),
      ],
      { 'queue.max_bytes': '512KiB', 'queue.total_max_bytes': '1MiB' },
    );
    assert.equal(summary.durable, 1);
    const [gap] = firstOf(1, (await manifests()).flatMap(manifestGaps));
    assert.deepEqual([gap.reason, gap.topic, gap.bytes], ['message_too_large', '/monster', 3_000_000]);
  });

  it('holds 5,000 topics, and names that try to leave their folder', async () => {
    const names = ['../../etc/passwd', '/', '\u0000nul', 'ü'.repeat(2_000), '..', 'a/../../b'];
    const summary = await record([
      scripted((emit) => {
        for (let n = 0; n < 5_000; n++) emit(message(channel(`/topic/${n}`), Buffer.from([n & 255])));
        for (const name of names) emit(message(channel(name, name), Buffer.from('x')));
      }),
    ]);
    assert.equal(summary.durable, 5_000 + names.length);
    const all = await manifests();
    assert.deepEqual(new Set(all.map(({ robot }) => robot)), new Set(['robot1', ...names]));
    const root = await fs.readdir(join(data, '..'));
    assert.deepEqual(root, ['data'], 'nothing outside the data folder');
    for (const { key } of all) {
      assert.ok(Buffer.byteLength(key) <= 1_024 && !key.split('/').includes('..'), key.slice(0, 80));
    }
  });

  it('turns a reconnect of a numbering source into gaps that cover exactly the missing messages', async () => {
    const of = channel('/numbered');
    const summary = await record([
      scripted((emit) => {
        for (let n = 1; n <= 10; n++) emit(message(of, Buffer.from('x'), n));
        emit({ kind: 'numbering', channel: of, delivered: 12, next: 20 });
        for (let n = 20; n <= 25; n++) emit(message(of, Buffer.from('x'), n));
        emit(message(of, Buffer.from('x'), 28));
      }),
    ]);
    assert.equal(summary.durable, 17);
    const ranges = (await manifests())
      .flatMap(manifestGaps)
      .map((gap) => [gap.reason, gap.firstSourceSequence, gap.lastSourceSequence]);
    assert.deepEqual(ranges, [
      ['source_lost', 11, 12],
      ['missed_while_down', 13, 19],
      ['source_lost', 26, 27],
    ]);
  });

  it('counts what comes during a pause as gaps and continues after it', async () => {
    const of = channel('/paused');
    const [first, paused, second, resumed] = [new Gate(), new Gate(), new Gate(), new Gate()];
    const recorder = await open([
      scripted(async (emit) => {
        emit(message(of, Buffer.from('1'), 1));
        first.open();
        await paused.opened;
        emit(message(of, Buffer.from('2'), 2));
        second.open();
        await resumed.opened;
        emit(message(of, Buffer.from('3'), 3));
      }),
    ]);
    await first.opened;
    recorder.pause();
    assert.equal(recorder.status().state, 'paused');
    paused.open();
    await second.opened;
    recorder.resume();
    resumed.open();
    const summary = await recorder.done;
    assert.equal(summary.durable, 2);
    assert.deepEqual(
      (await manifests()).flatMap(manifestGaps).map(({ reason, count }) => [reason, count]),
      [['paused', 1]],
    );
  });

  it('records on while the wall clock jumps back, and writes the jump down', async () => {
    const real = systemPorts(silentLogger);
    let offset = 0n;
    const ports: SystemPorts = { ...real, clock: { ...real.clock, now: () => real.clock.now() + offset } };
    const of = channel('/clock');
    const recorder = await open(
      [
        scripted(async (emit, { clock }) => {
          emit(message(of, Buffer.from('before'), 1, clock.now()));
          offset = -3_600_000_000_000n;
          await sleep(1_300);
          emit(message(of, Buffer.from('after'), 2, clock.now()));
        }),
      ],
      {},
      ports,
    );
    const summary = await recorder.done;
    assert.equal(summary.durable, 2);
    const [manifest] = firstOf(1, await manifests());
    assert.equal(manifest.clockSteps.length, 1);
    assert.ok(Number(manifest.clockSteps[0]!.stepNs) < -3.5e12);
    assert.ok(BigInt(manifest.firstLogTime ?? 0) < BigInt(manifest.lastLogTime ?? 0));
  });

  it('refuses a second recorder on the same data folder and lets the first continue', async () => {
    const end = new Gate();
    const first = await open([
      scripted(async (emit) => {
        emit(message(channel('/a'), Buffer.from('1')));
        await end.opened;
      }),
    ]);
    await assert.rejects(open([]), { code: 'DATA_FOLDER_BUSY' });
    end.open();
    assert.equal((await first.done).durable, 1);
  });

  it('numbers on over restarts and never uses a segment number or sequence twice', async () => {
    for (let run = 0; run < 3; run++) {
      await record([scripted((emit) => emit(message(channel('/a'), Buffer.from([run]))))]);
    }
    const all = await manifests();
    assert.deepEqual(
      all.map(({ firstSequence }) => firstSequence),
      [1, 2, 3],
    );
    assert.equal(new Set(all.map(({ segment }) => segment.number)).size, 3);
  });

  it('carries latched messages into every later segment', async () => {
    const latched = channel('/map', 'robot1', true);
    const split = new Gate();
    const recorder = await open([
      scripted(async (emit) => {
        emit(message(latched, Buffer.from('the map'), 1));
        emit(message(channel('/a'), Buffer.from('1'), 1));
        await split.opened;
        emit(message(channel('/a'), Buffer.from('2'), 2));
      }),
    ]);
    await eventually(() => recorder.status().totals.durable === 2, 'the first segment');
    await recorder.split();
    split.open();
    await recorder.done;
    const all = await manifests();
    assert.equal(all.length, 2);
    const map = all[1]?.channels.find(({ topic }) => topic === '/map');
    assert.deepEqual([map?.count, map?.carried], [0, 1]);
    assert.equal(all[1]?.messages, 1);
  });
});
