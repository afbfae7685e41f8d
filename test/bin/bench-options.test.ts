import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBenchOptions } from '../../bench/bench-options.js';

describe('the command line of the benchmarks', () => {
  const known = ['wal', 'sync'];
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-options-'));
  });
  afterEach(async () => {
    // Only root empties a folder that nobody may write to.
    await chmod(folder, 0o700);
    await rm(folder, { recursive: true, force: true });
  });

  async function refusalOf(args: string[]): Promise<string> {
    const answer = await readBenchOptions(args, known);
    assert.ok(typeof answer === 'string', `${args.join(' ')} is accepted`);
    return answer;
  }

  it('names a path that is missing or not a folder, and what to do', async () => {
    const missing = join(folder, 'missing');
    assert.equal(
      await readBenchOptions(['--folder', missing], known),
      `--folder ${missing} does not exist; create it with mkdir -p, or name another`,
    );
    const file = join(folder, 'file');
    await writeFile(file, '');
    assert.match(await refusalOf(['--folder', file]), /is no folder/);
    await chmod(folder, 0o500);
    // Root may write everywhere.
    if (process.getuid?.() !== 0)
      assert.match(await refusalOf(['--folder', folder]), /cannot be written \(EACCES\)/);
  });

  it('refuses numbers, names and options that mean nothing, in one line each', async () => {
    for (const args of [['--rounds', 'many'], ['--rounds', '0'], ['--scale', '-1'], ['wall'], ['--fast']]) {
      assert.match(await refusalOf(args), /allowed: /, args.join(' '));
    }
  });

  it('runs everything in the folder it was given', async () => {
    assert.deepEqual(await readBenchOptions(['--folder', folder], known), {
      names: known,
      rounds: 5,
      scale: 1,
      folder,
    });
  });
});
