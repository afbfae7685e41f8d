import assert from 'node:assert/strict';
import * as realFs from 'node:fs/promises';
import { join } from 'node:path';
import type { DataFolder } from '../../src/core/data-folder.js';
import { isHoldfastError } from '../../src/core/errors.js';
import { localFileName, manifestKey } from '../../src/core/manifest.js';
import { present } from '../../src/core/present.js';
import { FilePool } from '../../src/recordings/file-readable.js';
import { listSegments, type Problem } from '../../src/recordings/segments.js';
import { openSegment } from '../../src/recordings/open-segment.js';
import { verify } from '../../src/recordings/verify.js';
import type { Keyring } from '../../src/encryption/keyring.js';
import { newIdentity, recipientOf } from '../../src/encryption/wrapped-key.js';
import { testIdentity, testRecipient } from '../support/encrypted-segments.js';
import { quickFs } from '../wal/crash-states.js';
import { temporaryFolder } from '../wal/wal-support.js';
import { inPlaceSegment, mixedBatches } from './in-place-world.js';
import { closedSegments, everything, seal, sealedNames, twoRobots } from './seal-world.js';

const ours: Keyring = { identities: [testIdentity] };
const forUs = { recipients: [testRecipient] };

describe('Sealing for recipients', () => {
  let folder: DataFolder;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => realFs.rm(folder.root, { recursive: true, force: true }));

  /** All messages that an identity reads in `sealed/`, as `topic text`. */
  async function readAll(keyring: Keyring, problems: Problem[] = []): Promise<string[]> {
    await using files = new FilePool(realFs);
    const onProblem = (problem: Problem): unknown => problems.push(problem);
    const segments = await listSegments({ kind: 'data', folder }, { files, keyring, onProblem });
    const all: string[] = [];
    for (const segment of segments) {
      const { reader } = await openSegment(segment, undefined);
      for await (const { channel, data } of reader.messages()) {
        if (!channel.carried) all.push(`${channel.topic} ${Buffer.from(data).toString('latin1')}`);
      }
    }
    return all.sort();
  }

  it('gives the messages of a plain seal to an identity, and nobody else a byte of them', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    await seal(folder, segment);
    const plain = await everything(folder);
    for (const name of await sealedNames(folder)) await realFs.rm(join(folder.sealed, name));
    const { manifests } = await seal(folder, segment, forUs);
    const names = await sealedNames(folder);
    assert.deepEqual(
      names,
      manifests.flatMap((one) => [manifestKey(one.file.name), localFileName(one)]).sort(),
    );
    for (const manifest of manifests) {
      assert.deepEqual([manifest.version, manifest.encryption?.version], [3, 2]);
      assert.match(manifest.key, /\.mcap\.enc$/);
      const bytes = await realFs.readFile(join(folder.sealed, localFileName(manifest)));
      assert.equal(bytes.length, manifest.file.bytes);
      for (const text of ['urdf', '/crab/odom', 'MCAP']) assert.ok(!bytes.includes(text), text);
    }
    assert.deepEqual(await readAll(ours), plain);
    await assert.rejects(readAll({ identities: [newIdentity()] }), (error) =>
      isHoldfastError(error, 'IDENTITY_MISSING'),
    );
  });

  it('copies payloads that were written in place, so that none of them is left readable', async () => {
    const segment = await inPlaceSegment(folder, mixedBatches());
    const objects = (await realFs.readdir(segment.directory)).filter((name) => name.endsWith('.mcap'));
    assert.ok(objects.length > 0);
    const { manifests } = await seal(folder, segment, forUs);
    for (const name of objects) {
      const { nlink } = await realFs.stat(join(segment.directory, name));
      assert.equal(nlink, 1, 'the file of the WAL has no name in sealed/');
    }
    await realFs.rm(segment.directory, { recursive: true });
    assert.ok(manifests.every(({ encryption }) => encryption !== undefined));
    assert.equal(
      (await readAll(ours)).length,
      manifests.reduce((sum, { messages }) => sum + messages, 0),
    );
  });

  it('that ends at any step seals again with other keys, and leaves one object of each robot', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    const keyIds = new Set<string>();
    let plain: string[] | undefined;
    for (let steps = 0; ; steps++) {
      let left = steps;
      const fs = quickFs(() => {
        if (left-- <= 0) throw Object.assign(new Error('killed'), { code: 'EIO' });
      });
      const ended = await seal(folder, segment, forUs, fs).then(
        () => true,
        () => false,
      );
      const { manifests } = await seal(folder, segment, forUs);
      for (const { encryption } of manifests) keyIds.add(present(encryption).keyId);
      const found = await readAll(ours);
      plain ??= found;
      assert.deepEqual(found, plain, `after ${steps} steps`);
      const files = (await sealedNames(folder)).filter((name) => !name.endsWith('.tmp'));
      assert.equal(files.length, 2 * manifests.length);
      for (const name of await sealedNames(folder)) await realFs.rm(join(folder.sealed, name));
      if (ended) break;
    }
    assert.ok(keyIds.size > 10, 'no attempt uses the data key of another');
  });

  it('is verified by its sums without a key, and inside with one', async () => {
    const [segment] = await closedSegments(folder, twoRobots());
    const { manifests } = await seal(folder, segment, forUs);
    await realFs.rm(segment.directory, { recursive: true });
    await using files = new FilePool(realFs);
    const located = { kind: 'data', folder } as const;
    const closed = await verify(located, { files });
    assert.deepEqual([closed.ok, closed.totals.unopened, closed.totals.messages], [true, 2, 0]);
    const open = await verify(located, { files, keyring: ours });
    assert.deepEqual([open.ok, open.totals.unopened, open.totals.messages], [true, 0, 4]);
    assert.equal(open.totals.errors, 0);
    await realFs.rm(join(folder.sealed, localFileName(present(manifests[0]))));
    assert.equal((await verify(located, { files })).ok, false);
  });

  it('leaves plain segments of the same folder readable for anyone, and tells which it cannot open', async () => {
    const [first, second] = await closedSegments(folder, twoRobots());
    await seal(folder, first);
    const plain = await everything(folder);
    await seal(folder, second, { recipients: [recipientOf(newIdentity())] });
    const problems: Problem[] = [];
    assert.deepEqual(await readAll(ours, problems), plain);
    assert.equal(problems.length, 2);
    assert.match(present(problems[0]).reason, /is encrypted for hfpub1_/);
  });
});
