import { spawnSync } from 'node:child_process';
import { installDebianPackages } from './debian-packages.js';

const PYTHON = '/usr/bin/python3';

function hasModules(): boolean {
  return spawnSync(PYTHON, ['-c', 'import numpy, pandas'], { stdio: 'ignore' }).status === 0;
}

/** NumPy and pandas from Debian, to read exports with the programs they are for. */
export function installForTests(): void {
  if (!hasModules()) installDebianPackages(['python3-numpy', 'python3-pandas']);
}

/** Runs a Python program with NumPy and pandas; gives what it printed, parsed as JSON. Undefined where they are not there. */
export function python(program: string, args: readonly string[]): unknown {
  if (!hasModules()) return undefined;
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', program, ...args], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    // A shell that sourced ROS points Python elsewhere.
    env: { PATH: process.env['PATH'] ?? '' },
  });
  if (status !== 0) throw new Error(`python failed: ${stderr}`);
  return JSON.parse(stdout) as unknown;
}
