import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describeError, isHoldfastError } from '../../src/core/errors.js';
import { silentLogger } from '../../src/core/logger.js';
import { systemPorts } from '../../src/host/ports.js';
import { Recorder } from '../../src/recorder/recorder.js';
import { isReadableByOthers } from '../support/readable-by-others.js';
import { lacking } from '../../src/testing/lacking.js';
import { RecorderPlace } from '../recorder/recorder-support.js';
import { RefusingFs } from './refusing-fs.js';

const program = fileURLToPath(new URL(`./damaged-state-program${extname(import.meta.url)}`, import.meta.url));
/** Nobody: the tests may run as root, who may read everything. */
const NOBODY = 65_534;

interface Outcome {
  readonly file: string;
  readonly damage: string;
  readonly faults: readonly string[];
}

/** Of a folder of mode 000. */
interface ClosedOutcome extends Outcome {
  readonly path: string;
  readonly commands: Readonly<Record<string, { readonly exitCode: number; readonly output: string }>>;
}

/** What commands that change nothing answer if a folder is closed; every other folder makes no difference to them. */
const closedCodes: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '.': { verify: 1, ls: 1, export: 1 },
  sealed: { verify: 3, ls: 3, export: 1 },
  tombstones: { verify: 3, ls: 3 },
  quarantine: { verify: 3, ls: 3 },
  receipts: { verify: 3, ls: 3 },
  wal: { verify: 3, ls: 3 },
  // What is marked changes no message.
  events: { verify: 0 },
};

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

  it('opens folders again that nobody can enter, and commands that only read name them', async function () {
    const isRoot = process.getuid?.() === 0;
    if (isRoot && !isReadableByOthers()) {
      lacking(
        this,
        'shared-checkout',
        'root may enter every folder, and another user cannot read this checkout',
      );
    }
    const found = (await outcomes('closed', isRoot ? NOBODY : undefined)) as ClosedOutcome[];
    for (const folder of ['.', 'wal', 'sealed', 'lock', 'lock/recorder', 'lock/sync', 'sync', 'receipts']) {
      assert.ok(
        found.some(({ file }) => file === folder),
        `${folder} is not among ${found.map(({ file }) => file).join(', ')}`,
      );
    }
    for (const { file, faults, path, commands } of found) {
      assert.deepEqual(faults, [], file);
      const answers = file.startsWith('wal/') ? { ls: 3 } : closedCodes[file];
      const expected = { verify: 0, ls: 0, export: 0, ...answers, status: 3, recover: 0 };
      const codes = Object.fromEntries(
        Object.entries(commands).map(([name, { exitCode }]) => [name, exitCode]),
      );
      const said = Object.values(commands).map(({ output }) => output);
      assert.deepEqual(codes, expected, `${file}:\n${said.join('\n')}`);
      for (const [name, { output }] of Object.entries(commands)) {
        assert.doesNotMatch(output, /\n\s+at .+:\d+/, `${name} with ${file} closed ends in a stack trace`);
        const isTold = name === 'recover' || answers?.[name] !== undefined;
        if (isTold) assert.ok(output.includes(path), `${name} does not name ${path}:\n${output}`);
      }
    }
  });

  it('refuses to start with an error that names a folder of somebody else', async () => {
    const disk = new RefusingFs();
    for (const name of ['wal', 'sealed', 'quarantine', 'trash']) {
      await using place = await RecorderPlace.make();
      disk.refusal = { operation: 'readdir', path: new RegExp(`/data/${name}$`), code: 'EACCES' };
      const ports = { ...systemPorts(silentLogger), fs: disk.fs };
      await assert.rejects(Recorder.prepare(place.options(), ports), (error) => {
        assert.ok(isHoldfastError(error, 'DATA_FOLDER_UNUSABLE'), describeError(error));
        return describeError(error).startsWith(`cannot use ${place.data} as data folder: EACCES`);
      });
      assert.ok(disk.refused > 0, name);
    }
  });
});
