import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeFlags } from '../../src/core/node-flags.js';
import { packageRoot } from '../../src/host/version.js';

describe('The flags of Node.js', () => {
  for (const path of ['src/app/main.ts', 'cmake/wrapper.sh.in']) {
    it(`are those of ${path}`, () => {
      const text = readFileSync(join(packageRoot, path), 'utf8');
      assert.deepEqual(text.match(/--[a-z-]+=\d+/g), nodeFlags);
    });
  }
});
