// Writes what accompanies a release into dist/release: the bill of materials (CycloneDX) and the licences of what is shipped.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'dist', 'release');
mkdirSync(folder, { recursive: true });

const npm = (...args) =>
  execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
writeFileSync(join(folder, 'sbom.cdx.json'), npm('sbom', '--sbom-format', 'cyclonedx', '--omit', 'dev'));

/** Every package that is installed with Holdfast, from the lock file. */
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
const shipped = Object.entries(packages)
  .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(root, path, 'package.json')))
  .map(([path, { version }]) => ({ path, name: path.slice(path.lastIndexOf('node_modules/') + 13), version }))
  .sort((a, b) => a.name.localeCompare(b.name));

const sections = shipped.map(({ path, name, version }) => {
  const { license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
  const file = readdirSync(join(root, path)).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
  const text =
    file === undefined
      ? 'The package contains no licence file.'
      : readFileSync(join(root, path, file), 'utf8');
  return `## ${name} ${version}\n\n${license ?? 'licence not stated'}\n\n\`\`\`\n${text.trim()}\n\`\`\`\n`;
});
writeFileSync(
  join(folder, 'third-party-licences.md'),
  `# Third-party licences\n\nWhat is installed with Holdfast.\n\n${sections.join('\n')}`,
);
console.log(`${shipped.length} packages described in dist/release`);
