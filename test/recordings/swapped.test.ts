import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import type { DataFolder } from '../../src/core/data-folder.js';
import { encodeName } from '../../src/core/name-encoding.js';
import { SegmentTimeline } from '../../src/app/monitoring/segment-timeline.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { listRows } from '../../src/recordings/list-segments.js';
import type { Located } from '../../src/recordings/locate.js';
import { mergeMessages } from '../../src/recordings/merged-messages.js';
import { listSegments, type Problem } from '../../src/recordings/segments.js';
import { DirectoryStore } from '../../src/stores/directory/directory-store.js';
import { storePorts } from '../support/store-ports.js';
import { sealedFolder, uploadAll } from './sealed-fixture.js';

/** What somebody exchanges between two robots. */
const exchanges: readonly (readonly [what: string, ends: readonly string[], isShown: boolean])[] = [
  ['objects', ['.mcap'], false],
  ['manifests', ['.json'], true],
  ['objects and manifests', ['.mcap', '.json'], false],
];

describe('what was exchanged between two robots', () => {
  let root: string;
  let folder: DataFolder;
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-swapped-'));
    folder = await sealedFolder(join(root, 'data'), 1);
  });
  afterEach(async () => {
    await fs.rm(root, { recursive: true, force: true });
  });

  const exchange = async (top: string, ends: readonly string[]): Promise<void> => {
    const all = await fs.readdir(top, { recursive: true });
    for (const end of ends) {
      const of = (robot: string): string =>
        present(all.find((path) => path.includes(robot) && path.endsWith(end)));
      const [a, b] = [of('r1'), of('r2')] as const;
      await fs.rename(join(top, a), join(top, 'kept'));
      await fs.rename(join(top, b), join(top, a));
      await fs.rename(join(top, 'kept'), join(top, b));
    }
  };
  const read = async (located: Located): Promise<{ robots: Set<string>; problems: Problem[] }> => {
    await using files = new FilePool(fs);
    const problems: Problem[] = [];
    const onProblem = (problem: Problem): void => void problems.push(problem);
    const robots = new Set<string>();
    const segments = await listSegments(located, { files, onProblem });
    for await (const { message, robot } of mergeMessages(segments, { filter: {}, onProblem })) {
      assert.ok(message.channel.topic.startsWith(`/${robot}/`), `${message.channel.topic} as ${robot}'s`);
      robots.add(present(robot));
    }
    for await (const { robot, where, state } of listRows(located, { files, onProblem })) {
      if (state === 'unfinished') continue;
      assert.ok(where.includes(encodeName(present(robot))), `${where} as ${robot}'s`);
    }
    return { robots, problems };
  };

  for (const [what, ends, isShown] of exchanges) {
    it(`is never read as the other's, and said: ${what} in a store`, async () => {
      const store = new DirectoryStore(join(root, 'store'), storePorts);
      await store.createId('a'.repeat(32));
      await uploadAll(folder, store);
      assert.deepEqual([...(await read({ kind: 'store', store })).robots].sort(), ['r1', 'r2']);
      await exchange(join(root, 'store'), ends);
      const { robots, problems } = await read({ kind: 'store', store });
      assert.equal(robots.size, isShown ? 2 : 0);
      assert.ok(problems.length >= 2, JSON.stringify(problems));
    });

    it(`is never read as the other's, and said: ${what} in a data folder`, async () => {
      assert.deepEqual((await read({ kind: 'data', folder })).problems, []);
      await exchange(folder.sealed, ends);
      const { robots, problems } = await read({ kind: 'data', folder });
      // Both exchanged under their file names: the file's own metadata says whose it is, and no manifest does.
      assert.equal(robots.size, what === 'objects' ? 0 : 2);
      assert.ok(problems.length >= 2, JSON.stringify(problems));
    });
  }

  it('is not shown in the timeline of the page', async () => {
    const shown = async (): Promise<readonly unknown[]> =>
      (await new SegmentTimeline({ fs, folder, open: () => undefined }).refresh(undefined)).segments;
    assert.equal((await shown()).length, 2);
    await exchange(folder.sealed, ['.json']);
    assert.deepEqual(await shown(), []);
  });
});
