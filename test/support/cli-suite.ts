import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnCli, type CliProcess } from './cli.js';

/**
 * Gives each test of the suite that calls it a temporary folder, and removes it afterwards, with the processes that
 * the test has started. Returns what starts one.
 *
 * @param name - Part of the folder's name.
 * @param onFolder - Receives the folder before each test.
 */
export function cliSuite(
  name: string,
  onFolder: (folder: string) => void,
): (...args: string[]) => CliProcess {
  const running: CliProcess[] = [];
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), `holdfast-${name}-`));
    onFolder(folder);
  });
  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  });
  return (...args) => {
    const started = spawnCli(args);
    running.push(started);
    return started;
  };
}
