import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { nodeFault } from '../../../src/host/node-floor.js';
import { packageManifest, packageRoot } from '../../../src/host/version.js';

const { testedNode } = packageManifest;

/** Runs a script under this Node.js, which gives another version as its own. */
function runAs(version: string, script: string): { status: number | null; stdout: string; stderr: string } {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  return spawnSync(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(pretend)}`,
      join(packageRoot, script),
      '--version',
    ],
    { encoding: 'utf8' },
  );
}

describe('the version of Node.js', () => {
  it('is too old below the floor of package.json', () => {
    for (const old of ['12.22.9', '18.20.8', '20.18.3']) {
      assert.equal(
        nodeFault(old, '/usr/bin/node'),
        `Node.js ${old} (/usr/bin/node) is too old; allowed: 20.19 or newer, tried: ${testedNode.join(', ')}`,
      );
    }
    for (const allowed of ['20.19.0', ...testedNode, '22.0.0', '99.0.0']) {
      assert.equal(nodeFault(allowed, '/usr/bin/node'), undefined);
    }
  });

  for (const script of ['dist/src/app/main.js', 'bin/holdfast.mjs']) {
    it(`is judged before anything else of ${script} is loaded`, () => {
      const old = runAs('18.20.8', script);
      assert.equal(old.stdout, '');
      assert.equal(
        old.stderr,
        `holdfast: Node.js 18.20.8 (${process.execPath}) is too old; allowed: 20.19 or newer, ` +
          `tried: ${testedNode.join(', ')}\n`,
      );
      assert.equal(old.status, 1);
    });
  }

  it('is accepted without a warning if it is newer than the tried versions', () => {
    const { status, stdout, stderr } = runAs('99.0.0', 'dist/src/app/main.js');
    assert.deepEqual([status, stdout, stderr], [0, `${packageManifest.version}\n`, '']);
  });

  it('is compared by files that an old one can load: they import each other and built-in modules', () => {
    const imports = (file: string): string[] =>
      [...readFileSync(join(packageRoot, 'src', file), 'utf8').matchAll(/^import .* from '(.+)';$/gm)].map(
        ([, from]) => present(from),
      );
    assert.deepEqual(imports('app/main.ts'), ['../host/node-floor.js']);
    assert.deepEqual(imports('host/node-floor.ts'), ['./version.js']);
    assert.ok(imports('host/version.ts').every((from) => from.startsWith('node:')));
  });

  it('was tried as docs/compatibility.md lists it', () => {
    const page = readFileSync(join(packageRoot, 'docs', 'compatibility.md'), 'utf8');
    const rows = [...page.matchAll(/^\| (\d+\.\d+\.\d+) +\|/gm)].map(([, version]) => version);
    assert.deepEqual(rows, testedNode);
  });
});
