import { HoldfastError } from '../core/errors.js';
import { decodeManifest, type Manifest } from '../core/manifest.js';

/** Reads `sealed/<name>.json`. Throws `MANIFEST_INVALID`, also if it does not fit its name. */
export function parseSealedManifest(bytes: Buffer, name: string): Manifest {
  const manifest = decodeManifest(bytes.toString('utf8'), `${name}.json`);
  if (manifest.file.name !== `${name}.mcap` || !manifest.key.endsWith('.mcap')) {
    throw new HoldfastError(
      'MANIFEST_INVALID',
      `manifest ${name}.json names file ${manifest.file.name} and key ${manifest.key}; ` +
        `allowed: file ${name}.mcap and a key ending in .mcap`,
      { facts: { name, file: manifest.file.name, key: manifest.key } },
    );
  }
  return manifest;
}
