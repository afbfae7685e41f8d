import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { packageManifest, packageRoot } from '../../../src/host/version.js';
import { eventually } from '../../../src/testing/waiting.js';
import { jsonOf, runCli } from '../../support/cli.js';

const quiet = ['--no-web', '--no-foxglove'];

/** Installs a version the way a package manager does: a folder with the compiled sources, and dependencies beside it. */
async function install(place: string, version: string): Promise<void> {
  await fs.mkdir(join(place, 'dist'), { recursive: true });
  await fs.cp(join(packageRoot, 'dist', 'src'), join(place, 'dist', 'src'), { recursive: true });
  for (const name of ['config', 'package.xml', 'proto', 'msg']) {
    await fs.symlink(join(packageRoot, name), join(place, name));
  }
  await fs.symlink(join(packageRoot, 'node_modules'), join(place, 'node_modules'));
  const manifest = { ...packageManifest, version };
  await fs.writeFile(join(place, 'package.json'), JSON.stringify(manifest));
}

describe('an update in place', function () {
  this.timeout(120_000);
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-in-place-'));
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it('loses nothing that a running recorder takes in before, during and after it', async () => {
    const place = join(folder, 'installed');
    const data = join(folder, 'rec');
    const main = join(place, 'dist', 'src', 'app', 'main.js');
    const sealed = (): Promise<string[]> =>
      fs.readdir(join(data, 'sealed')).then(
        (names) => names.filter((name) => name.endsWith('.mcap')),
        () => [],
      );
    await install(place, '0.1.0');
    const args = [
      'record',
      '--source',
      'sim:?robots=1',
      '--data',
      data,
      '--segment-max-age-ms',
      '1s',
      '--json',
    ];
    const recorder = spawn(process.execPath, [main, ...args, ...quiet], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(recorder);
    let output = '';
    let log = '';
    recorder.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    recorder.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    await eventually(async () => (await sealed()).length > 0, 'the first segment is sealed', 60_000);

    // A package manager removes the old files, and writes the new ones.
    await fs.rm(place, { recursive: true });
    const atRemoval = (await sealed()).length;
    await eventually(
      async () => (await sealed()).length >= atRemoval + 2,
      'the recorder seals on while its program is not on the disk',
      60_000,
    );
    await install(place, '0.2.0');
    const ended = once(recorder, 'close');
    recorder.kill('SIGTERM');
    const [exitCode] = (await ended) as [number | null];
    assert.equal(exitCode, 0, log);
    const first = JSON.parse(present(output.trim().split('\n').at(-1))) as {
      received: number;
      durable: number;
    };
    assert.equal(first.durable, first.received);

    const next = spawn(
      process.execPath,
      [main, 'record', '--source', 'sim:?robots=1&duration=1s', '--data', data, '--json', ...quiet],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(next);
    let second = '';
    next.stdout.setEncoding('utf8').on('data', (text: string) => (second += text));
    assert.deepEqual(await once(next, 'close'), [0, null]);
    const { durable } = JSON.parse(present(second.trim().split('\n').at(-1))) as { durable: number };
    const verified = jsonOf(await runCli(['verify', data, '--json']));
    assert.equal(verified['ok'], true);
    assert.equal((verified['totals'] as { messages: number }).messages, first.durable + durable);
  });
});
