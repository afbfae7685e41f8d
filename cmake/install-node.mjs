// Brings the built copy into the install space: a copy of what runs, or with --link a link to the build folder
// (colcon build --symlink-install).
//
//   node install-node.mjs --build DIR --to DIR [--link]
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { hashFolder, hashOf } from './node/stamp.mjs';

const { values } = parseArgs({
  options: { build: { type: 'string' }, to: { type: 'string' }, link: { type: 'boolean', default: false } },
});
const tree = join(values.build, 'node');
const { to } = values;

const isGlibc = process.report.getReport().header.glibcVersionRuntime !== undefined;

/** In the npm package, but of no use to an installation: CMake and ROS install these elsewhere, or not at all. */
const NOT_INSTALLED = new Set(['CMakeLists.txt', 'colcon.meta', 'launch', 'cmake']);
/** The files that npm packs by default, and the files that the build makes. */
const ALWAYS = [
  'package.json',
  'LICENSE',
  'COLCON_IGNORE',
  'AMENT_IGNORE',
  'native-build.json',
  'native-check.cjs',
];

function link() {
  const target = lstatSync(to, { throwIfNoEntry: false });
  if (target?.isSymbolicLink() && readlinkSync(to) === tree) return;
  rmSync(to, { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true });
  symlinkSync(tree, to);
  console.log(`-- Symlinking: ${to}`);
}

function copy() {
  if (lstatSync(to, { throwIfNoEntry: false })?.isSymbolicLink()) rmSync(to);
  mkdirSync(to, { recursive: true });
  const { files } = JSON.parse(readFileSync(join(tree, 'package.json'), 'utf8'));
  const own = [...files.filter((name) => !NOT_INSTALLED.has(name)), ...ALWAYS];
  part('product', readFileSync(join(tree, 'dist', '.built')), () => copyOwn(own));
  part('dependencies', hashFolder(join(values.build, 'stamps'), /./), copyDependencies);
}

/** Copies one part again, whole, unless what lies there is that part already. */
function part(name, key, step) {
  const stamp = join(to, `.${name}`);
  const wanted = hashOf(name, key, readFileSync(new URL(import.meta.url)));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  rmSync(stamp, { force: true });
  step();
  writeFileSync(stamp, wanted);
  console.log(`-- Installing: ${to} (${name})`);
}

function copyOwn(names) {
  for (const name of names) {
    rmSync(join(to, name), { recursive: true, force: true });
    if (existsSync(join(tree, name))) copyEntry(name);
  }
}

/** The packages that the lock file does not mark as needed for development only. */
function copyDependencies() {
  rmSync(join(to, 'node_modules'), { recursive: true, force: true });
  const { packages } = JSON.parse(readFileSync(join(tree, 'package-lock.json'), 'utf8'));
  const runtime = new Set(Object.keys(packages).filter((path) => path !== '' && packages[path].dev !== true));
  for (const path of runtime) {
    // A platform's own packages are absent on the others.
    if (!existsSync(join(tree, path))) continue;
    const inner = join(tree, path, 'node_modules');
    cpSync(join(tree, path), join(to, path), {
      recursive: true,
      filter: (from) => from !== inner && !isObject(from) && !isOfAnotherPlatform(from),
    });
  }
}

/**
 * An add-on that a package brings compiled for another system, processor, C library or host. Of no use here, and the
 * tools of Debian that look into binaries stop at it.
 */
function isOfAnotherPlatform(path) {
  const [, platform, file] = /\/prebuilds\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
  if (platform === undefined) return false;
  return file === undefined
    ? platform !== `${process.platform}-${process.arch}`
    : file.includes('-electron-') || (isGlibc && file.includes('.musl.'));
}

/** What the compiler left on the way to the addon. */
function isObject(path) {
  return path.endsWith('/build/Release/obj.target') || path.endsWith('/build/Release/.deps');
}

function copyEntry(name) {
  cpSync(join(tree, name), join(to, name), {
    recursive: true,
    filter: (from) => !from.endsWith('.tsbuildinfo'),
  });
}

if (values.link) link();
else copy();
