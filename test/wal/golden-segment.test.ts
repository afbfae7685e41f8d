import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { goldenBatches, goldenFolder, goldenGap, writeGoldenSegment } from './golden-segment.js';
import { identity, readSegment } from './wal-support.js';

describe('Golden WAL segment', () => {
  it('of every version is still read whole', async () => {
    const names = (await realFs.readdir(goldenFolder)).filter((name) => /^\d{12}-/.test(name));
    assert.ok(names.length > 0);
    for (const name of names) {
      const { report, records, carried, gaps, entries } = await readSegment(join(goldenFolder, name));
      assert.deepEqual([report.state, report.faults], ['clean', []]);
      const [latched, ...rest] = goldenBatches();
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
        latched!.messages.map(({ data, publisher }) => [data, publisher]),
      );
      assert.deepEqual(gaps, [goldenGap]);
      const channels = entries.flatMap((entry) => (entry.kind === 'channel' ? [entry.channel] : []));
      const expected = new Map(
        [...sent, ...latched!.messages].map(({ channel }) => [
          channel.topic,
          { ...channel, priority: 'normal' },
        ]),
      );
      for (const channel of channels) {
        const { schema, ...described } = channel;
        const { schema: schemaSent, ...sentAs } = expected.get(channel.topic)!;
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

  it('is written byte for byte as version 1 of the format says', async () => {
    const root = await realFs.mkdtemp(join(tmpdir(), 'holdfast-golden-'));
    try {
      const directory = await writeGoldenSegment(root);
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
});
