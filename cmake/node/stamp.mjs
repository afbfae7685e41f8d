// Steps are repeated when the content they depend on changed, whatever the clock or a fresh checkout says.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A hash of texts and buffers; each is length-prefixed, so that no two lists give one hash. */
export function hashOf(...parts) {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = Buffer.from(part);
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest('hex');
}

/** A hash of the names and contents of some files of a folder; a missing folder is an empty one. */
export function hashFolder(folder, pattern) {
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => pattern.test(name)) : [];
  return hashOf(...names.sort().flatMap((name) => [name, readFileSync(join(folder, name))]));
}

/** Runs a step unless its last complete run had the same key. A step that fails leaves no stamp. */
export function once(stamps, name, key, step) {
  const path = join(stamps, name);
  if (existsSync(path) && readFileSync(path, 'utf8') === key) return false;
  rmSync(path, { force: true });
  console.log(`holdfast: ${name}`);
  step();
  writeFileSync(path, key);
  return true;
}
