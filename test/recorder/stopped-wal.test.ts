import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newSegmentId } from '../../src/core/segment-id.js';
import { newStoredKey, symmetricKeyName } from '../../src/encryption/stored-key.js';
import { readStoppedWal } from '../../src/recorder/stopped-wal.js';

describe('what a recorder that does not run has left in wal/', () => {
  const [older, newer] = [randomBytes(32), randomBytes(32)];
  let data: string;

  beforeEach(async () => {
    data = await fs.mkdtemp(join(tmpdir(), 'holdfast-stopped-wal-'));
  });
  afterEach(() => fs.rm(data, { recursive: true, force: true }));

  async function segment(number: number, key?: Uint8Array): Promise<string> {
    const id = newSegmentId(number, randomBytes);
    const directory = join(data, 'wal', id);
    await fs.mkdir(directory, { recursive: true });
    if (key) await fs.writeFile(join(directory, 'key'), newStoredKey(key, randomBytes).stored);
    return id;
  }

  it('is nothing for a folder without wal/', async () => {
    const nothing = { segments: 0, unencrypted: 0, atRestKeyNames: [], problems: [] };
    assert.deepEqual(await readStoppedWal(fs, data), nothing);
    assert.deepEqual(await readStoppedWal(fs, join(data, 'none')), nothing);
  });

  it('has the name of each key once, that of the newest segment first', async () => {
    await segment(1, older);
    await segment(2);
    await segment(9, older);
    await segment(10, newer);
    await fs.mkdir(join(data, 'wal', 'something else'));
    assert.deepEqual(await readStoppedWal(fs, data), {
      segments: 4,
      unencrypted: 1,
      atRestKeyNames: [symmetricKeyName(newer), symmetricKeyName(older)],
      problems: [],
    });
  });

  it('has a problem for a damaged key and for a wal/ that cannot be read, and still the others', async () => {
    await segment(1, older);
    const damaged = await segment(2, newer);
    const path = join(data, 'wal', damaged, 'key');
    const bytes = await fs.readFile(path);
    await fs.writeFile(path, bytes.subarray(1));
    const { segments, atRestKeyNames, problems } = await readStoppedWal(fs, data);
    assert.deepEqual([segments, atRestKeyNames], [2, [symmetricKeyName(older)]]);
    assert.match(problems.join('\n'), new RegExp(`^segment ${damaged}: .*96 bytes are not a wrapped key`));
    await fs.rm(join(data, 'wal'), { recursive: true });
    await fs.writeFile(join(data, 'wal'), '');
    assert.match(String((await readStoppedWal(fs, data)).problems), /^wal: .*ENOTDIR/);
  });
});
