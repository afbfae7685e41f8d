import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { verify, type VerifyReport } from '../../src/recordings/verify.js';
import type { DataFolder } from '../../src/core/data-folder.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { decodeManifest, localFileName, manifestKey } from '../../src/core/manifest.js';
import type { FileSystem } from '../../src/core/file-system.js';
import { testRecipient } from '../support/encrypted-segments.js';
import { damages } from '../wal/memory-fs.js';
import { temporaryFolder } from '../wal/wal-support.js';
import { closedSegments, seal, twoRobots } from './seal-world.js';

for (const [what, recipients] of [
  ['A damaged sealed segment', []],
  ['A damaged encrypted segment, without a key,', [testRecipient]],
] as const)
  describe(what, () => {
    let folder: DataFolder;
    let mcapPath: string;
    let manifestPath: string;
    before(async () => {
      folder = await temporaryFolder();
      const [segment] = await closedSegments(folder, twoRobots());
      const { manifests } = await seal(folder, segment, { compression: 'zstd', recipients });
      const ofCrab = present(manifests.find(({ robot }) => robot === 'crab'));
      mcapPath = join(folder.sealed, localFileName(ofCrab));
      manifestPath = manifestKey(mcapPath);
      await realFs.rm(segment.directory, { recursive: true });
    });
    after(async () => {
      await realFs.rm(folder.root, { recursive: true, force: true });
    });

    /** The real folder, one file replaced in memory. */
    function withFile(path: string, bytes: Buffer): FileSystem {
      const handle = {
        stat: () => Promise.resolve({ size: bytes.length }),
        read: (target: Uint8Array, offset: number, length: number, position: number) => {
          const bytesRead = bytes.copy(target, offset, position, Math.min(bytes.length, position + length));
          return Promise.resolve({ bytesRead, buffer: target });
        },
        close: () => Promise.resolve(),
      };
      return {
        ...realFs,
        open: (...args: Parameters<typeof realFs.open>) =>
          args[0] === path ? Promise.resolve(handle) : realFs.open(...args),
        readFile: (...args: Parameters<typeof realFs.readFile>) =>
          args[0] === path ? Promise.resolve(bytes) : realFs.readFile(...args),
      } as unknown as FileSystem;
    }

    async function verifyWith(path: string, bytes: Buffer): Promise<VerifyReport> {
      await using files = new FilePool(withFile(path, bytes));
      return await verify({ kind: 'data', folder }, { files });
    }

    it('is found whole if nothing is damaged', async () => {
      const report = await verifyWith(mcapPath, await realFs.readFile(mcapPath));
      assert.deepEqual(
        report.findings.filter(({ severity }) => severity === 'error'),
        [],
      );
      assert.equal(report.totals.objects, 2);
      assert.equal(report.totals.unopened, recipients.length === 0 ? 0 : 2);
    });

    const kinds = Object.entries(damages);

    it('is noticed at every byte of its MCAP', async function () {
      this.timeout(180_000);
      const bytes = await realFs.readFile(mcapPath);
      for (let at = 0; at < bytes.length; at++) {
        // Reading everything costs time: one kind of damage at each offset, all kinds at each third.
        for (const [kind, damage] of at % 3 === 0 && at < 600 ? kinds : [kinds[at % 3]!]) {
          const report = await verifyWith(mcapPath, damage(bytes, at));
          assert.equal(report.ok, false, `${kind} at ${at} of ${bytes.length}`);
        }
      }
    });

    it('is noticed at every byte of its manifest, or the manifest says the same', async () => {
      const bytes = await realFs.readFile(manifestPath);
      const original = decodeManifest(bytes.toString('utf8'), manifestPath);
      for (let at = 0; at < bytes.length; at++) {
        for (const [kind, damage] of kinds) {
          const changed = damage(bytes, at);
          let read: unknown;
          try {
            read = decodeManifest(changed.toString('utf8'), manifestPath);
          } catch (error) {
            assert.ok(isHoldfastError(error, 'MANIFEST_INVALID'), `${kind} at ${at}: ${String(error)}`);
            if (at % 50 === 0) assert.equal((await verifyWith(manifestPath, changed)).ok, false);
            continue;
          }
          assert.deepEqual(read, original, `${kind} at ${at}`);
        }
      }
    });
  });
