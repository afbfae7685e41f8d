import { spawnSync } from 'node:child_process';
import { installDebianPackages } from './debian-packages.js';

/** The Python that has Debian's python3-dbusmock. */
export const PYTHON = '/usr/bin/python3';

function isThere(): boolean {
  const hasMock = spawnSync(PYTHON, ['-c', 'import dbusmock'], { stdio: 'ignore' }).status === 0;
  const hasBus = spawnSync('dbus-daemon', ['--version'], { stdio: 'ignore' }).status === 0;
  return hasMock && hasBus;
}

/** A bus, and a service on it with the interface of NetworkManager. */
export function installForTests(): void {
  if (!isThere()) installDebianPackages(['dbus', 'python3-dbusmock']);
}

/** Why there is no NetworkManager to pretend, or undefined. */
export function noMockBecause(): string | undefined {
  return isThere() ? undefined : 'python3-dbusmock or dbus-daemon is not installed (apt-get install)';
}
