import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import { eventually } from '../../src/testing/waiting.js';

const WAIT_MS = 60_000;

/** Processes whose command line names this text. */
function processesNaming(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe('npm run holdfast', function () {
  this.timeout(3 * WAIT_MS);
  let folder: string;
  let npm: ChildProcess | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-npm-'));
  });
  afterEach(async () => {
    npm?.kill('SIGKILL');
    for (const pid of processesNaming(folder)) process.kill(pid, 'SIGKILL');
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    it(`leaves no recorder and no sync behind when npm ends by ${signal}`, async () => {
      const data = join(folder, 'data');
      const args = ['up', '--data', data, '--store', `dir:${join(folder, 'store')}`, '--source', 'sim:'];
      npm = spawn('npm', ['run', '--silent', 'holdfast', '--', ...args], {
        cwd: packageRoot,
        stdio: 'ignore',
      });
      const wal = join(data, 'wal');
      await eventually(async () => (await readdir(wal).catch(() => [])).length > 0, 'it records', WAIT_MS);
      const ended = once(npm, 'exit');
      npm.kill(signal);
      await ended;
      await eventually(() => processesNaming(folder).length === 0, 'every process has ended', WAIT_MS);
    });
  }
});
