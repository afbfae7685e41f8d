// Finds, or installs from npm, another major version of Node.js to run tests with.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../node_modules/.cache/holdfast-node', import.meta.url));

/** The version this executable is, or undefined when it does not run here. */
function versionOf(path) {
  const { status, stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Path of an executable of this major version. Throws when npm has none for this machine. */
export function nodeOfMajor(major) {
  if (!/^[1-9]\d*$/.test(major)) throw new Error(`--node is "${major}", allowed: a major version such as 26`);
  const isRight = (path) => versionOf(path)?.startsWith(`v${major}.`) === true;
  if (isRight(process.execPath)) return process.execPath;
  const folder = join(cache, major);
  const path = join(folder, 'node_modules', 'node', 'bin', 'node');
  if (existsSync(path) && isRight(path)) return path;
  mkdirSync(folder, { recursive: true });
  console.error(`installing Node.js ${major} from npm for this run`);
  // The package `node` puts the executable for this machine in its place by a script.
  const options = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts=false', '--prefix', folder];
  const { status } = spawnSync('npm', ['install', ...options, `node@${major}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0 || !isRight(path)) {
    throw new Error(`npm could not install node@${major}; install Node.js ${major} and put it on the PATH`);
  }
  return path;
}
