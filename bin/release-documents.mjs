// Writes what accompanies a release into dist/release: the bill of materials (CycloneDX) and the licences of what is
// shipped. Ends with 1 if a licence is not allowed (bin/third-party.mjs).
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refusedLicences, renderLicences, thirdParty } from './third-party.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'dist', 'release');
mkdirSync(folder, { recursive: true });

const npm = (...args) =>
  execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
writeFileSync(join(folder, 'sbom.cdx.json'), npm('sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev'));

const packages = thirdParty(root);
writeFileSync(join(folder, 'third-party-licences.md'), renderLicences(root, packages));
console.log(`${packages.length} packages described in dist/release`);
for (const { name, version, licence } of refusedLicences(packages)) {
  console.error(`${name} ${version} has the licence ${licence}, which bin/third-party.mjs does not allow`);
  process.exitCode = 1;
}
