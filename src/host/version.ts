import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of package.json, for a checkout, for dist/ and for an installed package. */
export const packageRoot: string = findPackageRoot(dirname(fileURLToPath(import.meta.url)));

function findPackageRoot(from: string): string {
  for (let at = from; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json')) && existsSync(join(at, 'package.xml'))) return at;
    if (dirname(at) === at) return from;
  }
}

/** Members of package.json that the program reads. */
interface PackageManifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  /** Versions of Node.js with which tests were run; docs/compatibility.md says which tests. */
  readonly testedNode: readonly string[];
}

export const packageManifest = JSON.parse(
  readFileSync(join(packageRoot, 'package.json'), 'utf8'),
) as PackageManifest;

/** Version of the product, from package.json. */
export const version: string = packageManifest.version;
