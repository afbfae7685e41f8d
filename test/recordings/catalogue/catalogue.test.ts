import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Level } from 'level';
import { present } from '../../../src/core/present.js';
import { encodeManifest, type Manifest } from '../../../src/core/manifest.js';
import { silentLogger } from '../../../src/core/logger.js';
import {
  openCatalogueCache,
  type CatalogueCache,
} from '../../../src/recordings/catalogue/catalogue-cache.js';
import {
  READ_AT_ONCE,
  readCatalogue,
  type CatalogueEntry,
} from '../../../src/recordings/catalogue/read-catalogue.js';
import { FilePool } from '../../../src/recordings/file-readable.js';
import { listSegments, type Problem } from '../../../src/recordings/segments.js';
import { runCli } from '../../support/cli.js';
import { MemoryStore, MemoryStoreContent } from '../../support/memory-store.js';
import { syntheticManifest } from '../../support/synthetic-manifest.js';
import { sleep } from '../../../src/testing/waiting.js';

const SEGMENTS = 60;

describe('the catalogue of a store', function () {
  this.timeout(60_000);
  let folder: string;
  let content: MemoryStoreContent;
  let reads: string[];
  let running: number;
  let most: number;
  let store: MemoryStore;

  const put = (manifest: Manifest, what: { object?: boolean; manifest?: boolean } = {}): void => {
    if (what.object !== false) content.objects.set(manifest.key, Buffer.from('mcap'));
    const text = encodeManifest(manifest);
    if (what.manifest !== false) content.objects.set(keyOf(manifest), Buffer.from(text));
  };
  const keyOf = ({ key }: Manifest): string => key.replace(/\.mcap$/, '.json');
  const openCache = (): Promise<CatalogueCache | undefined> =>
    openCatalogueCache(fs, silentLogger, folder, 's'.repeat(32));
  const read = async (cache: CatalogueCache | undefined, robots?: string[]): Promise<CatalogueEntry[]> => {
    reads = [];
    const entries = [];
    for await (const entry of readCatalogue(store, { cache, ...(robots && { robots }) })) entries.push(entry);
    return entries;
  };
  const readWithCache = async (robots?: string[]): Promise<CatalogueEntry[]> => {
    await using cache = await openCache();
    assert.ok(cache !== undefined);
    return await read(cache, robots);
  };

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-catalogue-'));
    content = new MemoryStoreContent();
    [reads, running, most] = [[], 0, 0];
    store = new MemoryStore({
      content,
      faults: async ({ method, key }, phase) => {
        if (method !== 'read') return;
        if (phase === 'before') {
          reads.push(key);
          most = Math.max(most, ++running);
          await sleep(1);
        } else {
          running--;
        }
      },
    });
    for (let i = 0; i < SEGMENTS; i++) put(syntheticManifest(i));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('reads each manifest once, many at a time but not all, and none the second time', async () => {
    const first = await readWithCache();
    assert.equal(reads.length, SEGMENTS);
    assert.ok(most > 1 && most <= READ_AT_ONCE, String(most));
    const keys = first.map(({ object }) => present(object).key);
    assert.deepEqual(keys, [...keys].sort());
    const second = await readWithCache();
    assert.deepEqual(reads, []);
    assert.deepEqual(second, first);
    assert.deepEqual(await read(undefined), first);
    assert.equal(reads.length, SEGMENTS);
  });

  it('reads only new and changed manifests, and forgets removed ones', async () => {
    await readWithCache();
    put(syntheticManifest(SEGMENTS));
    const changed = { ...syntheticManifest(3), messages: 123456 };
    put(changed);
    const gone = syntheticManifest(5);
    content.objects.delete(gone.key);
    content.objects.delete(keyOf(gone));
    const entries = await readWithCache();
    assert.deepEqual([...reads].sort(), [keyOf(changed), keyOf(syntheticManifest(SEGMENTS))].sort());
    const found = entries.find(({ object }) => object?.key === changed.key);
    assert.equal(found?.summary?.messages, 123456);
    assert.ok(!entries.some(({ object }) => object?.key === gone.key));
    put(gone);
    await readWithCache();
    assert.deepEqual(reads, [keyOf(gone)]);
  });

  it('keeps what it has read when it is interrupted', async () => {
    await using cache = await openCache();
    for await (const _ of readCatalogue(store, { cache })) break;
    const before = reads.length;
    await read(cache);
    assert.ok(reads.length < SEGMENTS && reads.length + before === SEGMENTS, `${before}, ${reads.length}`);
  });

  it('lists only the robots that are asked for, and forgets nothing of the others', async () => {
    await readWithCache();
    const one = await readWithCache(['robot 1']);
    assert.ok(one.length > 0 && one.every(({ summary }) => present(summary).robot === 'robot 1'));
    assert.deepEqual(reads, []);
    await readWithCache();
    assert.deepEqual(reads, []);
  });

  it('is rebuilt if the cache is damaged, has another version, or has other bytes than were written', async () => {
    const expected = await readWithCache();
    const path = join(folder, 's'.repeat(32));
    const damages: Record<string, () => Promise<void>> = {
      'its CURRENT names nothing': () => fs.writeFile(join(path, 'CURRENT'), 'MANIFEST-999999\n'),
      'its files are noise': async () => {
        for (const name of await fs.readdir(path)) await fs.writeFile(join(path, name), 'noise '.repeat(500));
      },
      'another version wrote it': async () => {
        const level = new Level(path);
        await level.put('version', '999');
        await level.close();
      },
      'a value was changed': async () => {
        const level = new Level(path);
        for await (const [key, value] of level.iterator()) {
          if (key !== 'version') await level.put(key, value.replace('"messages":', '"messages":9'));
        }
        await level.close();
      },
      'a value is no value': async () => {
        const level = new Level(path);
        for await (const key of level.keys()) if (key !== 'version') await level.put(key, 'x');
        await level.close();
      },
    };
    for (const [name, damage] of Object.entries(damages)) {
      await damage();
      assert.deepEqual(await readWithCache(), expected, name);
      assert.equal(reads.length, SEGMENTS, name);
      await readWithCache();
      assert.equal(reads.length, 0, name);
    }
  });

  it('works without a cache where another reader has it, or where there can be none', async () => {
    await using _cache = await openCache();
    assert.equal(await openCache(), undefined);
    const nowhere = join(folder, 'file');
    await fs.writeFile(nowhere, '');
    assert.equal(await openCatalogueCache(fs, silentLogger, nowhere, 'id'), undefined);
  });

  it('reports manifests without object and invalid manifests, and continues', async () => {
    const [lost, evicted, broken, bare] = [70, 71, 72, 73].map(syntheticManifest) as [
      Manifest,
      Manifest,
      Manifest,
      Manifest,
    ];
    put(lost, { object: false });
    put({ ...evicted, evicted: { at: '1', reason: 'quota' } }, { object: false });
    put(broken);
    content.objects.set(keyOf(broken), Buffer.from('{}'));
    put(bare, { manifest: false });
    for (let round = 0; round < 2; round++) {
      const problems: Problem[] = [];
      await using files = new FilePool(fs);
      const segments = await listSegments(
        { kind: 'store', store },
        { files, onProblem: (problem) => problems.push(problem), openCatalogue: openCache },
      );
      assert.equal(segments.length, SEGMENTS + 2);
      assert.deepEqual(problems.map(({ where }) => where).sort(), [keyOf(lost), keyOf(broken)].sort());
      const problem = present(problems.find(({ where }) => where === keyOf(lost)));
      assert.match(problem.reason, /its segment is missing/);
    }
  });

  it('opens a store for a time and a robot without reading a manifest again', async () => {
    await readWithCache();
    reads = [];
    await using files = new FilePool(fs);
    const wanted = [10, 11, 12].map(syntheticManifest);
    const segments = await listSegments(
      { kind: 'store', store },
      {
        files,
        onProblem: ({ reason }) => assert.fail(reason),
        openCatalogue: openCache,
        filter: {
          robots: [wanted[1]!.robot],
          from: BigInt(present(wanted[0]!.firstLogTime)),
          to: BigInt(present(wanted[2]!.lastLogTime)),
        },
      },
    );
    assert.deepEqual(reads, []);
    assert.deepEqual(
      segments.map(({ name }) => name),
      wanted.filter(({ robot }) => robot === wanted[1]!.robot).map(({ key }) => key),
    );
  });

  it('serves ls: filters, order and number, from a cache in the user’s folder that two share', async () => {
    const root = join(folder, 'store');
    for (const [key, data] of content.objects) {
      await fs.mkdir(join(root, key, '..'), { recursive: true });
      await fs.writeFile(join(root, key), data);
    }
    await fs.mkdir(join(root, '.holdfast'));
    await fs.writeFile(join(root, '.holdfast', 'store-id'), `${'a'.repeat(32)}\n`);
    const env = { XDG_CACHE_HOME: join(folder, 'xdg') };
    const ls = async (...args: string[]): Promise<{ segment: string; robot: string; messages: number }[]> => {
      const { exitCode, json, stderr } = await runCli(['ls', root, '--json', ...args], { env });
      assert.equal(exitCode, 0, stderr);
      return present(json)['segments'] as { segment: string; robot: string; messages: number }[];
    };
    const [one, two] = await Promise.all([ls(), ls()]);
    assert.equal(one.length, SEGMENTS);
    assert.deepEqual(two, one);
    const cached = join(env.XDG_CACHE_HOME, 'holdfast', 'catalogue', 'a'.repeat(32));
    assert.ok((await fs.readdir(cached)).includes('CURRENT'));
    const most = await ls('--sort', 'messages', '--limit', '3');
    const counts = one.map(({ messages }) => messages).sort((a, b) => b - a);
    assert.deepEqual(
      most.map(({ messages }) => messages),
      counts.slice(0, 3),
    );
    const some = await ls('--robots', 'robot*', '--from-time', present(syntheticManifest(20).firstLogTime));
    assert.equal(some.length, SEGMENTS - 20);
    await fs.rm(cached, { recursive: true });
    assert.deepEqual(await ls('--no-cache'), one);
    await assert.rejects(fs.readdir(cached));
    const { exitCode, stderr } = await runCli(['ls', root, '--sort', 'beauty', '--limit', 'x'], { env });
    assert.equal(exitCode, 2);
    for (const word of ['--sort', '--limit']) assert.match(stderr, new RegExp(word));
  });
});
