import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Installs packages of Debian for tests, if this user may. Tests that go without them say so themselves. */
export function installDebianPackages(packages: readonly string[]): void {
  if (!existsSync('/usr/bin/apt-get')) return;
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const apt = (...args: string[]): boolean => {
    const command = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...args];
    return spawnSync(command[0]!, command.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] }).status === 0;
  };
  const install = (): boolean => apt('install', '-y', '-qq', '--no-install-recommends', ...packages);
  const names = packages.join(' and ');
  console.error(`installing ${names} for the tests`);
  if (install() || (apt('update', '-qq') && install())) return;
  console.error(`could not be installed here: ${names}; tests that need them will say so`);
}
