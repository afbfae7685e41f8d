// Builds the docs site from docs/ into build/site with MkDocs (mkdocs.yml), from PyPI in a Python environment of its
// own. The site is static, has its own search, and loads nothing from another server.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const home = join(root, 'build', 'site-python');
const requirements = join(root, 'docs', 'site-requirements.txt');
const stamp = join(home, 'installed.txt');

/** Makes the environment, unless it has just these packages. */
function install() {
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  mkdirSync(join(root, 'build'), { recursive: true });
  execFileSync('python3', ['-m', 'venv', '--clear', home], { stdio: 'inherit' });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  execFileSync(join(home, 'bin', 'python'), pip, { stdio: 'inherit' });
  writeFileSync(stamp, wanted);
}

install();
const target = process.argv[2] === undefined ? [] : ['--site-dir', process.argv[2]];
execFileSync(join(home, 'bin', 'mkdocs'), ['build', '--quiet', ...target], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, NO_MKDOCS_2_WARNING: '1' },
});
