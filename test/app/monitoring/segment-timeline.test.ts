import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { SegmentTimeline } from '../../../src/app/monitoring/segment-timeline.js';
import type { DataFolder } from '../../../src/core/data-folder.js';
import type { FileSystem } from '../../../src/core/file-system.js';
import { decodeManifest, encodeManifest, type Manifest } from '../../../src/core/manifest.js';
import type { Timeline } from '../../../src/core/monitoring.js';
import { syncStatus } from '../../monitors/fake-recorder.js';
import { sealedFolder, segmentIdOf } from '../../recordings/sealed-fixture.js';

describe('the timeline of segments', () => {
  let root: string;
  let folder: DataFolder;
  let reads: string[];
  let timeline: SegmentTimeline;
  let open: { id: string; bytes: number } | undefined;

  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-timeline-'));
    folder = await sealedFolder(root, 3);
    reads = [];
    open = undefined;
    const counting: FileSystem = {
      ...fs,
      readFile: ((path: string, ...rest: unknown[]) => {
        reads.push(path);
        return (fs.readFile as (...args: unknown[]) => unknown)(path, ...rest);
      }) as FileSystem['readFile'],
    };
    timeline = new SegmentTimeline({ fs: counting, folder, open: () => open });
  });
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  const states = ({ segments }: Timeline): string[] =>
    segments.map(({ segment, robot, state }) => `${segment.slice(0, 12)} ${robot ?? '-'} ${state}`);
  const nameOf = (number: number, robot: string): string => `${segmentIdOf(number)}.${robot}`;
  const manifestOf = async (name: string): Promise<Manifest> =>
    decodeManifest(await fs.readFile(join(folder.sealed, `${name}.json`), 'utf8'), name);

  async function receipt(name: string): Promise<void> {
    const stores = [
      {
        storeId: 's',
        uri: 'dir:/nas',
        key: 'k',
        sha256: 'a'.repeat(64),
        verification: 'read-back',
        verifiedAt: '1',
      },
    ];
    const content = { version: 1, segment: name.slice(0, 45), robot: 'r1', stores };
    await fs.writeFile(join(folder.receipts, `${name}.json`), JSON.stringify(content));
  }

  it('shows sealed segments with times, counts and gaps, and reads each manifest once', async () => {
    const first = await timeline.refresh(undefined);
    assert.equal(first.segments.length, 6);
    const { messages, firstLogTime, lastLogTime, number } = first.segments[0]!;
    assert.equal(number, 1);
    assert.ok(present(messages) > 0 && BigInt(present(firstLogTime)) <= BigInt(present(lastLogTime)));
    assert.equal(reads.length, 6);
    const second = await timeline.refresh(undefined);
    assert.equal(second, first, 'nothing changed: the same object');
    assert.equal(reads.length, 6);
  });

  it('takes newly sealed segments from the recorder, without reading them', async () => {
    const manifest = await manifestOf(nameOf(3, 'r2'));
    timeline.note({ kind: 'segment-sealed', manifest });
    await timeline.refresh(undefined);
    assert.equal(reads.length, 5);
    assert.ok(reads.every((path) => !path.includes(nameOf(3, 'r2'))));
  });

  it('follows a segment from the WAL into the store and off the disk', async () => {
    const name = nameOf(3, 'r1');
    const id = segmentIdOf(4);
    await fs.mkdir(join(folder.wal, id));
    open = { id, bytes: 77 };
    const sync = syncStatus({ current: { segment: name, robot: 'r1', bytes: 100, progress: 0.4216 } });
    let now = await timeline.refresh(sync);
    const find = (): (typeof now.segments)[number] | undefined =>
      now.segments.find(({ segment, robot }) => segment === segmentIdOf(3) && robot === 'r1');
    assert.deepEqual([find()?.state, find()?.progress], ['uploading', 0.422]);
    assert.deepEqual(states(now).at(-1), `${id.slice(0, 12)} - open`);
    assert.equal(now.segments.at(-1)?.bytes, 77);

    await receipt(name);
    open = undefined;
    const before = now;
    now = await timeline.refresh(syncStatus());
    assert.deepEqual(
      [find()?.state, find()?.stores, find()?.progress],
      ['uploaded', ['dir:/nas'], undefined],
    );
    assert.deepEqual(states(now).at(-1), `${id.slice(0, 12)} - waiting`);
    assert.equal(now.segments[0], before.segments[0], 'what did not change is the same object');
    assert.ok(now.version > before.version);

    for (const ending of ['.mcap', '.json']) await fs.rm(join(folder.sealed, name + ending));
    now = await timeline.refresh(undefined);
    assert.deepEqual([find()?.state, find()?.stores, find()?.reason], ['evicted', ['dir:/nas'], undefined]);
  });

  it('shows why a segment was evicted before any store had it, also after a restart', async () => {
    const name = nameOf(1, 'r1');
    const manifest = await manifestOf(name);
    await timeline.refresh(undefined);
    const evicted = { at: '1', reason: 'disk_full' };
    await fs.writeFile(join(folder.tombstones, `${name}.json`), encodeManifest({ ...manifest, evicted }));
    for (const ending of ['.mcap', '.json']) await fs.rm(join(folder.sealed, name + ending));
    for (const one of [timeline, new SegmentTimeline({ fs, folder, open: () => undefined })]) {
      const [first] = (await one.refresh(undefined)).segments;
      assert.deepEqual([first?.state, first?.reason, first?.stores], ['evicted', 'disk_full', undefined]);
    }
  });

  it('counts segments in quarantine, and leaves out damaged and unfinished ones', async () => {
    await fs.mkdir(join(folder.quarantine, segmentIdOf(9)));
    await fs.writeFile(join(folder.sealed, `${nameOf(2, 'r1')}.json`), '{"format"');
    await fs.writeFile(join(folder.sealed, `${nameOf(7, 'r1')}.mcap.tmp`), '');
    const now = await timeline.refresh(undefined);
    assert.equal(now.quarantined, 1);
    assert.equal(states(now).at(-1), `${segmentIdOf(9).slice(0, 12)} - quarantined`);
    assert.equal(now.segments.length, 6);
  });

  it('is an empty one for a folder that is not there yet', async () => {
    await fs.rm(root, { recursive: true });
    assert.deepEqual((await timeline.refresh(undefined)).segments, []);
  });
});
