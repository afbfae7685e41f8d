import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { readConfigFile } from '../../../src/settings/config-file.js';
import { resolve } from '../../../src/settings/resolve.js';
import { generatedFiles } from '../../../src/app/render/generated-files.js';
import { packageRoot } from '../../../src/host/version.js';

describe('generated files', () => {
  for (const [name, content] of generatedFiles()) {
    it(`${name} is in step with the code (else run node bin/generate-docs.mjs)`, () => {
      assert.equal(readFileSync(join(packageRoot, name), 'utf8'), content);
    });
  }

  it('config/holdfast.yaml has exactly the defaults', () => {
    const file = readConfigFile(present(generatedFiles().get('config/holdfast.yaml')), 'holdfast.yaml');
    for (const role of ['recorder', 'sync'] as const) {
      const { values, faults } = resolve(role, file, {});
      assert.deepEqual(faults, []);
      assert.deepEqual(values, resolve(role, undefined, {}).values);
    }
  });
});
