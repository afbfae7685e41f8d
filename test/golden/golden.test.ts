import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { dataFolder } from '../../src/core/data-folder.js';
import { packageRoot } from '../../src/host/version.js';
import { readSealed, seal } from '../seal/seal-world.js';
import { goldenFolder } from '../wal/golden-segment.js';
import { goldenDocuments } from './golden-documents.js';
import { goldenMessages } from './golden-messages.js';

/**
 * Every version of every format, as it was written once, is kept below test/golden/<format>/v<n>/ and never changed.
 * A format without a file of today's version fails; HOLDFAST_WRITE_GOLDEN=1 writes those that are missing.
 */
const golden = join(packageRoot, 'test', 'golden');
/** The WAL segment whose sealed form is kept; of its batches none lies in place. */
const SEALED_SEGMENT = '000000000007-ff1b5043aad54a87dc5f38b437ced44c';
const isWriting = process.env['HOLDFAST_WRITE_GOLDEN'] === '1';

async function namesIn(folder: string): Promise<string[]> {
  return (await fs.readdir(folder).catch(() => [] as string[])).sort();
}

/** Compares what was written now with the newest version's files, or keeps it as that version. */
async function assertSameBytes(format: string, written: string): Promise<void> {
  const newest = (await namesIn(join(golden, format))).at(-1) ?? 'v1';
  const folder = join(golden, format, newest);
  if (isWriting) await fs.cp(written, folder, { recursive: true, force: false });
  for (const name of await namesIn(written)) {
    const [now, then] = await Promise.all([
      fs.readFile(join(written, name)),
      fs.readFile(join(folder, name)),
    ]);
    assert.ok(now.equals(then), `${format}/${newest}/${name}: ${now.length} bytes now, ${then.length} then`);
  }
}

describe('Golden files', () => {
  let scratch: string;
  beforeEach(async () => {
    scratch = await fs.mkdtemp(join(tmpdir(), 'holdfast-golden-'));
  });
  afterEach(() => fs.rm(scratch, { recursive: true, force: true }));

  for (const document of goldenDocuments) {
    const { format, file } = document;

    it(`${format}: ${file} is written byte for byte as before`, async () => {
      await document.write(scratch);
      await assertSameBytes(format, scratch);
    });

    it(`${format}: ${file} of every version is read with its original content`, async () => {
      const versions = await namesIn(join(golden, format));
      assert.ok(versions.length > 0, `no golden file of ${format}`);
      for (const version of versions) {
        assert.deepEqual(await document.read(join(golden, format, version)), document.value, version);
      }
    });
  }

  it('of a later version are refused, and never taken for a known version', async () => {
    let refused = 0;
    for (const document of goldenDocuments) {
      await document.write(scratch);
      const path = join(scratch, document.file);
      const text = await fs.readFile(path, 'utf8');
      const later = text.replace(/"version": ?[123]\b/, '"version":9');
      // Records of progress are kept below v1/ of their database; a connection agrees on the version of its messages.
      if (later === text) continue;
      await fs.writeFile(path, later);
      const read = await document.read(scratch).catch((error: unknown) => error);
      if (read instanceof Error) assert.match(read.message, /version is 9, allowed: 1/, document.format);
      else assert.equal(read, undefined, document.format);
      refused++;
    }
    assert.equal(refused, goldenDocuments.length - 4 - goldenMessages.length);
  });

  it('sealed: an MCAP is sealed byte for byte as before, compressed and not', async () => {
    for (const compression of ['none', 'zstd'] as const) {
      const folder = dataFolder(join(scratch, compression));
      const directory = join(folder.wal, SEALED_SEGMENT);
      await fs.mkdir(folder.sealed, { recursive: true });
      await fs.cp(join(goldenFolder, SEALED_SEGMENT), directory, { recursive: true });
      await seal(folder, { id: SEALED_SEGMENT, directory }, { compression });
      const kept = join(scratch, `kept-${compression}`);
      await fs.mkdir(kept);
      for (const file of await namesIn(folder.sealed)) {
        await fs.copyFile(join(folder.sealed, file), join(kept, `${compression}-${basename(file)}`));
      }
      await assertSameBytes('sealed', kept);
    }
  });

  it('sealed: an MCAP of every version is read whole', async () => {
    for (const version of await namesIn(join(golden, 'sealed'))) {
      const folder = join(golden, 'sealed', version);
      for (const file of (await namesIn(folder)).filter((one) => one.endsWith('.mcap'))) {
        const { messages, carried, gaps, profile } = await readSealed(join(folder, file));
        assert.equal(profile, 'ros2', file);
        const isSquid = file.includes('squid');
        assert.deepEqual(
          [messages.length, carried.length, gaps.length],
          isSquid ? [3, 0, 1] : [3, 1, 0],
          `${version}/${file}`,
        );
      }
    }
  });
});
