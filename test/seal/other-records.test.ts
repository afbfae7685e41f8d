import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { McapIndexedReader } from '@mcap/core';
import type { DataFolder } from '../../src/core/data-folder.js';
import type { OtherRecord, RobotRecord } from '../../src/core/other-record.js';
import { openMcap } from '../../src/core/mcap/open-mcap.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { present } from '../../src/core/present.js';
import { SegmentReader } from '../../src/wal/segment-reader.js';
import { batch, message, temporaryFolder } from '../wal/wal-support.js';
import { closedSegments, crab, seal } from './seal-world.js';

const vehicle: OtherRecord = { kind: 'metadata', name: 'vehicle', metadata: { id: '7', ü: '' } };
const calibration: OtherRecord = {
  ...{ kind: 'attachment', name: 'calibration.yaml', mediaType: 'text/yaml' },
  ...{ logTime: 2n ** 64n - 1n, createTime: 5n },
  data: Uint8Array.from({ length: 300_000 }, (_, index) => index % 251),
};
const all: readonly RobotRecord[] = [
  { robot: 'crab', record: vehicle },
  { robot: 'crab', record: calibration },
];

describe('metadata records and attachments of an input', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => fs.rm(folder.root, { recursive: true, force: true }));

  async function sealedOthers(path: string): Promise<unknown[]> {
    const reader = await openMcap(bytesReadable(await fs.readFile(path)), path);
    const found: unknown[] = await reader.metadata('vehicle');
    for await (const attachment of reader.readAttachments()) found.push(attachment);
    return found;
  }

  it('are sealed with the messages, once each, where any reader of MCAP finds them by the index', async () => {
    const first = { ...batch([message(crab, 'a')]), others: all };
    // As a commit that was tried again writes them.
    const again = { ...batch([message(crab, 'b')]), others: all };
    const [segment] = await closedSegments(folder, [[first, again]]);
    const { manifests, report } = await seal(folder, segment);
    assert.equal(report.state, 'clean');
    assert.equal(manifests.length, 1);
    const path = join(folder.sealed, manifests[0]!.file.name);
    const { kind: _kind, ...attachment } = calibration;
    const found = await sealedOthers(path);
    assert.equal(found.length, 2);
    assert.deepEqual((found[0] as { metadata: unknown }).metadata, { id: '7', ü: '' });
    const { data, ...facts } = found[1] as typeof attachment;
    assert.deepEqual({ ...facts, data: Uint8Array.from(data) }, attachment);
    const bytes = await fs.readFile(path);
    const other = await McapIndexedReader.Initialize({
      readable: {
        size: () => Promise.resolve(BigInt(bytes.byteLength)),
        read: (at, length) => Promise.resolve(bytes.subarray(Number(at), Number(at + length))),
      },
    });
    const [index] = other.attachmentIndexes;
    assert.deepEqual([index?.name, index?.dataSize], ['calibration.yaml', 300_000n]);
    assert.equal(other.statistics?.attachmentCount, 1);
  });

  it('make an object of a robot that has nothing else', async () => {
    const only = { ...batch([]), others: [{ robot: 'squid', record: vehicle }] };
    const [segment] = await closedSegments(folder, [[batch([message(crab, 'a')]), only]]);
    const { manifests } = await seal(folder, segment);
    const squid = present(manifests.find(({ robot }) => robot === 'squid'));
    assert.equal(squid.messages, 0);
    assert.equal((await sealedOthers(join(folder.sealed, squid.file.name))).length, 1);
  });

  it('are whole or not there at all after a cut of the log at any place', async () => {
    const [segment] = await closedSegments(folder, [
      [batch([message(crab, 'a')]), { ...batch([]), others: all }, batch([message(crab, 'b')])],
    ]);
    const { directory } = segment;
    const log = present((await fs.readdir(directory)).find((name) => name.endsWith('.log')));
    const whole = await fs.readFile(join(directory, log));
    for (let length = 0; length < whole.byteLength; length += 4_111) {
      await fs.writeFile(join(directory, log), whole.subarray(0, length));
      const reader = new SegmentReader(fs, directory);
      const found: RobotRecord[] = [];
      for await (const entry of reader.entries()) if (entry.kind === 'other') found.push(entry.other);
      if (found.length > 0) {
        assert.equal(found.length, 2, `cut at ${length}`);
        const [, second] = found;
        assert.ok(second?.record.kind === 'attachment');
        assert.deepEqual(Buffer.from(second.record.data), Buffer.from(calibration.data));
      }
      assert.ok(
        ['empty', 'unclean'].includes(reader.report().state),
        `${reader.report().state} at ${length}`,
      );
    }
  });
});
