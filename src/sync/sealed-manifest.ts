import { HoldfastError } from '../core/errors.js';
import { decodeManifest, ENCRYPTED_END, type Manifest } from '../core/manifest.js';

/** Reads `sealed/<name>.json`. Throws `MANIFEST_INVALID`, also if it does not fit its name. */
export function parseSealedManifest(bytes: Buffer, name: string): Manifest {
  const manifest = decodeManifest(bytes.toString('utf8'), `${name}.json`);
  const end = manifest.encryption ? ENCRYPTED_END : '.mcap';
  if (manifest.file.name !== `${name}.mcap` || !manifest.key.endsWith(end)) {
    throw new HoldfastError(
      'MANIFEST_INVALID',
      `manifest ${name}.json names file ${manifest.file.name} and key ${manifest.key}; ` +
        `allowed: file ${name}.mcap and a key ending in ${end}`,
      { facts: { name, file: manifest.file.name, key: manifest.key } },
    );
  }
  return manifest;
}
