import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { writeEvent } from '../../src/core/event-files.js';
import type { SyncEvent } from '../../src/core/events.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { encodeManifest } from '../../src/core/manifest.js';
import { MemoryStore } from '../support/memory-store.js';
import { KIB, SyncWorld, type Sealed } from './sync-world.js';
import { eventually } from '../../src/testing/waiting.js';

describe('sync and marked events', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await SyncWorld.create();
  });
  afterEach(() => world[Symbol.asyncDispose]());

  /** Six segments, of the log times 100-109, 110-119, ... */
  async function sealSix(): Promise<Sealed[]> {
    const sealed: Sealed[] = [];
    for (let n = 0; n < 6; n++) {
      const one = await world.seal(5 * KIB);
      const times = { firstLogTime: String(100 + 10 * n), lastLogTime: String(109 + 10 * n) };
      const manifest = { ...one.manifest, ...times };
      await fs.writeFile(join(world.folder.sealed, `${one.name}.json`), encodeManifest(manifest));
      sealed.push({ ...one, manifest });
    }
    return sealed;
  }
  const mark = (id: string, from: number, to: number): Promise<void> =>
    writeEvent(fs, world.folder.events, {
      id: id.repeat(32),
      label: 'x',
      at: String(to),
      from: String(from),
      to: String(to),
    });

  const oneByOne = { options: { segmentsInFlight: 1 } };
  async function orderOfDrain(): Promise<string[]> {
    const synced: string[] = [];
    const engine = await world.open(new MemoryStore(), oneByOne);
    engine.onEvent((event: SyncEvent) => {
      if (event.kind === 'segment-synced') synced.push(event.segment);
    });
    await engine.drain(AbortSignal.timeout(10_000));
    await engine.close();
    return synced;
  }

  it('uploads every segment that overlaps a window first, also after a restart', async () => {
    const sealed = await sealSix();
    const names = sealed.map(({ name }) => name);
    await mark('a', 128, 130);
    await mark('b', 155, 155);
    await mark('c', 126, 129);
    const order = await orderOfDrain();
    const [, , two, three, , five] = names;
    assert.deepEqual(order, [
      two,
      three,
      five,
      ...names.filter((name) => ![two, three, five].includes(name)),
    ]);
  });

  it('uses the manifest if the marks are gone', async () => {
    const sealed = await sealSix();
    const last = sealed[5]!;
    const event = { id: 'a'.repeat(32), label: 'x', at: '1', from: '1', to: '1' };
    await fs.writeFile(
      join(world.folder.sealed, `${last.name}.json`),
      encodeManifest({ ...last.manifest, events: [event] }),
    );
    assert.equal((await orderOfDrain())[0], last.name);
  });

  it('puts segments first that are marked while they wait', async () => {
    const sealed = await sealSix();
    const begun: string[] = [];
    let release = (): void => {};
    const held = new Promise<void>((done) => (release = done));
    class Slow extends MemoryStore {
      override async createUpload(
        ...args: Parameters<MemoryStore['createUpload']>
      ): ReturnType<MemoryStore['createUpload']> {
        begun.push(args[0]);
        await held;
        return super.createUpload(...args);
      }
    }
    let looks = 0;
    const counting: FileSystem = {
      ...fs,
      readdir: ((path: string) => {
        if (path === world.folder.events) looks++;
        return fs.readdir(path);
      }) as FileSystem['readdir'],
    };
    const engine = await world.open(new Slow(), { ...oneByOne, fs: counting });
    const ended = engine.drain(AbortSignal.timeout(10_000));
    await eventually(() => begun.length === 1, 'the first is on its way');
    await mark('a', 159, 1_000);
    assert.equal(engine.status().segments.pending > 0, true);
    const before = looks;
    await eventually(() => looks >= before + 2, 'a look that began after the mark has ended');
    release();
    await ended;
    await engine.close();
    assert.deepEqual(begun.slice(0, 2), [sealed[0]!.manifest.key, sealed[5]!.manifest.key]);
  });

  it('reports once that a damaged mark is ignored, and continues', async () => {
    await sealSix();
    await fs.mkdir(world.folder.events, { recursive: true });
    await fs.writeFile(join(world.folder.events, `${'d'.repeat(32)}.json`), '{"event":1}');
    const engine = await world.open(new MemoryStore());
    const summary = await engine.drain(AbortSignal.timeout(10_000));
    assert.match(engine.status().lastError ?? '', /marked event d+ is damaged/);
    assert.equal(summary.segments.verified, 6);
    await engine.close();
  });
});
