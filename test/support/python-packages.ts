import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ownUserId } from '../../src/host/user-id.js';

/** For downloading about 60 MB. */
const INSTALL_TIMEOUT_MS = 240_000;

/**
 * A Python that has these packages: one of this machine, or a virtual environment made of PyPI's packages and kept for
 * later runs. Otherwise the reason.
 *
 * @param packages Names to import.
 * @param distributions Names on PyPI, with versions.
 */
export function pythonWith(
  packages: readonly string[],
  distributions: readonly string[] = packages,
): { readonly path: string } | { readonly missing: string } {
  const home = join(tmpdir(), `holdfast-test-python-${ownUserId()}-${packages.join('-')}`);
  const made = join(home, 'bin', 'python');
  const has = (path: string): boolean =>
    spawnSync(path, ['-c', `import ${packages.join(', ')}`], { stdio: 'ignore' }).status === 0;
  const found = ['python3', '/usr/bin/python3', made].find(has);
  if (found !== undefined) return { path: found };
  const run = (path: string, args: readonly string[]): string | undefined => {
    const { status, stderr, error } = spawnSync(path, args, {
      timeout: INSTALL_TIMEOUT_MS,
      encoding: 'utf8',
    });
    if (status === 0) return undefined;
    return (error?.message ?? stderr).trim().split('\n').at(-1) ?? 'unknown';
  };
  const noHome = run('python3', ['-m', 'venv', home]);
  if (noHome !== undefined) return { missing: `no virtual environment of Python: ${noHome}` };
  const noPackages = run(made, ['-m', 'pip', 'install', '--quiet', ...distributions]);
  if (noPackages !== undefined) return { missing: `PyPI cannot be had: ${noPackages}` };
  return { path: made };
}
