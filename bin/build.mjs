// Compiles src, test and bench into dist/, only when a source is newer than the last build.
import './require-node.mjs';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildGroundPages, buildWeb } from './build-web.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const stamp = join(root, 'dist', '.built');

function newestSource(directory) {
  let newest = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) newest = Math.max(newest, newestSource(path));
    else if (entry.name.endsWith('.ts')) newest = Math.max(newest, statSync(path).mtimeMs);
  }
  return newest;
}

/** Builds if needed; returns whether a build ran. */
export function build() {
  buildWeb();
  buildGroundPages();
  const built = existsSync(stamp) ? Number(readFileSync(stamp, 'utf8')) : 0;
  const sources = ['src', 'test', 'bench'].map((name) => join(root, name));
  const newest = Math.max(
    ...sources.filter((path) => statSync(path, { throwIfNoEntry: false })).map(newestSource),
    ...['tsconfig.json', 'package.json'].map((name) => statSync(join(root, name)).mtimeMs),
  );
  if (built >= newest) return false;
  const startedAt = Date.now();
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { cwd: root, stdio: ['ignore', 2, 2] });
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(stamp, `${startedAt}\n`);
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build();
