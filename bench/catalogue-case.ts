// One listing in a process of its own: catalogue-case VARIANT STORE CACHE; prints one JSON line.
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { silentLogger } from '../src/core/logger.js';
import { openCatalogueCache } from '../src/recordings/catalogue/catalogue-cache.js';
import { FilePool } from '../src/recordings/file-readable.js';
import { listRows } from '../src/recordings/list-segments.js';
import { readManifestObject, storeEntries } from '../src/recordings/catalogue/store-entries.js';
import { systemClock } from '../src/host/system-clock.js';
import { openStore } from '../src/stores/open-store.js';
import { resident } from './measure.js';

const [variant = '', folder = '', cacheFolder = ''] = process.argv.slice(2);
const ports = { fileSystem: fs, clock: systemClock, random: randomBytes };
await using store = await openStore(`dir:${folder}`, {}, ports);
await using files = new FilePool(fs);
const start = performance.now();
let rows = 0;
if (variant === 'one by one') {
  // What every listing did before there was a catalogue.
  for await (const { manifest } of storeEntries(store)) {
    if (manifest !== undefined && (await readManifestObject(store, manifest)).messages > 0) rows++;
  }
} else {
  const options = {
    files,
    onProblem: () => {},
    ...(variant === 'no cache'
      ? {}
      : { openCatalogue: () => openCatalogueCache(fs, silentLogger, cacheFolder, 'b'.repeat(32)) }),
  };
  for await (const _ of listRows({ kind: 'store', store }, options)) rows++;
}
const seconds = (performance.now() - start) / 1000;
console.log(JSON.stringify({ seconds, rows, residentMb: resident().peak / 1e6 }));
