import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { Linter } from 'eslint';
import { packageRoot } from '../../src/host/version.js';

describe('npm run prose', () => {
  let linter: Linter;
  let config: Linter.Config[];
  // In pieces, because the check reads this file too.
  const banned = ['an', 'ew'].join('');
  const findings = (code: string): string[] =>
    linter.verify(code, config, { filename: 'one.ts' }).map(({ line, message }) => `${line} ${message}`);

  before(async () => {
    const url = pathToFileURL(join(packageRoot, 'prose', 'eslint.config.mjs')).href;
    config = ((await import(url)) as { default: Linter.Config[] }).default;
    linter = new Linter({ configType: 'flat' });
  });

  it('finds a banned construction in a string, a template, a comment and a test name', () => {
    for (const code of [
      `log('it begins ${banned}');`,
      `log(\`\${name} begins ${banned}\`);`,
      `// It begins ${banned}.`,
      `/** It begins ${banned}. */`,
      `it('begins ${banned}', () => {});`,
    ]) {
      assert.match(findings(code).join(), /Write "again"/, code);
    }
  });

  it('finds a construction that runs over two lines of a comment or two pieces of a string', () => {
    const [first, second] = ['all the', 'same'];
    assert.match(findings(`// It ends ${first}\n// ${second}.`).join(), /^1 "all the same"/);
    assert.match(findings(`/**\n * It ends ${first}\n * ${second}.\n */`).join(), /^1 "all the same"/);
    assert.match(findings(`log('it ends ${first} ' +\n 'sa' + 'me');`).join(), /^1 "all the same"/);
  });

  it('leaves names in code alone', () => {
    assert.deepEqual(findings(`const ${banned} = { a: 1 }; export const b = ${banned}.a;`), []);
  });
});
