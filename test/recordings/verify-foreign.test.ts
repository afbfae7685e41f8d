import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Manifest } from '../../src/core/manifest.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { checkManifest } from '../../src/recordings/check-object.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { Findings } from '../../src/recordings/findings.js';
import { surveyObject } from '../../src/recordings/survey-object.js';
import { verify, type VerifyReport } from '../../src/recordings/verify.js';
import { ObjectWriter } from '../../src/seal/object-writer.js';
import { mcapFixture } from '../support/mcap-fixtures.js';
import { locate } from '../../src/recordings/locate.js';
import { silentLogger } from '../../src/core/logger.js';
import { syntheticManifest } from '../support/synthetic-manifest.js';
import { testMcap } from '../support/test-mcap.js';

/** What verify finds in recordings of other writers, where the format leaves more open than Holdfast does. */
async function verified(path: string): Promise<VerifyReport> {
  await using files = new FilePool(fs);
  return await verify({ kind: 'mcap', path, files: [path] }, { files });
}

describe('verify, of a segment in which the definition of a topic changed', () => {
  it('finds nothing wrong, and still finds a wrong count', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-verify-changed-'));
    const path = join(folder, 'x.mcap');
    const handle = await fs.open(path, 'wx');
    try {
      const writer = new ObjectWriter(handle, {
        softwareVersion: '1.0.0',
        chunkBytes: 1000,
        compressChunk: undefined,
      });
      await writer.start({ robot: 'r', segment: 's' });
      for (const [channelId, definition] of ['int32 a', 'float64 z'].entries()) {
        const schema = { name: 'pkg/msg/T', encoding: 'ros2msg', data: Buffer.from(definition) };
        const channel = { robot: 'r', topic: '/r/t', encoding: 'cdr', schema, metadata: {}, latched: false };
        writer.addChannel(channelId, { ...channel, priority: 'normal' });
        const logTime = BigInt(10 + channelId);
        await writer.add({
          channelId,
          logTime,
          publishTime: logTime,
          sourceSequence: -1,
          data: Buffer.alloc(12),
        });
      }
      const { channels, messages, payloadBytes, digest } = await writer.finish();
      const survey = await surveyObject(bytesReadable(await fs.readFile(path)), path, () => {});
      const whole = syntheticManifest(1);
      const manifest: Manifest = {
        ...{ ...whole, robot: 'r', segment: { ...whole.segment, id: 's' }, channels, messages, payloadBytes },
        ...{ firstLogTime: '10', lastLogTime: '11', firstSequence: 1, lastSequence: 2 },
        file: { ...whole.file, ...digest },
      };
      const findingsOf = (one: Manifest): string[] => {
        const findings = new Findings();
        checkManifest(path, survey, one, findings);
        return findings.list.map(({ what }) => what);
      };
      assert.deepEqual(findingsOf(manifest), []);
      const wrong = channels.map((one, i) => (i === 0 ? { ...one, count: 2 } : one));
      assert.deepEqual(findingsOf({ ...manifest, channels: wrong }), ['messages of /r/t']);
    } finally {
      await handle.close();
      await fs.rm(folder, { recursive: true, force: true });
    }
  });
});

describe('verify, of a recording of another writer', () => {
  it('accepts a missing index, which is optional', async () => {
    const report = await verified(mcapFixture('statistics-only.mcap'));
    assert.ok(report.ok);
    assert.equal(report.totals.messages, 3);
    assert.deepEqual(
      report.findings.map(({ what, severity }) => `${severity} ${what}`),
      ['warning index'],
    );
  });

  it('says that the head of a chunk states wrong times, which makes no message wrong', async () => {
    for (const name of ['chunk-head-without-first.mcap', 'chunk-head-without-times.mcap']) {
      const { ok, findings, totals } = await verified(mcapFixture(name));
      assert.ok(ok);
      assert.equal(totals.messages, 2);
      assert.ok(
        findings.some(({ what, severity }) => severity === 'warning' && /^log times of the chunk/.test(what)),
      );
    }
  });

  it('still finds an error if the summary is damaged', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-verify-foreign-'));
    try {
      const good = await testMcap({ messages: 20 });
      // Within the last summary offset, and within the CRC of the footer.
      for (const fromEnd of [8 + 29 + 3, 8 + 2]) {
        const bytes = Buffer.from(good);
        bytes[bytes.byteLength - fromEnd]! ^= 0xff;
        const path = join(folder, 'x.mcap');
        await fs.writeFile(path, bytes);
        const { ok, findings } = await verified(path);
        assert.ok(!ok);
        assert.ok(findings.some(({ what, severity }) => what === 'index' && severity === 'error'));
      }
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it('finds the loss of a file that metadata.yaml lists', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-verify-bag-'));
    try {
      await fs.writeFile(join(folder, 'run_0.mcap'), await testMcap());
      await fs.writeFile(
        join(folder, 'metadata.yaml'),
        'rosbag2_bagfile_information:\n  storage_identifier: mcap\n  relative_file_paths: [run_0.mcap, run_1.mcap]\n',
      );
      const openStore = (): Promise<never> => Promise.reject(new Error('no stores here'));
      await using files = new FilePool(fs);
      const { ok, findings, totals } = await verify(
        await locate(folder, { fs, logger: silentLogger, openStore }),
        { files },
      );
      assert.deepEqual([ok, totals.objects, totals.errors], [false, 1, 1]);
      assert.equal(findings[0]!.where, join(folder, 'run_1.mcap'));
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });
});
