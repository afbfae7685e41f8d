// The build works on a copy: the source tree is never written to, and may be read-only.
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Top-level names that are never part of the copy: what builds and runs leave behind. */
const LEFT_OUT = new Set([
  'node_modules',
  'dist',
  'build',
  'install',
  'log',
  'data',
  'demo-data',
  'bench-results',
]);
/** Likewise inside a folder: the copy compiles its own. */
const COMPILED = join('native', 'build');
/** Top-level names of the copy that are made there. */
const MADE_HERE = new Set([
  'node_modules',
  'dist',
  'COLCON_IGNORE',
  'AMENT_IGNORE',
  'native-build.json',
  'native-check.cjs',
]);

/**
 * Makes `to` hold the files of `from`. Files that are equal stay untouched, so that nothing is compiled
 * again; files that are gone go, with what was compiled from them.
 *
 * @param without further top-level names to leave out.
 */
export function mirror(from, to, without = []) {
  mkdirSync(to, { recursive: true });
  const isWanted = (name) =>
    !LEFT_OUT.has(name) &&
    !without.includes(name) &&
    (!name.startsWith('.') || name === '.npmrc' || name === '.mocharc.json');
  const wanted = new Set();
  for (const name of readdirSync(from).filter(isWanted)) {
    // Told apart by name, so that a build folder inside the source tree does not copy itself.
    if (join(from, name) === to || to.startsWith(`${join(from, name)}/`)) continue;
    wanted.add(name);
    mirrorEntry(from, to, name);
  }
  for (const name of readdirSync(to)) {
    if (wanted.has(name) || MADE_HERE.has(name)) continue;
    rmSync(join(to, name), { recursive: true });
    removeCompiled(to, name);
  }
}

function mirrorEntry(fromRoot, toRoot, name) {
  const [from, to] = [join(fromRoot, name), join(toRoot, name)];
  const source = lstatSync(from);
  const target = lstatSync(to, { throwIfNoEntry: false });
  if (target && target.isDirectory() !== source.isDirectory()) rmSync(to, { recursive: true });
  if (source.isDirectory()) return mirrorFolder(fromRoot, toRoot, name);
  if (source.isFile()) return mirrorFile(from, to, source);
  // A link is copied as what it points to, since the copy lies elsewhere.
  cpSync(from, to, { recursive: true, dereference: true, force: true });
}

function mirrorFolder(fromRoot, toRoot, name) {
  const target = join(toRoot, name);
  mkdirSync(target, { recursive: true });
  const names = readdirSync(join(fromRoot, name)).filter(
    (one) => one !== '__pycache__' && one !== 'node_modules' && join(name, one) !== COMPILED,
  );
  for (const one of names) mirrorEntry(fromRoot, toRoot, join(name, one));
  const kept = new Set(names);
  const isGone = (one) => !kept.has(one) && join(name, one) !== COMPILED;
  for (const one of readdirSync(target).filter(isGone)) {
    rmSync(join(target, one), { recursive: true });
    removeCompiled(toRoot, join(name, one));
  }
}

function mirrorFile(from, to, { mode }) {
  const content = readFileSync(from);
  if (existsSync(to) && readFileSync(to).equals(content)) return;
  mkdirSync(dirname(to), { recursive: true });
  // Never written in place: the copy of a read-only file is read-only.
  rmSync(to, { force: true });
  writeFileSync(to, content, { mode: (mode & 0o777) | 0o200 });
}

/** The compiler leaves what it made of a file or folder that is gone. */
function removeCompiled(root, name) {
  const compiled = join(root, 'dist', name);
  for (const path of [
    compiled,
    ...['.js', '.js.map', '.d.ts'].map((ext) => compiled.replace(/\.ts$/, ext)),
  ]) {
    rmSync(path, { recursive: true, force: true });
  }
  // What decides whether a build is due looks at files that are there.
  rmSync(join(root, 'dist', '.built'), { force: true });
}
