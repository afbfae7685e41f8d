import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CsvFile } from '../../src/logger/csv-file.js';
import { RefusingFs } from '../faults/refusing-fs.js';

const HEADER = 'a,b\n';

describe('a CSV file of a logger', () => {
  let folder: string;
  let path: string;
  const refusing = new RefusingFs();
  const file = (more: { maxBytes?: number; kept?: number; header?: string } = {}): CsvFile =>
    new CsvFile({ path, header: HEADER, maxBytes: 1e6, kept: 2, ...more }, refusing.fs);
  const add = (to: CsvFile, text: string): Promise<void> => to.append(Buffer.from(text));
  const content = (suffix = ''): Promise<string> => fs.readFile(path + suffix, 'utf8');

  beforeEach(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-csv-'));
    path = join(folder, 'log.csv');
    refusing.refusal = undefined;
  });
  afterEach(() => fs.rm(folder, { recursive: true, force: true }));

  it('has one header, and continues at its end', async () => {
    for (const line of ['1,2\n', '3,4\n']) {
      const one = file();
      await add(one, line);
      await one.close();
    }
    assert.equal(await content(), `${HEADER}1,2\n3,4\n`);
  });

  for (const [what, torn, left] of [
    ['half a line', `${HEADER}1,2\n3,`, `${HEADER}1,2\n`],
    ['half a header', 'a,', HEADER],
    ['zeros that a power cut left', `${HEADER}1,2\n${'\0'.repeat(100_000)}`, `${HEADER}1,2\n`],
    ['a long torn line', `${HEADER}1,2\n${'x'.repeat(200_000)}`, `${HEADER}1,2\n`],
    ['nothing', '', HEADER],
  ] as const) {
    it(`repairs ${what} at the next start`, async () => {
      await fs.writeFile(path, torn);
      const one = file();
      await add(one, '5,6\n');
      assert.equal(await content(), `${left}5,6\n`);
      assert.equal(one.repairedBytes > 0, what !== 'nothing');
      await one.close();
    });
  }

  it('repairs at the start also if nothing follows, and makes nothing that was not there', async () => {
    await file().prepare(false);
    assert.deepEqual(await fs.readdir(folder), []);
    await fs.writeFile(path, `${HEADER}1,2\n3`);
    const one = file();
    await one.prepare(false);
    assert.equal(await content(), `${HEADER}1,2\n`);
    await one.close();
  });

  it('rotates by size and keeps as many as it shall', async () => {
    const one = file({ maxBytes: 12 });
    for (let i = 1; i <= 5; i++) await add(one, `${i},${i}\n${i},${i}\n`);
    await one.close();
    assert.deepEqual((await fs.readdir(folder)).sort(), ['log.csv', 'log.csv.1', 'log.csv.2']);
    assert.equal(await content(), `${HEADER}5,5\n5,5\n`);
    assert.equal(await content('.1'), `${HEADER}4,4\n4,4\n`);
    assert.equal(await content('.2'), `${HEADER}3,3\n3,3\n`);
    assert.equal(one.rotations, 4);
  });

  it('keeps no rotated file if none should be kept', async () => {
    const one = file({ maxBytes: 8, kept: 0 });
    for (let i = 1; i <= 3; i++) await add(one, `${i},${i}\n`);
    await one.close();
    assert.deepEqual(await fs.readdir(folder), ['log.csv']);
    assert.equal(await content(), `${HEADER}3,3\n`);
  });

  it('never puts rows under the header of other columns', async () => {
    await fs.writeFile(path, 'x,y,z\n1,2,3\n');
    const one = file();
    await add(one, '5,6\n');
    await one.close();
    assert.equal(await content(), `${HEADER}5,6\n`);
    assert.equal(await content('.1'), 'x,y,z\n1,2,3\n');
  });

  for (const operation of ['write', 'datasync', 'open']) {
    it(`has a row once, for any end of its first attempt (${operation} refused)`, async () => {
      const one = file();
      await add(one, '1,2\n');
      if (operation === 'open') await one.close();
      refusing.refusal = { operation, path: /log\.csv/, code: 'EIO' };
      await assert.rejects(add(one, '3,4\n'), /EIO/);
      await assert.rejects(add(one, '3,4\n'), /EIO/);
      refusing.refusal = undefined;
      await add(one, '3,4\n');
      await add(one, '5,6\n');
      await one.close();
      assert.equal(await content(), `${HEADER}1,2\n3,4\n5,6\n`);
    });
  }

  it('starts a new file if somebody removed or cut it', async () => {
    const one = file();
    await add(one, '1,2\n');
    await fs.rm(path);
    await add(one, '3,4\n');
    assert.equal(await content(), `${HEADER}3,4\n`);
    await one.close();
    await fs.truncate(path, 0);
    await add(one, '5,6\n');
    assert.equal(await content(), `${HEADER}5,6\n`);
    await one.close();
  });
});
