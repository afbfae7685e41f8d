import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { extname, join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import { LoggerPlace } from './logger-support.js';

const entry = new URL(`../../src/logger/entry${extname(import.meta.url)}`, import.meta.url);

describe('the library entrance holdfast/logger', function () {
  this.timeout(120_000);

  it('is what package.json exports', () => {
    const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
      exports: Record<string, { types: string; default: string }>;
    };
    const { types, default: code } = exports['./logger']!;
    assert.equal(code, './dist/src/logger/entry.js');
    assert.equal(types, './dist/src/logger/entry.d.ts');
    // Compiled, the tests stand beside it.
    if (extname(import.meta.url) === '.js') assert.ok(existsSync(join(packageRoot, code)));
  });

  it('runs every example of its page', async () => {
    await using place = await LoggerPlace.make();
    const page = readFileSync(join(packageRoot, 'docs', 'logger.md'), 'utf8');
    const examples = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
    assert.equal(examples.length, 3);
    const said = [/^1020 logged, 0 dropped$/, /^2$/, /^1 written$/];
    for (const [index, example] of examples.entries()) {
      const folder = join(place.root, String(index));
      await fs.mkdir(folder);
      const path = join(folder, 'example.mts');
      await fs.writeFile(path, example.replaceAll("'holdfast/logger'", `'${entry.href}'`));
      const tsx = import.meta.resolve('tsx');
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', tsx, path], {
        cwd: folder,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
      assert.equal(stderr, '');
      assert.match(stdout.trim(), said[index]!, example);
    }
  });
});
