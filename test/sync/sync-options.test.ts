import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/host/version.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { parseSyncOptions, syncDefaults, syncOptionTable } from '../../src/sync/sync-options.js';

describe('sync options', () => {
  it('have defaults their own rules allow', () => {
    assert.deepEqual(parseSyncOptions(syncDefaults), syncDefaults);
    assert.deepEqual(Object.keys(syncDefaults).sort(), Object.keys(syncOptionTable).sort());
  });

  it('are refused all together, each with its value and the allowed values', () => {
    const wrong = { partBytes: 1.5, order: 'random', backoffJitter: 2, nonsense: 1 } as object;
    assert.throws(
      () => parseSyncOptions(wrong),
      (error) => {
        assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
        for (const words of [
          'partBytes: 1.5',
          '"random"',
          '"oldest-first"',
          'backoffJitter: 2',
          'nonsense',
        ]) {
          assert.ok(error.message.includes(words), words);
        }
        return true;
      },
    );
  });

  it('are all in docs/sync.md, with unit and default', async () => {
    const docs = await readFile(join(packageRoot, 'docs', 'sync.md'), 'utf8');
    const rows = docs.split('\n').map((row) => row.split('|').map((cell) => cell.trim()));
    for (const [name, rule] of Object.entries(syncOptionTable)) {
      const row = rows.find((cells) => cells[1] === `\`${name}\``);
      const unit = 'unit' in rule ? rule.unit : '';
      // Lists are empty by default.
      const shown =
        typeof rule.default === 'object' ? rule.default.map(() => 'one').join() : String(rule.default);
      assert.deepEqual(row?.slice(2, 4), [unit, `\`${shown}\``], name);
    }
  });
});
