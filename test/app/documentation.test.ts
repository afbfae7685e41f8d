import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { commands } from '../../src/app/cli/commands.js';
import { packageRoot } from '../../src/app/system/version.js';

const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(packageRoot, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));
const read = (name: string): string => readFileSync(join(packageRoot, name), 'utf8');

describe('the documentation', () => {
  it('has no link to a page or file that does not exist', () => {
    for (const page of pages) {
      for (const [, target] of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        if (/^[a-z]+:/.test(target!)) continue;
        const path = normalize(join(dirname(page), target!));
        assert.ok(existsSync(join(packageRoot, path)), `${page}: ${target}`);
      }
    }
  });

  it('is reachable: the index names every page', () => {
    const index = read('docs/index.md');
    for (const page of pages.filter((name) => name.startsWith('docs/') && name !== 'docs/index.md')) {
      assert.ok(index.includes(`(${page.slice('docs/'.length)})`), page);
    }
  });

  it('names every command in the README, and no other', () => {
    const rows = [...read('README.md').matchAll(/^\| `([a-z]+)` +\|/gm)].map(([, name]) => name);
    assert.deepEqual(rows.toSorted(), commands.map(({ name }) => name).toSorted());
    const used = [...read('README.md').matchAll(/^holdfast (\w+)/gm)].map(([, name]) => name!);
    assert.deepEqual(
      used.filter((name) => !rows.includes(name)),
      [],
    );
  });
});
