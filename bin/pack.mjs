// Makes the tarball of a release: a copy of what git knows, built from nothing, so that no output of an older build and
// no path of this checkout gets in. The same commit gives the same bytes.
//
//   npm run release:pack               writes dist/release/holdfast-X.Y.Z.tgz and its SHA-256
//   npm run release:pack -- --check    makes it twice, in two folders, and ends with 1 if the bytes differ
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { renderLicences, thirdParty } from './third-party.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The files of the checkout as they are now, without what git ignores. */
function copyCheckout(target) {
  const listed = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const names = execFileSync('git', listed, { cwd: root, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  for (const name of names.split('\0')) {
    // Tests and benchmarks are neither compiled nor shipped.
    if (name === '' || /^(test|bench)\//.test(name)) continue;
    mkdirSync(join(target, dirname(name)), { recursive: true });
    cpSync(join(root, name), join(target, name), { force: true, dereference: false });
  }
  // Prebuilt add-ons come from other machines; git does not know them.
  const prebuilds = join(root, 'native', 'prebuilds');
  if (existsSync(prebuilds)) cpSync(prebuilds, join(target, 'native', 'prebuilds'), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(target, 'node_modules'));
}

/** Builds and packs in a copy of the checkout; returns the tarball's name and bytes. */
function pack(folder) {
  execFileSync(process.execPath, [join('bin', 'build.mjs')], { cwd: folder, stdio: ['ignore', 2, 2] });
  writeFileSync(join(folder, 'dist', 'third-party-licences.md'), renderLicences(root, thirdParty(root)));
  const args = ['pack', '--json', '--ignore-scripts'];
  const [{ filename }] = JSON.parse(execFileSync('npm', args, { cwd: folder, encoding: 'utf8' }));
  return { filename, bytes: readFileSync(join(folder, filename)) };
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const count = process.argv.includes('--check') ? 2 : 1;
const folders = Array.from({ length: count }, () => mkdtempSync(join(tmpdir(), 'holdfast-pack-')));
let packed;
try {
  // Both before the first build: a file that changes meanwhile is in none of them.
  folders.forEach(copyCheckout);
  packed = folders.map(pack);
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
const [{ filename, bytes }] = packed;
if (packed.length > 1) {
  if (!packed[1].bytes.equals(bytes)) {
    console.error(`two builds differ: ${packed.map((one) => sha256(one.bytes)).join(' and ')}`);
    process.exit(1);
  }
  console.log('two builds have the same bytes');
}
const target = join(root, 'dist', 'release');
mkdirSync(target, { recursive: true });
writeFileSync(join(target, filename), bytes);
writeFileSync(join(target, `${filename}.sha256`), `${sha256(bytes)}  ${filename}\n`);
console.log(`dist/release/${filename}: ${bytes.length} bytes, SHA-256 ${sha256(bytes)}`);
