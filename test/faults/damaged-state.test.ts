import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { lacking } from '../../src/testing/lacking.js';

const program = fileURLToPath(new URL(`./damaged-state-program${extname(import.meta.url)}`, import.meta.url));
/** Nobody: the tests may run as root, who may read everything. */
const NOBODY = 65_534;

interface Outcome {
  readonly file: string;
  readonly damage: string;
  readonly faults: readonly string[];
}

/** Another user can read the program and what it imports. */
function isReadableByOthers(): boolean {
  for (let at = program; at !== '/'; at = join(at, '..')) {
    const { mode } = statSync(at);
    if ((mode & (at === program ? 0o004 : 0o001)) === 0) return false;
  }
  return true;
}

describe('a data folder with one damaged file', function () {
  this.timeout(900_000);
  let folder: string;
  before(() => {
    // In memory: every case makes some hundred files durable.
    const base = statSync('/dev/shm', { throwIfNoEntry: false })?.isDirectory() ? '/dev/shm' : tmpdir();
    folder = mkdtempSync(join(base, 'holdfast-damaged-'));
    chmodSync(folder, 0o777);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function outcomes(damage: string, uid?: number): Promise<Outcome[]> {
    const child = spawn(process.execPath, [...process.execArgv, program, damage], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const [lines] = await Promise.all([text(child.stdout), once(child, 'exit')]);
    assert.equal(child.exitCode, 0);
    return lines
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Outcome);
  }

  function check(found: readonly Outcome[]): void {
    for (const file of [
      'id',
      'head.json',
      'stores.json',
      'ballast',
      'lock/recorder/CURRENT',
      'sync/CURRENT',
    ]) {
      assert.ok(
        found.some((one) => one.file === file),
        `${file} is not among ${found.length} files`,
      );
    }
    assert.deepEqual(
      found.filter(({ faults }) => faults.length > 0),
      [],
    );
  }

  for (const damage of ['emptied', 'cut', 'zeroed']) {
    it(`starts recorder and sync with any of its files ${damage}`, async () => {
      check(await outcomes(damage));
    });
  }

  it('starts recorder and sync with any of its files unreadable', async function () {
    const isRoot = process.getuid?.() === 0;
    if (isRoot && !isReadableByOthers()) {
      lacking(
        this,
        'shared-checkout',
        'root may read every file, and another user cannot read this checkout',
      );
    }
    check(await outcomes('unreadable', isRoot ? NOBODY : undefined));
  });
});
