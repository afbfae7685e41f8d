import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { FetchFolder } from '../../src/core/fetch-folder.js';
import {
  encodeRequest,
  requestKey,
  requestPrefix,
  type FetchAnswer,
  type FetchRequest,
} from '../../src/core/fetch-request.js';
import { present } from '../../src/core/present.js';
import {
  listRequests,
  prepareRequest,
  requestSegments,
  withdrawRequest,
  type KnownRequest,
} from '../../src/recordings/fetch.js';
import type { SyncEngine } from '../../src/sync/sync-engine.js';
import { eventually } from '../../src/testing/waiting.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, realClock, SyncWorld, type Sealed } from './sync-world.js';

describe('requests for segments in the store', function () {
  this.timeout(30_000);
  let world: SyncWorld;
  let store: MemoryStore;
  let sealed: Sealed[];
  let engine: SyncEngine | undefined;

  beforeEach(async () => {
    world = await SyncWorld.create();
    store = new MemoryStore();
    // Their messages are at 1, 2, 3 and 4 s.
    sealed = [];
    for (const topic of ['/a', '/b', '/a', '/b']) {
      const channel = { topic, type: 't', encoding: 'cdr', schemaEncoding: '', latched: false };
      const channels = [{ ...channel, count: 1, bytes: 1, carried: 0 }];
      sealed.push(await world.seal(2 * KIB, { manifest: { channels } }));
    }
  });
  afterEach(async () => {
    await stop();
    await world[Symbol.asyncDispose]();
  });

  const options = { upload: 'requested', requestPollMs: 5 } as const;
  async function start(): Promise<void> {
    engine = await world.open(store, { options });
    void engine.run(new AbortController().signal).catch(() => undefined);
  }
  async function stop(): Promise<void> {
    await engine?.close();
    engine = undefined;
  }
  const S = 1_000_000_000n;
  const ask = (from: bigint, to: bigint, topics?: string[], days = 1): Promise<FetchRequest> =>
    requestSegments(
      store,
      { robot: 'r1', from, to, days, ...(topics && { topics }), by: 'ada' },
      { now: realClock.now(), random: randomBytes },
    );
  const known = async (): Promise<KnownRequest[]> => listRequests(store, 'r1', () => undefined);
  const stateOf = async ({ id }: FetchRequest): Promise<KnownRequest | undefined> =>
    (await known()).find(({ request }) => request.id === id);
  const ends = (request: FetchRequest, state = 'done'): Promise<KnownRequest> =>
    eventually(async () => {
      const one = await stateOf(request);
      return one?.state === state ? one : undefined;
    }, `the request is ${state}`);
  const stored = (): number[] =>
    sealed.flatMap(({ manifest }, n) => (store.content.objects.has(manifest.key) ? [n + 1] : []));

  it('make sync upload what matches, and nothing else, and are answered with what it has', async () => {
    const request = await ask(2n * S, 3n * S);
    await start();
    const { answers } = await ends(request);
    assert.deepEqual(stored(), [2, 3]);
    const [answer] = answers;
    assert.deepEqual(
      [answer?.matched, answer?.stored],
      [
        { segments: 2, bytes: 4 * KIB },
        { segments: 2, bytes: 4 * KIB },
      ],
    );
    assert.deepEqual(
      answer?.segments.map(({ name, state }) => [name, state]),
      [sealed[1], sealed[2]].map((one) => [one?.name, 'stored']),
    );
    assert.equal(engine?.status().segments.held, 2);
  });

  it('choose by topics', async () => {
    const request = await ask(0n, 9n * S, ['/b*']);
    await start();
    await ends(request);
    assert.deepEqual(stored(), [2, 4]);
  });

  it('survive a restart, and a request that is done is not worked on again', async () => {
    let isDown = true;
    store.faults = ({ method, key }) => {
      if (isDown && method !== 'read' && key.endsWith('.mcap')) throw new Error('link lost');
      return undefined;
    };
    const request = await ask(1n * S, 1n * S);
    await start();
    await eventually(async () => (await stateOf(request))?.answers.length === 1, 'it is answered');
    await stop();
    isDown = false;
    await start();
    await ends(request);
    assert.deepEqual(stored(), [1]);
    await stop();
    const from = store.calls.length;
    await start();
    const second = await ask(4n * S, 4n * S);
    await ends(second);
    assert.deepEqual(stored(), [1, 4]);
    const again = store.calls.slice(from).filter(({ key }) => key.includes(request.id));
    assert.deepEqual(
      again.filter(({ method }) => method === 'put'),
      [],
    );
  });

  it('say what is gone and why, by tombstones here and in the store', async () => {
    const day = new Date(0).toISOString().slice(0, 10);
    const [first, second] = [present(sealed[0]), present(sealed[1])];
    for (const one of [first, second]) {
      const key = one.manifest.key.replace('2026-11-21', day);
      Object.assign(one.manifest, { key });
      await world.evict(one);
    }
    // The tombstone of the first goes into the store before anybody asks.
    await start();
    await eventually(
      () =>
        [first, second].every(({ manifest }) =>
          store.content.objects.has(manifest.key.replace('.mcap', '.json')),
        ),
      'the tombstones are in the store',
    );
    const request = await ask(0n, 3n * S);
    const { answers } = await ends(request);
    assert.deepEqual(
      answers[0]?.gone.map(({ name, reason, messages }) => [name, reason, messages]).sort(),
      [first, second].map(({ name }) => [name, 'quota', 1]).sort(),
    );
    assert.deepEqual(stored(), [3]);
  });

  it('stay open while a part of the time is being recorded', async () => {
    const open = join(world.folder.wal, '000000000009-0123456789abcdef0123456789abcdef');
    await fs.mkdir(open, { recursive: true });
    await fs.writeFile(join(open, '000003.log'), 'x');
    const now = realClock.now();
    const request = await ask(4n * S, now + 300_000_000n);
    await start();
    await eventually(
      async () => (await stateOf(request))?.answers[0]?.stored.segments === 1,
      'the sealed part',
    );
    await eventually(() => realClock.now() > now + 400_000_000n, 'the time has passed');
    assert.deepEqual(
      [(await stateOf(request))?.state, (await stateOf(request))?.answers[0]?.isRecording],
      ['sending', true],
    );
    await fs.rm(open, { recursive: true });
    const { answers } = await ends(request);
    assert.equal(answers[0]?.isRecording, false);
  });

  const inFolder = async (from: bigint, to: bigint): Promise<FetchRequest> => {
    const facts = { now: realClock.now(), random: randomBytes };
    const request = prepareRequest({ robot: 'r1', from, to, days: 1 }, facts);
    await new FetchFolder(fs, world.folder.requests).replace('r1', [request]);
    engine?.syncNow();
    return request;
  };
  const answered = (request: FetchRequest, state: string): Promise<FetchAnswer> =>
    eventually(async () => {
      const answers = await new FetchFolder(fs, world.folder.requests).answers('r1');
      return answers.find(({ answer }) => answer.id === request.id && answer.state === state)?.answer;
    }, `the answer is ${state}`);

  it('that came over the uplink are answered in the data folder, also if the store is not polled', async () => {
    const request = await inFolder(2n * S, 3n * S);
    engine = await world.open(store, { options: { ...options, requestPollMs: 0 } });
    void engine.run(new AbortController().signal).catch(() => undefined);
    const answer = await answered(request, 'done');
    assert.deepEqual(stored(), [2, 3]);
    assert.deepEqual(answer.stored, { segments: 2, bytes: 4 * KIB });
    assert.deepEqual(await known(), []);
  });

  it('that came over the uplink survive a restart, and end when the recorder removes them', async () => {
    let isDown = true;
    store.faults = ({ method, key }) => {
      if (isDown && method !== 'read' && key.endsWith('.mcap')) throw new Error('link lost');
      return undefined;
    };
    const request = await inFolder(1n * S, 1n * S);
    await start();
    await eventually(
      async () => (await new FetchFolder(fs, world.folder.requests).answers('r1')).length === 1,
      'it is answered',
    );
    await stop();
    isDown = false;
    await start();
    await answered(request, 'done');
    assert.deepEqual(stored(), [1]);
    const second = await inFolder(4n * S, 4n * S);
    await answered(second, 'done');
    assert.deepEqual(stored(), [1, 4]);
    assert.deepEqual(
      (await fs.readdir(world.folder.requests)).filter((name) => name.startsWith(request.id)),
      [],
    );
  });

  it('that are malformed, forged or expired harm nothing, and delay no other', async () => {
    const prefix = requestPrefix('r1');
    const hex = (digit: string): string => digit.repeat(32);
    const good = await ask(3n * S, 3n * S);
    const put = (key: string, text: string): unknown => store.content.objects.set(key, Buffer.from(text));
    put(`${prefix}${hex('a')}.json`, 'no JSON');
    put(`${prefix}${hex('b')}.json`, '[]');
    put(`${prefix}${hex('c')}.json`, encodeRequest({ ...good, id: hex('c'), robot: 'r2' }));
    put(`${prefix}${hex('d')}.json`, encodeRequest({ ...good, id: hex('d'), from: '9', to: '1' }));
    put(`${prefix}${hex('e')}.json`, `"${'x'.repeat(70_000)}"`);
    put(
      `${prefix}${hex('f')}.json`,
      encodeRequest({
        ...good,
        id: hex('f'),
        from: '0',
        createdAt: String(realClock.now() - 7_200n * S),
        expiresAt: String(realClock.now() - S),
      }),
    );
    put(`${prefix}x.json`, '{}');
    put(`${prefix}${good.id}.${'0'.repeat(16)}.answer`, '{"state":"done"}');
    await start();
    const { answers } = await ends(good);
    assert.equal(answers.length, 1);
    await eventually(
      async () => (await stateOf({ ...good, id: hex('f') }))?.state === 'expired',
      'the expired one',
    );
    const refused = await eventually(
      async () => (await stateOf({ ...good, id: hex('d') }))?.answers.at(0),
      'the refused one',
    );
    assert.deepEqual([refused.state, refused.reason], ['refused', 'from (9) is after to (1)']);
    assert.deepEqual(stored(), [3]);
  });

  it('end when they are withdrawn', async () => {
    const open = join(world.folder.wal, '000000000009-0123456789abcdef0123456789abcdef');
    await fs.mkdir(open, { recursive: true });
    await fs.writeFile(join(open, '000003.log'), 'x');
    const request = await ask(9n * S, realClock.now());
    await start();
    await eventually(async () => (await stateOf(request))?.answers.length === 1, 'it is answered');
    await withdrawRequest(store, request);
    assert.equal(store.content.objects.has(requestKey(request)), false);
    await eventually(async () => (await known()).length === 0, 'nobody works on it');
  });
});
