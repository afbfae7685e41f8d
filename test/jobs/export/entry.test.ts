import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapWriter } from '@mcap/core';
import { packageRoot } from '../../../src/host/version.js';
import {
  exportRecording,
  isHoldfastError,
  type ExportProgress,
  type ExportSettings,
} from '../../../src/jobs/export/entry.js';
import type { ConfigFault } from '../../../src/settings/fault.js';
import { runCli } from '../../support/cli.js';
import { recording } from '../../support/recordings.js';
import { BufferWritable } from '../../support/test-mcap.js';

describe('the library entrance holdfast/export', function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-export-'));
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('is what package.json exports', () => {
    const text = readFileSync(join(packageRoot, 'package.json'), 'utf8');
    const { exports } = JSON.parse(text) as { exports: Record<string, { types: string; default: string }> };
    assert.deepEqual(exports['./export'], {
      types: './dist/src/jobs/export/entry.d.ts',
      default: './dist/src/jobs/export/entry.js',
    });
  });

  it('exports as the command does, reports progress, and recognises the same export', async () => {
    const from = recording('two_robots');
    const seen: ExportProgress[] = [];
    const settings: ExportSettings = {
      format: 'csv',
      topics: ['*/odom'],
      onProgress: (one) => seen.push(one),
    };
    const first = await exportRecording(from, join(folder, 'a'), settings);
    assert.ok(first.ok && first.manifest.num_records > 0 && seen.length > 0);
    const again = await exportRecording(from, join(folder, 'a'), settings);
    assert.deepEqual([again.ok, again.alreadyDone], [true, true]);
    const args = ['--from', from, '--to', join(folder, 'b'), '--format', 'csv', '--topics', '*/odom'];
    assert.equal((await runCli(['export', ...args])).exitCode, 0);
    for (const { path } of first.manifest.files) {
      const [a, b] = await Promise.all(['a', 'b'].map((name) => fs.readFile(join(folder, name, path))));
      assert.deepEqual(a, b, path);
    }
  });

  it('writes into a store too', async () => {
    await fs.mkdir(join(folder, 'store'));
    const to = `dir:${join(folder, 'store')}`;
    const { ok, manifest } = await exportRecording(recording('two_robots'), to, { format: 'jsonl' });
    assert.ok(ok);
    const stored = await fs.readFile(join(folder, 'store', 'manifest.json'), 'utf8');
    assert.equal((JSON.parse(stored) as { export_id: string }).export_id, manifest.export_id);
  });

  it('selects by session: an id, a pattern, the latest; and lists the known ones', async () => {
    const from = join(folder, 'sessions');
    await fs.mkdir(from);
    for (const [index, session] of ['aaaa', 'aabb', 'cccc'].entries()) {
      await fs.writeFile(join(from, `${index}.mcap`), await ofSession(session, BigInt(index + 1)));
    }
    const values = async (session: string[], name = session.join()): Promise<unknown[]> => {
      const to = join(folder, name.replaceAll('*', 'x'));
      const { manifest } = await exportRecording(from, to, { format: 'jsonl', session, robotName: 'r' });
      const texts = await Promise.all(manifest.files.map(({ path }) => fs.readFile(join(to, path), 'utf8')));
      const lines = texts.join('').trimEnd().split('\n');
      return lines.map((line) => (JSON.parse(line) as { json: { session: string } }).json.session);
    };
    assert.deepEqual(await values(['aaaa']), ['aaaa']);
    assert.deepEqual(await values(['aa*']), ['aaaa', 'aabb']);
    assert.deepEqual(await values(['latest', 'aabb']), ['aabb', 'cccc']);
    await assert.rejects(values(['bbbb', 'aaaa'], 'none'), (error) => {
      assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
      assert.match(error.message, /--session: session is "bbbb"; allowed: latest, aaaa, aabb, cccc/);
      return true;
    });
    const args = ['export', '--from', from, '--to', join(folder, 'cli'), '--format', 'jsonl'];
    const { exitCode, json } = await runCli([...args, '--session', 'cccc', '--json']);
    assert.deepEqual([exitCode, json?.['topics'], json?.['files']], [0, 1, 1]);
  });

  it('reports all faults of its settings at once', async () => {
    const wrong = { format: 'csv', align: -1, compression: 'rar' } as unknown as ExportSettings;
    await assert.rejects(exportRecording('.', join(folder, 'x'), wrong), (error) => {
      assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
      const paths = (error.facts['faults'] as readonly ConfigFault[]).map(({ path }) => path);
      assert.deepEqual(paths, ['align', 'compression']);
      return true;
    });
  });
});

/** A file as the recorder seals it, with one message that says its session. */
async function ofSession(session: string, logTime: bigint): Promise<Uint8Array> {
  const writable = new BufferWritable();
  const writer = new McapWriter({ writable });
  await writer.start({ profile: '', library: 'test' });
  const metadata = new Map([
    ['robot', 'r'],
    ['session_id', session],
  ]);
  await writer.addMetadata({ name: 'holdfast', metadata });
  const channelId = await writer.registerChannel({
    topic: '/r/said',
    schemaId: 0,
    messageEncoding: 'json',
    metadata: new Map(),
  });
  const data = Buffer.from(JSON.stringify({ session }));
  await writer.addMessage({ channelId, sequence: 0, logTime, publishTime: logTime, data });
  await writer.end();
  return writable.bytes();
}
