import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import { present } from '../../src/core/present.js';
import { freePort } from '../support/free-port.js';

/**
 * What stands in for the registry: `npm install holdfast` puts this checkout where npm would put the package.
 * test/app/release installs the tarball itself.
 */
const npm = `npm() {
  [ "$*" = 'install holdfast' ] || { echo "npm $*: not on these pages" >&2; return 1; }
  mkdir -p node_modules/.bin
  printf '#!/bin/sh\\nexec "%s" "%s" "$@"\\n' '${process.execPath}' '${join(packageRoot, 'dist', 'src', 'app', 'main.js')}' \\
    > node_modules/.bin/holdfast
  chmod +x node_modules/.bin/holdfast
}`;

/** The commands of a page, in its order. */
async function commandsOf(page: string): Promise<string> {
  const text = await fs.readFile(join(packageRoot, 'docs', page), 'utf8');
  return [...text.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => present(block)).join('\n');
}

describe('the pages of ten minutes', function () {
  this.timeout(180_000);
  let folder: string;
  let group: number | undefined;

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-ten-'));
  });
  afterEach(async () => {
    // What a page started in the background, and what it started.
    if (group !== undefined) {
      try {
        process.kill(-group, 'SIGKILL');
      } catch {
        // All of them have ended.
      }
    }
    await fs.rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  /** Runs every command of a page in an empty folder, and gives what they printed. */
  async function runPage(page: string): Promise<string> {
    const commands = (await commandsOf(page)).replaceAll(':8090', `:${await freePort()}`);
    assert.ok(commands.startsWith('npm install holdfast\n'), 'a page begins with the installation');
    const child = spawn('bash', ['-c', `set -euo pipefail\n${npm}\nset -x\n${commands}`], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, npm_config_update_notifier: 'false', XDG_CACHE_HOME: join(folder, 'cache') },
    });
    group = child.pid;
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    }
    const [exitCode] = (await once(child, 'exit')) as [number | null];
    assert.equal(exitCode, 0, output);
    return output;
  }

  it('for robot developers: a killed recorder lost nothing that was committed, and the store has it', async () => {
    const output = await runPage('ten-minutes-robot.md');
    const verified = [...output.matchAll(/^OK: \d+ objects, ([\d,]+) messages/gm)].map(([, count]) => count);
    assert.equal(verified.length, 2, output);
    assert.equal(verified[0], verified[1], 'the data folder and the store have the same messages');
    assert.notEqual(verified[0], '0', output);
    await fs.access(join(folder, 'my_bag', 'metadata.yaml'));
  });

  it('for fleet operators: the ground knows the robot, and the store has what it recorded', async () => {
    const output = await runPage('ten-minutes-fleet.md');
    assert.match(output, /^\{"robot":"robot1",.*"connections":1/m);
    assert.match(output, /^OK: \d+ objects, [1-9][\d,]* messages/m);
  });

  it('for data engineers: quality, SQL and tables', async () => {
    const output = await runPage('ten-minutes-data.md');
    assert.match(output, /gps_stuck/);
    assert.match(output, /^vehicle1 +[\d,]+ +[\d.]+$/m);
    assert.equal((await fs.readdir(join(folder, 'tables'))).includes('manifest.json'), true);
    assert.match(await fs.readFile(join(folder, 'report.html'), 'utf8'), /<html/);
  });
});
