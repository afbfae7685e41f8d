// Writes what is generated from tables in the code: config/holdfast.yaml and the reference pages in docs/.
// With --check it writes nothing and exits 1 where a file is out of step.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

build();
const { generatedFiles } = await import('../dist/src/app/render/generated-files.js');
const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');
for (const [name, content] of generatedFiles()) {
  const path = join(root, name);
  const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
  if (before === content) continue;
  if (check) process.exitCode = 1;
  else {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  console.log(`${check ? 'out of step' : 'written'}: ${name}`);
}
