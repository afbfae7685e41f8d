import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Durability } from '../../src/wal/durability.js';
import { shimLibrary } from '../support/crash-shim/trace.js';
import { runCampaign, traceDrivers } from '../wal/crash-states.js';
import { lacking } from '../../src/testing/lacking.js';

/** The long form of test/wal/crash-states.test.ts: more recordings, more cuts, recovery interrupted more often. */
describe('Crash states below LevelDB, at length', function () {
  this.timeout(30 * 60_000);
  let scratch: string;
  before(async function () {
    if (shimLibrary() === undefined) lacking(this, 'c-compiler', 'neither gcc, cc nor clang is installed');
    scratch = await realFs.mkdtemp(join(tmpdir(), 'holdfast-crash-'));
  });
  after(async () => {
    if (scratch) await realFs.rm(scratch, { recursive: true, force: true });
  });

  const cases: [Durability, states: number, seeds: readonly number[]][] = [
    ['commit', 500, [1, 2, 3, 4]],
    ['interval', 200, [5, 6]],
    ['os', 200, [7, 8]],
  ];
  for (const [durability, states, seeds] of cases) {
    for (const seed of seeds) {
      it(`keep every acknowledged message exactly once in mode ${durability}, seed ${seed}`, async () => {
        const parent = await realFs.mkdtemp(join(scratch, 'trace-'));
        const events = await traceDrivers(parent, [
          { seed: 100 * seed + 1, firstNumber: 1, commits: 20, durability, ending: 'kill' },
          { seed: 100 * seed + 2, firstNumber: 1000, commits: 15, durability, ending: 'kill' },
          { seed: 100 * seed + 3, firstNumber: 2000, commits: 10, durability, ending: 'close' },
        ]);
        const result = await runCampaign({ events, durability, states, seed, interruptEvery: 3, scratch });
        console.log(`      ${events.length} calls, ${JSON.stringify(result)}`);
        assert.ok(result.states > states / 2);
      });
    }
  }
});
