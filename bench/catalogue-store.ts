// Makes the store the catalogue benchmark lists: catalogue-store SEGMENTS FOLDER; prints one JSON line.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { encodeManifest } from '../src/core/manifest.js';
import { syntheticManifest } from '../test/support/synthetic-manifest.js';

const [segments = '0', folder = ''] = process.argv.slice(2);
mkdirSync(join(folder, '.holdfast'), { recursive: true });
writeFileSync(join(folder, '.holdfast', 'store-id'), `${'b'.repeat(32)}\n`);
let bytes = 0;
let made = '';
for (let number = 0; number < Number(segments); number++) {
  const manifest = syntheticManifest(number);
  const path = join(folder, manifest.key);
  if (dirname(path) !== made) mkdirSync((made = dirname(path)), { recursive: true });
  const text = encodeManifest(manifest);
  writeFileSync(path, 'mcap');
  writeFileSync(path.replace(/\.mcap$/, '.json'), text);
  bytes += text.length;
}
console.log(JSON.stringify({ segments: Number(segments), bytes }));
