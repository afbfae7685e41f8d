import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of package.json, from a checkout, from dist/ and from an installed package alike. */
export const packageRoot: string = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

function findPackageRoot(from: string): string {
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json')) && existsSync(join(at, 'package.xml'))) return at;
    if (dirname(at) === at) return from;
  }
}

/** Version of the product, from package.json. */
export const version: string = readVersion();

function readVersion(): string {
  const path = join(packageRoot, 'package.json');
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}
