import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import type { Manifest } from '../../src/core/manifest.js';
import { bytesReadable } from '../../src/core/mcap/readable.js';
import { checkManifest } from '../../src/recordings/check-object.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { Findings } from '../../src/recordings/findings.js';
import { surveyObject } from '../../src/recordings/survey-object.js';
import { replay } from '../../src/recordings/replay.js';
import { verify, type VerifyReport } from '../../src/recordings/verify.js';
import { ObjectWriter } from '../../src/seal/object-writer.js';
import { mcapFixture } from '../support/mcap-fixtures.js';
import { locate } from '../../src/recordings/locate.js';
import { silentLogger } from '../../src/core/logger.js';
import { syntheticManifest } from '../support/synthetic-manifest.js';
import { exportTo } from '../jobs/export/export-support.js';
import { BufferWritable, testMcap } from '../support/test-mcap.js';

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

describe('verify, of messages under a definition of another version of their type', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-verify-fit-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  const little = (...parts: readonly ArrayBufferView[]): Buffer =>
    Buffer.concat([
      Buffer.of(0, 1, 0, 0),
      ...parts.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
    ]);
  const old = little(Int32Array.of(7));
  const grown = little(Float64Array.of(1.5), Int32Array.of(7));
  const oldText = 'int32 a';
  const grownText = 'float64 z\nint32 a';

  /** All messages on one channel, which is what a copy makes of two channels that it takes for one. */
  async function copyWith(
    definition: string,
    messages: readonly Uint8Array[],
    metadata?: Readonly<Record<string, string>>,
  ): Promise<VerifyReport> {
    const out = new BufferWritable();
    const writer = new McapWriter({ writable: out });
    await writer.start({ profile: 'ros2', library: 'test' });
    if (metadata) await writer.addMetadata({ name: 'holdfast', metadata: new Map(Object.entries(metadata)) });
    const schema = { name: 'pkg/msg/T', encoding: 'ros2msg', data: Buffer.from(definition) };
    const schemaId = await writer.registerSchema(schema);
    const topic = { topic: '/r/t', messageEncoding: 'cdr', metadata: new Map<string, string>() };
    const channelId = await writer.registerChannel({ schemaId, ...topic });
    for (const [sequence, data] of messages.entries()) {
      const logTime = BigInt(10 + sequence);
      await writer.addMessage({ channelId, sequence, logTime, publishTime: logTime, data });
    }
    await writer.end();
    const path = join(folder, 'x.mcap');
    await fs.writeFile(path, out.bytes());
    return verified(path);
  }
  const found = ({ findings }: VerifyReport): string[] =>
    findings.map(({ severity, what, actual }) => `${severity}: ${what}: ${actual}`);

  it('finds the messages of a copy that are longer, or shorter, than their definition', async () => {
    const longer = await copyWith(oldText, [old, grown, old, grown]);
    assert.ok(!longer.ok);
    assert.deepEqual(found(longer), [
      'error: messages of /r/t that do not fit their definition: 2 (8 bytes are left over: it was written with another definition)',
    ]);
    const shorter = await copyWith(grownText, [grown, old]);
    assert.deepEqual(found(shorter), [
      'error: messages of /r/t that do not fit their definition: 1 (8 bytes at 4 in a payload of 8)',
    ]);
    const wide = await copyWith('wstring w', [little(Uint32Array.of(9), Uint16Array.of(0x61))]);
    assert.match(found(wide).join(), /^error: .*: 1 \(/);
    // XCDR2, final, little-endian.
    const second = await copyWith(oldText, [Buffer.concat([Buffer.of(0, 7, 0, 0), grown.subarray(4)])]);
    assert.match(found(second).join(), /^error: .*: 1 \(8 bytes are left over/);
  });

  it('only warns of them in a sealed file, which has what its source sent', async () => {
    const report = await copyWith(oldText, [old, grown], { robot: 'r' });
    assert.ok(report.ok);
    assert.match(found(report).join(), /^warning: messages of \/r\/t that do not fit their definition: 1 \(/);
  });

  it('finds nothing where no reader knows the layout, or the definition is incomplete', async () => {
    const other = Buffer.concat([Buffer.of(0, 3, 0, 0), grown.subarray(4)]);
    assert.deepEqual(found(await copyWith(oldText, [old, other])), []);
    assert.deepEqual(found(await copyWith('pkg/Missing a', [old, grown])), []);
    assert.deepEqual(found(await copyWith('int32 = = 3', [old, grown])), []);
  });

  it('finds nothing in what replay and export make of a topic whose definition changed', async () => {
    const input = mcapFixture('changed-definition.mcap');
    const replayed = join(folder, 'replayed.mcap');
    await using files = new FilePool(fs);
    const segment = { name: input, bytes: 0, readable: () => files.readable(input) };
    const given = { output: replayed, format: 'mcap', filter: {}, version: '1.0.0', fs } as const;
    await replay([segment], given);
    const { manifest } = await exportTo(input, join(folder, 'exported'), { format: 'mcap' });
    const exported = join(folder, 'exported', manifest.files[0]!.path);
    for (const path of [input, replayed, exported]) {
      const report = await verified(path);
      assert.deepEqual([report.ok, report.totals.messages, found(report)], [true, 2, []], path);
    }
  });
});
