import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import { lacking } from '../../src/testing/lacking.js';

describe('the docs site', function () {
  this.timeout(180_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-site-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('is built without a warning, has every page, a search, and nothing from another server', function () {
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(packageRoot, 'bin', 'build-site.mjs'), join(folder, 'site')],
      { encoding: 'utf8' },
    );
    if (/ensurepip|No matching distribution|No module named (venv|pip)|ENOENT/.test(stderr)) {
      lacking(this, 'peer', `mkdocs-material cannot be installed: ${stderr.trim().split('\n').at(-1) ?? ''}`);
    }
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(stderr, /WARNING/);
    const pages = readdirSync(join(packageRoot, 'docs'))
      .filter((name) => name.endsWith('.md') && name !== 'index.md')
      .map((name) => name.replace(/\.md$/, ''));
    const index = readFileSync(join(folder, 'site', 'search', 'search_index.json'), 'utf8');
    const { docs } = JSON.parse(index) as { docs: { location: string; text: string }[] };
    for (const page of pages) {
      assert.ok(
        docs.some(({ location }) => location.startsWith(`${page}/`)),
        `the search knows ${page}`,
      );
      const html = readFileSync(join(folder, 'site', page, 'index.html'), 'utf8');
      assert.doesNotMatch(html, /<(script|img|iframe)[^>]* src="(https?:)?\/\//);
      assert.doesNotMatch(html, /<link rel="stylesheet"[^>]* href="(https?:)?\/\//);
    }
    assert.ok(docs.some(({ text }) => text.includes('install-service')));
  });
});
