import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { present } from '../../../src/core/present.js';
import { commands } from '../../../src/app/cli/commands.js';
import { packageRoot, version } from '../../../src/host/version.js';

const pages = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'CODE_OF_CONDUCT.md',
  ...readdirSync(join(packageRoot, 'docs')).map((name) => `docs/${name}`),
].filter((name) => name.endsWith('.md'));
const read = (name: string): string => readFileSync(join(packageRoot, name), 'utf8');

/** The full titles of the tests whose file begins with a path, as `--grep` sees them. */
function titlesBelow(path: string): string[] {
  const files = readdirSync(join(packageRoot, 'test'), { recursive: true, encoding: 'utf8' })
    .map((name) => `test/${name}`)
    .filter((name) => name.startsWith(path) && name.endsWith('.ts'));
  return files.flatMap((file) => {
    const open: { readonly depth: number; readonly title: string }[] = [];
    return [...read(file).matchAll(/^( *)(?:describe|it)\((['`])(.*?)\2,/gm)].map(([, indent, , title]) => {
      const depth = present(indent).length;
      while ((open.at(-1)?.depth ?? -1) >= depth) open.pop();
      open.push({ depth, title: present(title) });
      return open.map((one) => one.title).join(' ');
    });
  });
}

describe('the documentation', () => {
  it('has no link to a page or file that does not exist', () => {
    for (const page of pages) {
      for (const found of read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
        const target = found[1]!;
        if (/^[a-z]+:/.test(target)) continue;
        const path = normalize(join(dirname(page), target));
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

  it('names only source files that exist, on the page about the architecture', () => {
    const page = read('docs/architecture.md');
    const named = [...page.matchAll(/`((?:src|test)\/[^`]+\.ts)`/g)].map(([, path]) => present(path));
    assert.ok(named.length > 15, 'it follows a message through the files');
    assert.deepEqual(
      named.filter((path) => !existsSync(join(packageRoot, path))),
      [],
    );
  });

  it('describes every top folder of the source on the page about the architecture', () => {
    const described = [...read('docs/architecture.md').matchAll(/^\| `([a-z0-9]+)\/`/gm)].map(
      ([, name]) => name,
    );
    assert.deepEqual(described.toSorted(), readdirSync(join(packageRoot, 'src')).toSorted());
  });

  it('cites only tests that exist, on the page about threats', () => {
    const cited = [...read('docs/threat-model.md').matchAll(/`(test\/[^`]+)`: ([^|`]+?) *(?=[|`])/g)];
    assert.ok(cited.length > 20, 'it cites tests');
    for (const [, path, names] of cited) {
      const titles = titlesBelow(present(path));
      for (const name of present(names).split(';')) {
        const text = name.trim();
        if (text !== '')
          assert.ok(
            titles.some((title) => title.includes(text)),
            `${path}: ${text}`,
          );
      }
    }
  });

  it('names one version in package.json and package.xml', () => {
    assert.equal(/<version>(.*)<\/version>/.exec(read('package.xml'))?.[1], version);
  });

  it('names every command in the README, and no other', () => {
    const rows = [...read('README.md').matchAll(/^\| `([a-z-]+)` +\|/gm)].map(([, name]) => name);
    assert.deepEqual(rows.toSorted(), commands.map(({ name }) => name).toSorted());
    const used = [...read('README.md').matchAll(/^holdfast ([\w-]+)/gm)].map(([, name]) => present(name));
    assert.deepEqual(
      used.filter((name) => !rows.includes(name)),
      [],
    );
  });
});
