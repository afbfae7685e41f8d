import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { present } from '../../src/core/present.js';
import type { Put } from '../../src/wal/commit-extras.js';
import { WriteOpener, WriteSealer } from '../../src/wal/encrypted-write.js';
import { SegmentCipher } from '../../src/wal/segment-cipher.js';
import { plainKey } from '../../src/wal/segment-format.js';
import type { LevelWrite } from '../../src/wal/write-batch.js';

const segment = '000000000001-00000000000000000000000000000000';

describe('encrypted writes', () => {
  const key = randomBytes(32);
  const stamp: Put = { type: 'put', key: plainKey('stamp'), value: Buffer.alloc(16, 3) };
  const put = (value: string): Put => ({ type: 'put', key: plainKey('meta'), value: Buffer.from(value) });
  const sealer = (): WriteSealer => new WriteSealer(SegmentCipher.create(key, randomBytes), stamp.value);
  /** As they lie in the log. */
  function writes(from: WriteSealer, ...values: string[]): LevelWrite[] {
    return values.map((value, index) => ({
      sequence: BigInt(1 + 3 * index),
      puts: [stamp, ...from.seal([put(value), put('')])],
    }));
  }

  it('give their entries back in order', () => {
    const opener = new WriteOpener([key], segment);
    const long = 'x'.repeat(70_000);
    const opened = writes(sealer(), 'first', '', long).map((write) => opener.open(write));
    assert.deepEqual(
      opened.map((puts) => puts.map(({ value }) => String(value))),
      [
        ['first', ''],
        ['', ''],
        [long, ''],
      ],
    );
  });

  it('show nothing of their entries, and differ for the same ones', () => {
    const all = writes(sealer(), 'a secret text', 'a secret text').map(({ puts }) =>
      Buffer.concat(puts.flatMap(({ key: name, value }) => [name, value])),
    );
    assert.ok(all.every((bytes) => !bytes.includes('secret')));
    assert.notDeepEqual(all[0], all[1]);
  });

  it('are refused at another place, with the key of another segment, and beside plain ones', () => {
    const [first, second] = writes(sealer(), 'first', 'second') as [LevelWrite, LevelWrite];
    const [foreign] = writes(sealer(), 'foreign') as [LevelWrite];
    const opener = new WriteOpener([key], segment);
    opener.open(first);
    const refused = (write: LevelWrite, what: RegExp): void =>
      assert.throws(() => opener.open(write), { code: 'WAL_CORRUPT', message: what });
    refused({ ...second, sequence: 7n }, /at the place of LevelDB write 7/);
    refused({ ...second, puts: [...second.puts.slice(0, 2), present(first.puts[2])] }, /at the place of/);
    refused(foreign, /key of another segment/);
    refused({ sequence: 4n, puts: [stamp, put('plain')] }, /not encrypted/);
    refused({ ...second, puts: [...second.puts, put('plain')] }, /of 4 entries/);
    const [, , sealed] = second.puts;
    present(sealed).value[0]! ^= 1;
    refused(second, /is not what was written/);
  });

  it('of a plain segment are given as they are', () => {
    const puts = [stamp, put('plain')];
    assert.deepEqual(new WriteOpener([], segment).open({ sequence: 1n, puts }), puts);
  });
});
