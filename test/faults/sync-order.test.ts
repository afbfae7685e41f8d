import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import { decodeManifest } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { lacking } from '../../src/testing/lacking.js';
import {
  bytesWritten,
  hasUnsyncedWrites,
  systemCalls,
  TRACED,
  wasSyncedBetween,
  type SystemCall,
} from './system-calls.js';

const SIZE = 100_000;
const MESSAGES = 200;

for (const inPlace of ['never', 'always']) {
  describe(`The system calls of a recorder, seal.in_place ${inPlace}`, function () {
    this.timeout(120_000);
    let place: string;
    let calls: readonly SystemCall[];

    const data = (): string => join(place, 'data');
    const sealed = (): string => join(data(), 'sealed');
    /** Calls that give a file in `sealed/` its name. */
    const namings = (ending: string): readonly SystemCall[] =>
      calls.filter(
        ({ name, paths: [, to = ''] }) =>
          /^(rename|link)/.test(name) && dirname(to) === sealed() && to.endsWith(ending),
      );
    const clean = (path: string, moment: number): boolean =>
      !hasUnsyncedWrites(calls, (one) => one === path, moment);

    before(async function () {
      if (spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status !== 0) {
        lacking(this, 'strace', 'strace is not there, or may not trace');
      }
      place = await fs.mkdtemp(join(await fs.realpath(tmpdir()), 'holdfast-strace-'));
      const trace = join(place, 'trace');
      const source = `sim:?shape=flood&size=${SIZE}&rate=100&channels=2&duration=${MESSAGES / 100}s`;
      const run = spawnSync(
        'strace',
        [
          ...['-f', '-y', '-s', '0', '-e', `trace=${TRACED}`, '-o', trace],
          ...[process.execPath, join(packageRoot, 'dist', 'src', 'app', 'main.js')],
          ...['record', '--data', data(), '--source', source, '--seal-in-place', inPlace],
          // One batch never waits behind another, so nothing is written ahead of its turn.
          ...['--segment-max-bytes', '4MiB', '--batch-max-bytes', '4MiB', '--ballast', '0'],
          ...['--no-web', '--no-foxglove'],
        ],
        { encoding: 'utf8' },
      );
      assert.equal(run.status, 0, run.stderr);
      calls = systemCalls(await fs.readFile(trace, 'utf8'));
    });
    after(() => fs.rm(place, { recursive: true, force: true }));

    it('write a commit into the log after the payloads it refers to are on the disk', () => {
      const commits = calls.filter(
        ({ name, paths: [path = ''] }) => name === 'write' && /\/wal\/[^/]+\/\d+\.log$/.test(path),
      );
      assert.ok(commits.length >= 10, `${commits.length} commits`);
      for (const { began, paths } of commits) {
        const folder = dirname(present(paths[0]));
        const isPayload = (path: string): boolean =>
          dirname(path) === folder && /^(blob|object-\d+\.mcap)$/.test(basename(path));
        assert.ok(!hasUnsyncedWrites(calls, isPayload, began), `line ${began}`);
      }
    });

    it('write a commit after the former one is on the disk', () => {
      const logs = new Set(calls.map(({ paths }) => paths[0] ?? '').filter((path) => path.endsWith('.log')));
      for (const log of [...logs].filter((path) => path.includes('/wal/'))) {
        const commits = calls.filter(({ name, paths }) => name === 'write' && paths[0] === log);
        for (const { began } of commits) assert.ok(clean(log, began), `line ${began}`);
      }
    });

    it('name an object when all of it is on the disk, and write nothing to it afterwards', async () => {
      const objects = namings('.mcap');
      const files = (await fs.readdir(sealed())).filter((name) => name.endsWith('.mcap'));
      assert.deepEqual(objects.map(({ paths }) => basename(present(paths[1]))).sort(), files.sort());
      assert.ok(files.length >= 4);
      for (const { name, paths, began } of objects) {
        assert.equal(name, inPlace === 'always' ? 'link' : 'rename');
        for (const path of paths.map(present)) {
          assert.ok(clean(path, began), `${path} at line ${began}`);
          assert.ok(clean(path, Infinity), `${path} is written after it has its name`);
        }
      }
    });

    it('name a manifest after its object and itself are on the disk', () => {
      for (const manifest of namings('.json')) {
        const [from = '', to = ''] = manifest.paths;
        assert.ok(clean(from, manifest.began), to);
        const object = present(
          namings('.mcap').find(({ paths }) => paths[1] === to.replace(/json$/, 'mcap')),
        );
        assert.ok(wasSyncedBetween(calls, sealed(), object, manifest), to);
      }
    });

    it('remove a segment after the manifest has its name on the disk', () => {
      const removals = calls.filter(
        ({ name, paths: [from = ''] }) => name.startsWith('rename') && dirname(from) === join(data(), 'wal'),
      );
      const withMessages = removals.flatMap((removal) => {
        const id = basename(present(removal.paths[0]));
        const manifest = namings('.json').find(({ paths }) => basename(present(paths[1])).startsWith(id));
        return manifest === undefined ? [] : [{ removal, manifest }];
      });
      assert.equal(withMessages.length, namings('.json').length);
      for (const { removal, manifest } of withMessages) {
        assert.ok(wasSyncedBetween(calls, sealed(), manifest, removal), removal.paths.join(' '));
      }
    });

    it(`write each payload byte ${inPlace === 'always' ? 'once' : 'twice'}`, async () => {
      const names = (await fs.readdir(sealed())).filter((name) => name.endsWith('.json'));
      const manifests = await Promise.all(
        names.map(async (name) => decodeManifest(await fs.readFile(join(sealed(), name), 'utf8'), name)),
      );
      const payloadBytes = manifests.reduce((sum, manifest) => sum + manifest.payloadBytes, 0);
      assert.ok(payloadBytes >= SIZE * MESSAGES * 0.9, `${payloadBytes} bytes of payload`);
      const ratio = bytesWritten(calls, (path) => path.startsWith(data())) / payloadBytes;
      if (inPlace === 'always') assert.ok(ratio >= 1 && ratio <= 1.1, `${ratio} bytes per byte`);
      else assert.ok(ratio >= 1.9 && ratio <= 2.2, `${ratio} bytes per byte`);
    });
  });
}
