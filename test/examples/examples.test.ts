import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, relative } from 'node:path';
import { packageRoot } from '../../src/host/version.js';

const mocha = createRequire(import.meta.url).resolve('mocha/bin/mocha.js');

describe('the examples', function () {
  this.timeout(180_000);

  /** Runs the contract suite of the adapter in `folder`, whose `holdfast` is the one that Node.js finds there. */
  function keepsContract(folder: string): void {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [mocha, '--no-config', '--timeout', '30000', '--reporter', 'json', join(folder, 'map-store.test.mjs')],
      { cwd: folder, encoding: 'utf8' },
    );
    assert.equal(status, 0, `${stdout}${stderr}`);
    const { stats } = JSON.parse(stdout) as { stats: { passes: number; pending: number } };
    assert.ok(stats.passes > 35, `${stats.passes} claims passed`);
    assert.equal(stats.pending, 0);
  }

  it('keep the store contract with an adapter that imports only holdfast/testing', () => {
    keepsContract(join(packageRoot, 'examples', 'store-adapter'));
  });

  it('keep it in a folder outside the repository, with the files of the packed package', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-adapter-'));
    try {
      const run = (command: string, ...args: string[]): string => {
        const { status, stdout, stderr } = spawnSync(command, args, { cwd: packageRoot, encoding: 'utf8' });
        assert.equal(status, 0, stderr);
        return stdout.trim();
      };
      const tarball = run('npm', 'pack', '--silent', '--pack-destination', folder);
      const modules = join(folder, 'node_modules');
      mkdirSync(join(modules, 'holdfast'), { recursive: true });
      const into = ['-C', join(modules, 'holdfast'), '--strip-components=1'];
      run('tar', '-xzf', join(folder, tarball), ...into);
      // What `npm install` of the tarball would fetch is installed here already.
      for (const name of readdirSync(join(packageRoot, 'node_modules'))) {
        symlinkSync(join(packageRoot, 'node_modules', name), join(modules, name));
      }
      cpSync(join(packageRoot, 'examples', 'store-adapter'), folder, { recursive: true });
      keepsContract(folder);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are each listed in their README, and their programs named by a test', () => {
    const folder = join(packageRoot, 'examples');
    const names = (root: string): string[] =>
      readdirSync(root, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => relative(root, join(entry.parentPath, entry.name)));
    const readme = readFileSync(join(folder, 'README.md'), 'utf8');
    const tests = join(packageRoot, 'test');
    const texts = names(tests)
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => readFileSync(join(tests, name), 'utf8'));
    for (const name of names(folder).filter((one) => one !== 'README.md')) {
      assert.ok(readme.includes(`(${name})`), `${name} is not in the README of the examples`);
      // A library is run by the program beside it, which imports it.
      const program = name === join('store-adapter', 'map-store.mjs') ? 'map-store.test.mjs' : basename(name);
      assert.ok(
        texts.some((text) => text.includes(program)),
        `no test runs ${name}`,
      );
    }
  });
});
