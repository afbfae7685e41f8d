import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../../src/core/errors.js';
import { WORK_FOLDER, type OutputPlace } from '../../../src/jobs/export/output-place.js';
import { StorePlace } from '../../../src/jobs/export/store-place.js';
import { MemoryStore } from '../../support/memory-store.js';
import { cdrString, testMcap } from '../../support/test-mcap.js';
import { spawnCli, runCli } from '../../support/cli.js';
import { recording } from '../../support/recordings.js';
import { exportTo } from './export-support.js';
import { eventually } from '../../../src/testing/waiting.js';

const HOUR = 3_600_000_000_000n;

/** Every file of a folder with its content, but for what differs between two exports of the same. */
async function contentOf(folder: string): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const entry of await fs.readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const bytes = await fs.readFile(path);
    if (entry.name !== 'manifest.json') {
      content[path.slice(folder.length)] = createHash('sha256').update(bytes).digest('hex');
      continue;
    }
    const { export_id, timestamp_utc, ...manifest } = JSON.parse(bytes.toString()) as Record<string, unknown>;
    assert.ok(typeof export_id === 'string' && typeof timestamp_utc === 'string');
    content['manifest'] = JSON.stringify(manifest);
  }
  return content;
}

describe('an export that is cut short', function () {
  this.timeout(120_000);
  let folder: string;
  let hours: string;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-resume-'));
    hours = join(folder, 'hours.mcap');
    // Six hours, a thousand messages each.
    await fs.writeFile(
      hours,
      await testMcap({
        messages: 6000,
        firstTime: 1_795_222_800_000_000_000n,
        stepNs: HOUR / 1000n,
        topics: [
          { topic: '/robot1/a', payload: (index) => cdrString(`a ${index}`) },
          {
            topic: '/robot1/latched',
            metadata: { offered_qos_profiles: '- durability: transient_local\n' },
            payload: (index) => cdrString(`latched ${index % 3}`),
          },
        ],
      }),
    );
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('continues after the last finished hour, and ends with the very same files', async () => {
    const whole = join(folder, 'whole');
    const { manifest } = await exportTo(hours, whole, { format: 'parquet' });
    assert.equal(manifest.num_records, 6000);
    assert.equal(manifest.files.length, 12);
    const cut = join(folder, 'cut');
    const stop = new AbortController();
    const opened: string[] = [];
    const watched = async (): Promise<OutputPlace> => {
      const { FolderPlace } = await import('../../../src/jobs/export/folder-place.js');
      const place = new FolderPlace(cut, fs);
      const create = place.create.bind(place);
      place.create = (path) => {
        opened.push(path);
        if (path.includes('hour=03') && !stop.signal.aborted) stop.abort(new Error('cut'));
        return create(path);
      };
      return place;
    };
    await assert.rejects(
      exportTo(hours, cut, { format: 'parquet' }, { signal: stop.signal, place: await watched() }),
    );
    const half = Object.keys(await contentOf(cut)).filter((path) => path.endsWith('.parquet'));
    assert.ok(half.length >= 4 && half.length < 12, String(half.length));
    opened.length = 0;
    const { manifest: continued } = await exportTo(
      hours,
      cut,
      { format: 'parquet' },
      { place: await watched() },
    );
    assert.ok(opened.length < 12, 'finished files were not written again');
    assert.equal(continued.num_records, 6000);
    assert.deepEqual(await contentOf(cut), await contentOf(whole));
  });

  it('survives kill -9 at any moment', async function () {
    this.timeout(120_000);
    const whole = join(folder, 'whole-csv');
    const layout = '{topic}/{YYYY-MM-DD}-{HH}';
    await exportTo(hours, whole, { format: 'csv', layout });
    const killed = join(folder, 'killed');
    const args = ['export', '--from', hours, '--to', killed, '--format', 'csv', '--layout', layout];
    let kills = 0;
    for (const afterFiles of [1, 5]) {
      const { child, ended } = spawnCli(args);
      const watch = (async () => {
        await eventually(async () => {
          const names = await fs.readdir(killed, { recursive: true }).catch(() => []);
          return (
            child.exitCode !== null || names.filter((name) => name.endsWith('.csv')).length >= afterFiles
          );
        });
        if (child.kill('SIGKILL')) kills++;
      })();
      await Promise.all([ended, watch]);
    }
    assert.ok(kills > 0);
    const { exitCode, stderr } = await runCli(args);
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(await contentOf(killed), await contentOf(whole));
  });

  it('reports that everything is exported already, and refuses a folder with other content', async () => {
    const to = join(folder, 'twice');
    const given = { format: 'jsonl' };
    const first = await exportTo(hours, to, given);
    const again = await exportTo(hours, to, given);
    assert.ok(again.alreadyDone && !first.alreadyDone);
    assert.equal(again.manifest.export_id, first.manifest.export_id);
    const refused = (error: unknown): boolean => isHoldfastError(error, 'OUTPUT_UNUSABLE');
    await assert.rejects(exportTo(hours, to, { ...given, topics: ['/robot1/a'] }), refused);
    const other = join(folder, 'other');
    await fs.mkdir(other);
    await fs.writeFile(join(other, 'thesis.txt'), 'mine');
    await assert.rejects(exportTo(hours, other, given), refused);
    assert.deepEqual(await fs.readdir(other), ['thesis.txt']);
  });

  it('exports into a store as into a folder, and continues there too', async () => {
    const whole = join(folder, 'for-store');
    await exportTo(hours, whole, { format: 'numpy', layout: '{topic}/{YYYY-MM-DD}/{HH}' });
    const store = new MemoryStore();
    const given = { format: 'numpy', layout: '{topic}/{YYYY-MM-DD}/{HH}' };
    const stop = new AbortController();
    const place = new StorePlace(store, fs, stop.signal);
    const create = place.create.bind(place);
    let files = 0;
    place.create = (path) => {
      if (++files === 5) stop.abort(new Error('cut'));
      return create(path);
    };
    await assert.rejects(exportTo(hours, '', given, { signal: stop.signal, place }));
    const again = new StorePlace(store, fs, new AbortController().signal);
    const { manifest } = await exportTo(hours, '', given, { place: again });
    const keys = [];
    for await (const { key } of store.list('')) keys.push(key);
    assert.deepEqual(
      keys.filter((key) => key.startsWith(WORK_FOLDER)),
      [],
    );
    for (const { path } of manifest.files) {
      const parts = [];
      for await (const part of store.read(path)) parts.push(part);
      assert.deepEqual(Buffer.concat(parts), await fs.readFile(join(whole, path)));
    }
    assert.deepEqual(keys.sort(), [...manifest.files.map(({ path }) => path), 'manifest.json'].sort());
  });

  it('names its faults together, with the allowed values', async () => {
    const { exitCode, stderr } = await runCli([
      ...['export', '--from', recording('two_robots'), '--to', join(folder, 'never'), '--format', 'csv'],
      ...['--layout', '../{nothing}', '--every', 'often', '--from-time', 'noon'],
    ]);
    assert.equal(exitCode, 2);
    for (const word of ['--layout', '--every', '--from-time']) assert.match(stderr, new RegExp(word));
  });
});
