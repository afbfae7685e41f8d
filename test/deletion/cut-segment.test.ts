import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../src/core/errors.js';
import type { GapJson } from '../../src/core/gap.js';
import { decodeManifest, encodeManifest, manifestKey, type Manifest } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import type { DeletionRequest } from '../../src/deletion/deletion-request.js';
import { remainderId } from '../../src/deletion/remainder-name.js';
import { newIdentity, recipientOf } from '../../src/encryption/wrapped-key.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { verify } from '../../src/recordings/verify.js';
import { testIdentity, testRecipient } from '../support/encrypted-segments.js';
import { CHAT_MESSAGES, segmentIdOf, SECOND, START } from '../recordings/sealed-fixture.js';
import { DeletionWorld, timesOf, type Content } from './deletion-world.js';

const MS = 1_000_000n;
/** Segment 1 keeps its first 20 messages, segment 2 none, and segment 3 the messages after the first 26. */
const window: DeletionRequest = {
  robot: 'r1',
  from: START + 10n * SECOND + 200n * MS,
  to: START + 30n * SECOND + 250n * MS,
};
const goes = (text: string): boolean => {
  const [, segment, line] = /^r1 segment (\d) line (\d+)$/.exec(text) ?? [];
  if (segment === undefined) return false;
  return segment === '2' || (segment === '1' ? Number(line) >= 20 : Number(line) <= 25);
};

describe('the deletion of parts of segments', () => {
  let world: DeletionWorld;
  beforeEach(async () => {
    world = await DeletionWorld.make();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  const remainderOf = (number: number, request = window): string => remainderId(segmentIdOf(number), request);

  async function all(where: 'folder' | 'store'): Promise<Content[]> {
    return [...(await world.contentOf(where, 'r1')).values()];
  }

  const chatsOf = (contents: readonly Content[]): string[] =>
    contents.flatMap(({ messages }) => messages.filter((text) => text.startsWith('r1 segment'))).sort();

  async function assertSound(): Promise<void> {
    await using files = new FilePool(fs);
    for (const located of [
      { kind: 'data', folder: world.folder },
      { kind: 'store', store: world.store },
    ] as const) {
      const { findings } = await verify(located, { files, keyring: world.keyring });
      assert.deepEqual(findings, []);
    }
  }

  function tombstoneOf(number: number): Manifest {
    const [key] = [...world.content.objects.keys()].filter(
      (one) => one.includes('robot=r1/') && one.endsWith(`${segmentIdOf(number)}.json`),
    );
    return decodeManifest(present(world.content.objects.get(present(key))).toString(), 'a tombstone');
  }

  /** What is left is what was there without what goes; the same in folder and store, and every count adds up. */
  async function assertCut(): Promise<void> {
    for (const where of ['folder', 'store'] as const) {
      const contents = await all(where);
      const lines = Array.from({ length: CHAT_MESSAGES }, (_, line) => line);
      const before = [1, 2, 3].flatMap((segment) =>
        lines.map((line) => `r1 segment ${segment} line ${line}`),
      );
      assert.deepEqual(chatsOf(contents), before.filter((text) => !goes(text)).sort());
      assert.deepEqual(
        contents.map(({ manifest }) => manifest.segment.id),
        [remainderOf(1), remainderOf(3)],
      );
      const [first] = contents;
      assert.ok(present(first).messages.includes('transform of r1'));
    }
    await assertSound();
  }

  it('replaces the segments at the edges by segments with the rest, in folder and store', async () => {
    const before = await all('store');
    const { places } = await world.plan(window);
    for (const { remove } of places)
      assert.deepEqual(
        remove.map(({ part }) => part),
        [true, undefined, true],
      );
    const { receipt } = await world.run(window);
    await assertCut();
    const recorded = before.reduce((sum, { manifest }) => sum + manifest.messages, 0);
    const left = (await all('store')).reduce((sum, { manifest }) => sum + manifest.messages, 0);
    const gone = [1, 2, 3].reduce((sum, number) => sum + tombstoneOf(number).messages, 0);
    assert.equal(left + gone, recorded);
    for (const { removed, kept } of receipt.places) {
      assert.deepEqual(kept, []);
      assert.deepEqual(
        removed.map(({ messages }) => messages),
        [30, 50, 26],
      );
      assert.deepEqual(
        removed.map(({ remainder }) => remainder?.messages),
        [21, undefined, 24],
      );
    }
    const [byFolder, byStore] = receipt.places.map(({ removed }) =>
      removed.map((one) => one.remainder?.crc32),
    );
    assert.deepEqual(byFolder, byStore);
  });

  it('says in the remainder what it was made of, what was removed, and that it was asked for', async () => {
    const source = (await all('folder'))[0];
    await world.run(window);
    const [{ manifest, metadata }] = (await all('folder')) as [Content];
    const { file, messages, payloadBytes } = present(source).manifest;
    assert.deepEqual(manifest.derived, {
      version: 1,
      source: {
        segment: segmentIdOf(1),
        ...{ bytes: file.bytes, sha256: file.sha256, crc32: file.crc32, messages, payloadBytes },
      },
      stages: [
        {
          name: 'delete',
          version: 1,
          rule: JSON.stringify({ from: String(window.from), to: String(window.to) }),
        },
      ],
    });
    const gap = manifest.gaps.at(-1) as GapJson;
    assert.deepEqual(gap, {
      ...{ id: `deleted-${remainderOf(1)}`, reason: 'deleted', robot: 'r1', topic: '/r1/chat', count: 30 },
      ...{
        bytes: gap.bytes,
        firstTime: String(window.from),
        lastTime: String(START + 10n * SECOND + 490n * MS),
      },
      detail: 'deleted on request',
    });
    assert.match(metadata, new RegExp(`"made_from":"${segmentIdOf(1)}"`));
    const tombstone = tombstoneOf(1);
    assert.equal(tombstone.deleted?.remainder, remainderOf(1));
    assert.deepEqual(tombstone.gaps.at(-1), gap);
    assert.deepEqual([manifest.firstSequence, manifest.lastSequence], [1, 103]);
  });

  it('removes some topics and leaves the others', async () => {
    const request = { robot: 'r1', ...timesOf(1, 3), topics: ['/r1/tf*'] };
    await world.run(request);
    for (const where of ['folder', 'store'] as const) {
      const contents = await all(where);
      assert.equal(chatsOf(contents).length, 3 * CHAT_MESSAGES);
      assert.ok(!contents[0]?.messages.includes('transform of r1'));
      assert.deepEqual(
        contents[0]?.manifest.channels.map(({ topic }) => topic),
        ['/r1/chat'],
      );
    }
    await assertSound();
  });

  it('ends in the same state after a kill at every step', async function () {
    this.timeout(240_000);
    await world[Symbol.asyncDispose]();
    world = await DeletionWorld.make(1);
    const restore = await world.snapshot();
    await world.run(window);
    const wanted = await world.state();
    let points = 0;
    for (; ; points++) {
      await restore();
      const isOver = await world.runUntil(window, points + 1);
      // Until the end, what has to stay is in a segment with its manifest.
      for (const where of ['folder', 'store'] as const) {
        const there = new Set(chatsOf(await all(where)));
        for (let line = 0; line < 20; line++)
          assert.ok(there.has(`r1 segment 1 line ${line}`), `${where}, step ${points + 1}`);
      }
      if (isOver) break;
      if (!(await world.isState(wanted))) await world.run(window);
      assert.deepEqual(await world.state(), wanted, `killed at step ${points + 1}`);
    }
    assert.ok(points > 50, `only ${points} steps`);
    await assertSound();
  });

  it('leaves no byte of what was removed in any file of folder and store', async () => {
    const marker = randomBytes(48).toString('base64url');
    await world[Symbol.asyncDispose]();
    world = await DeletionWorld.make(3, {
      textOf: (robot, segment, line) =>
        robot === 'r1' && segment === 2 && line === 7 ? marker : `${robot} segment ${segment} line ${line}`,
      compression: 'none',
    });
    const from = START + 20n * SECOND + 70n * MS;
    const found = async (): Promise<number> =>
      Object.values(await world.state()).filter((bytes) => bytes.includes(marker)).length +
      [...(await all('folder')), ...(await all('store'))].filter(
        ({ messages, metadata }) => messages.join().includes(marker) || metadata.includes(marker),
      ).length;
    assert.ok((await found()) > 0);
    await world.run({ robot: 'r1', from, to: from });
    assert.equal(await found(), 0);
    assert.equal(chatsOf(await all('store')).length, 3 * CHAT_MESSAGES - 1);
    await assertSound();
  });

  it('cuts encrypted segments with an identity, for the same recipients', async () => {
    const other = newIdentity();
    await world.encrypt([testRecipient, recipientOf(other)]);
    const plan = await world.plan(window);
    for (const { remove, keep } of plan.places) {
      assert.equal(remove.length, 1);
      assert.deepEqual(
        keep.map(({ why }) => /only a part of it would go, .* with --identity/.test(why)),
        [true, true],
      );
    }
    world.keyring = { identities: [testIdentity] };
    await world.run(window);
    await assertCut();
    world.keyring = { identities: [other] };
    await assertCut();
    for (const { manifest } of await all('store')) assert.equal(manifest.encryption?.keys.length, 2);
  });

  it('asks for a symmetric key of which it knows only the name', async () => {
    const shared = { kind: 'symmetric', key: randomBytes(32) } as const;
    await world.encrypt([testRecipient, shared]);
    world.keyring = { identities: [testIdentity] };
    const [place] = (await world.plan(window)).places;
    assert.match(present(place?.keep[0]).why, /must stay readable with key:[0-9a-f]{16}: give this key/);
    world.keyring = { identities: [testIdentity, shared] };
    await world.run(window);
    world.keyring = { identities: [shared] };
    await assertCut();
  });

  it('keeps a segment as a whole if a hold lies on another part of it', async () => {
    const [, store] = world.places();
    await store.holds.write({
      ...{
        format: 'holdfast-hold',
        version: 1,
        id: '00000000000000aa',
        robot: 'r1',
        by: 'law',
        reason: 'case 17',
      },
      ...{ from: String(START + 10n * SECOND), to: String(START + 10n * SECOND + MS), at: '1' },
    });
    const { receipt } = await world.run(window);
    for (const { removed, kept } of receipt.places) {
      assert.deepEqual(
        removed.map(({ messages }) => messages),
        [50, 26],
      );
      assert.deepEqual(
        kept.map(({ why }) => why),
        ['legal hold 00000000000000aa: case 17'],
      );
    }
    assert.equal(
      chatsOf(await all('store')).filter((text) => text.includes('segment 1')).length,
      CHAT_MESSAGES,
    );
  });

  it('leaves a segment that has nothing in the time, although its times fit', async () => {
    const at = START + 10n * SECOND + 205n * MS;
    const before = await all('folder');
    const { receipt } = await world.run({ robot: 'r1', from: at, to: at + MS });
    for (const { removed, kept } of receipt.places) assert.deepEqual([removed, kept], [[], []]);
    assert.deepEqual(await all('folder'), before);
    await assertSound();
  });

  it('does nothing more when the same request is made again', async () => {
    await world.run(window);
    const before = await all('store');
    const plan = await world.plan(window);
    assert.deepEqual(
      plan.places.map(({ remove, keep }) => [remove, keep]),
      [
        [[], []],
        [[], []],
      ],
    );
    await world.run(window);
    assert.deepEqual(await all('store'), before);
  });

  it('cuts what an earlier deletion has left', async () => {
    await world.run(window);
    await world.run({ ...window, from: window.from - 100n * MS, to: window.to + 100n * MS });
    assert.deepEqual(
      (await all('folder')).map(({ manifest }) => [manifest.messages, manifest.derived?.stages.length]),
      [
        [11, 2],
        [14, 2],
      ],
    );
    await assertSound();
  });

  it('takes the remainder back if the store refuses to remove the segment', async () => {
    const before = new Map(world.content.objects);
    world.store.faults = ({ method, key }, phase) => {
      if (method === 'delete' && phase === 'before' && key.includes(segmentIdOf(1)))
        throw new HoldfastError('STORE_REJECTED', 'object lock');
    };
    const request = { ...window, to: START + 19n * SECOND };
    const { receipt } = await world.run(request);
    assert.match(present(receipt.places[1]?.kept[0]).why, /the store refuses.*object lock/);
    assert.deepEqual(world.content.objects, before);
  });

  it('keeps a damaged segment and says so', async () => {
    const path = join(world.folder.sealed, `${segmentIdOf(1)}.r1.mcap`);
    const bytes = await fs.readFile(path);
    bytes[200]! ^= 1;
    await fs.writeFile(path, bytes);
    const { receipt } = await world.run(window);
    assert.match(
      present(receipt.places[0]?.kept[0]).why,
      /a part of it cannot be removed: .*its sums are others/,
    );
    assert.deepEqual(await fs.readFile(path), bytes);
    assert.deepEqual(
      (await fs.readdir(world.folder.sealed)).filter((name) => name.endsWith('.tmp')),
      [],
    );
  });

  it('keeps a segment whose manifest counts other messages than it has', async () => {
    const name = [...world.content.objects.keys()].find(
      (key) => key.endsWith(`${segmentIdOf(1)}.json`) && key.includes('=r1/'),
    );
    const manifest = decodeManifest(present(world.content.objects.get(present(name))).toString(), 'm');
    const wrong = { ...manifest, messages: manifest.messages + 1 };
    world.content.objects.set(present(name), Buffer.from(encodeManifest(wrong)));
    const { receipt } = await world.run(window);
    assert.match(present(receipt.places[1]?.kept[0]).why, /has 51 messages, its manifest says 52/);
    assert.ok(world.content.objects.has(present(name).replace(/json$/, 'mcap')));
    assert.ok(!world.content.objects.has(manifestKey(present(name)).replace(segmentIdOf(1), remainderOf(1))));
  });
});
