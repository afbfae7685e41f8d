import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { goldenBatches, goldenFolder, goldenGap, writeGoldenSegment } from './golden-segment.js';
import { identity, readSegment, temporaryFolder } from './wal-support.js';
import { seal } from '../seal/seal-world.js';
import { testWalKeys } from '../support/encrypted-segments.js';
import { present } from '../../src/core/present.js';

describe('Golden WAL segment', () => {
  it('of every version is still read whole', async () => {
    const names = (await realFs.readdir(goldenFolder)).filter((name) => /^\d{12}-/.test(name));
    assert.ok(names.length > 0);
    for (const name of names) {
      const { report, records, carried, gaps, entries } = await readSegment(
        join(goldenFolder, name),
        realFs,
        testWalKeys,
      );
      assert.deepEqual([report.state, report.faults], ['clean', []]);
      const [latched, ...rest] = goldenBatches();
      assert.ok(latched);
      const sent = rest.flatMap(({ messages }) => messages);
      assert.deepEqual(
        records.map(({ sequence, publisher: _, ...record }) => ({ sequence, ...record })),
        sent.map((one, i) => ({
          sequence: 101 + i,
          topic: one.channel.topic,
          robot: one.channel.robot,
          data: Buffer.from(one.data),
          receivedAt: one.receivedAt,
          publishedAt: one.publishedAt,
          sourceSequence: one.sourceSequence ?? -1,
          intact: true,
        })),
      );
      assert.deepEqual(
        carried.map(({ data, publisher }) => [data, publisher]),
        latched.messages.map(({ data, publisher }) => [data, publisher]),
      );
      assert.deepEqual(gaps, [goldenGap]);
      const channels = entries.flatMap((entry) => (entry.kind === 'channel' ? [entry.channel] : []));
      const expected = new Map(
        [...sent, ...latched.messages].map(({ channel }) => [
          channel.topic,
          { ...channel, priority: 'normal' },
        ]),
      );
      for (const channel of channels) {
        const { schema, ...described } = channel;
        const { schema: schemaSent, ...sentAs } = present(expected.get(channel.topic));
        assert.deepEqual(described, sentAs);
        assert.deepEqual({ ...schema, data: Buffer.from(schema.data) }, { ...schemaSent });
      }
      const meta = entries.find((entry) => entry.kind === 'meta')?.meta;
      assert.deepEqual([meta?.id, meta?.identity, meta?.firstSequence], [name, identity, 101]);
      assert.deepEqual(
        entries.flatMap((entry) => (entry.kind === 'clock' ? [entry.step] : [])),
        [{ at: '1700000000000000000', stepNs: '-1500000000' }],
      );
    }
  });

  for (const version of [1, 2, 3] as const) {
    it(`is written byte for byte as version ${version} of the format says`, async () => {
      const root = await realFs.mkdtemp(join(tmpdir(), 'holdfast-golden-'));
      try {
        const directory = await writeGoldenSegment(root, version);
        const golden = join(goldenFolder, basename(directory));
        for (const name of await realFs.readdir(golden)) {
          const [now, then] = await Promise.all([
            realFs.readFile(join(directory, name)),
            realFs.readFile(join(golden, name)),
          ]);
          assert.ok(now.equals(then), `${name} differs: ${now.length} and ${then.length} bytes`);
        }
      } finally {
        await realFs.rm(root, { recursive: true });
      }
    });
  }

  it('of every version is sealed, and the payloads in place are not copied', async () => {
    const folder = await temporaryFolder();
    try {
      const names = (await realFs.readdir(goldenFolder)).filter((name) => /^\d{12}-/.test(name));
      for (const name of names) {
        await realFs.mkdir(folder.sealed, { recursive: true });
        const directory = join(folder.wal, name);
        await realFs.cp(join(goldenFolder, name), directory, { recursive: true });
        const { manifests, report } = await seal(folder, { id: name, directory }, { walKeys: testWalKeys });
        assert.equal(report.state, 'clean');
        assert.deepEqual(manifests.map(({ robot, messages }) => [robot, messages]).sort(), [
          ['crab', 3],
          ['squid', 3],
        ]);
        const ofSquid = present(manifests.find(({ robot }) => robot === 'squid'));
        const { ino } = await realFs.stat(join(folder.sealed, ofSquid.file.name));
        const object = await realFs.stat(join(directory, 'object-1.mcap')).catch(() => undefined);
        assert.equal(object === undefined || object.ino === ino, true);
        await realFs.rm(folder.sealed, { recursive: true });
      }
      assert.ok(names.length >= 3);
    } finally {
      await realFs.rm(folder.root, { recursive: true });
    }
  });
});
