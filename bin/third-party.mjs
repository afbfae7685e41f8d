// The licences of what Holdfast ships and of what npm installs with it, from the lock file and from node_modules.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Licences (SPDX) that a package which is shipped or installed may have; a choice needs one of them. */
const ALLOWED = new Set([
  'MIT',
  'Apache-2.0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  '0BSD',
  'Unlicense',
  'PostgreSQL',
  'OFL-1.1',
]);

/** Names that packages give instead of the SPDX identifier. */
const SPDX = { Apache2: 'Apache-2.0' };

/** Development dependencies whose code or data the build copies into the web pages (bin/build-web.mjs). */
const BUNDLED = ['preact', 'topojson-client', 'uplot', 'world-atlas'];

const nameOf = (path) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);

/**
 * Every package that is installed or bundled with Holdfast, sorted by name: `{ path, name, version, licence, how }`.
 * Platform packages of other machines are among them.
 */
export function thirdParty(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && (dev !== true || BUNDLED.includes(nameOf(path))))
    .map(([path, { dev, version, license }]) => ({
      path,
      name: nameOf(path),
      version,
      licence: licenceOf(license ?? olderForm(join(root, path))),
      how: dev === true ? 'copied into the web pages' : 'installed by npm',
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

/** Packages from before npm 2 list objects, which the lock file leaves out. */
function olderForm(folder) {
  const file = join(folder, 'package.json');
  if (!existsSync(file)) return undefined;
  return JSON.parse(readFileSync(file, 'utf8')).licenses?.map(({ type }) => type);
}

/** As an SPDX expression; old packages give a list of choices. */
function licenceOf(license = 'not stated') {
  const choices = [license].flat().map((one) => SPDX[one] ?? one);
  return choices.length === 1 ? choices[0] : `(${choices.join(' OR ')})`;
}

/** Those whose licence is not allowed. */
export function refusedLicences(packages) {
  const choices = (licence) => licence.replace(/[()]/g, '').split(' OR ');
  return packages.filter(({ licence }) => !choices(licence).some((one) => ALLOWED.has(one)));
}

/** The file of licences: one section for each package, with the text that its authors ask to be kept. */
export function renderLicences(root, packages) {
  const sections = packages.map(
    ({ path, name, version, licence, how }) =>
      `## ${name} ${version}\n\n${licence}; ${how}\n\n\`\`\`\n${licenceText(join(root, path))}\n\`\`\`\n`,
  );
  const fonts = readFileSync(join(root, 'web', 'fonts', 'OFL.txt'), 'utf8').trim();
  return (
    `# Third-party licences\n\nWhat is installed with Holdfast, and what its web pages contain.\n\n${sections.join('\n')}\n` +
    `## B612\n\nOFL-1.1; copied into the web pages\n\n\`\`\`\n${fonts}\n\`\`\`\n`
  );
}

function licenceText(folder) {
  if (!existsSync(folder)) return 'The package is for another platform. Its licence file comes with it.';
  const file = readdirSync(folder)
    .sort()
    .find((entry) => /^(licen[cs]e|copying)([.-]|$)/i.test(entry));
  if (file === undefined) return 'The package contains no licence file.';
  return readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim();
}
