import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeManifest, type Manifest } from '../../../src/core/manifest.js';
import { present } from '../../../src/core/present.js';
import { factsOf, newContentKey } from '../../../src/encryption/encrypted-content.js';
import { parseRecipient } from '../../../src/encryption/keyring.js';
import { encrypted, plainOf } from '../../encryption/made-content.js';
import { goldenDocuments } from '../../golden/golden-documents.js';
import { jsonOf, runCli } from '../../support/cli.js';

describe('holdfast keygen and decrypt', function () {
  this.timeout(60_000);
  let folder: string;
  let key: string;
  let other: string;
  const plain = plainOf(200_000);
  const at = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-keygen-'));
    key = at('fleet.key');
    const made = await runCli(['keygen', '--out', key, '--json']);
    assert.equal(made.exitCode, 0, made.stderr);
    const recipient = parseRecipient(String(jsonOf(made)['recipient']), 'keygen');
    other = at('other.key');
    assert.equal((await runCli(['keygen', '--out', other])).exitCode, 0);
    const content = newContentKey(randomBytes);
    const file = await encrypted(plain, content);
    await writeFile(at('a.mcap.enc'), file);
    const { value } = present(goldenDocuments.find(({ format }) => format === 'manifest'));
    const manifest: Manifest = {
      ...(value as Manifest),
      version: 3,
      encryption: factsOf(content, plain.length, [recipient], randomBytes),
    };
    await writeFile(at('a.json'), encodeManifest(manifest));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('writes a secret that only its owner can read, and replaces none', async () => {
    assert.equal((await stat(key)).mode & 0o777, 0o600);
    const again = await runCli(['keygen', '--out', key]);
    assert.equal(again.exitCode, 2);
    assert.match(again.stderr, /exists already/);
  });

  it('decrypts, and never over an existing file', async () => {
    const args = ['decrypt', at('a.mcap.enc'), '--identity', other, key, '--out', at('plain')];
    const { exitCode, stderr } = await runCli(args);
    assert.equal(exitCode, 0, stderr);
    const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
    const [name] = await readdir(at('plain'));
    assert.equal(digest(await readFile(join(at('plain'), present(name)))), digest(plain));
    assert.match((await runCli(args)).stderr, /exists already/);
  });

  it('says which identity is missing, and what is damaged, and leaves no output', async () => {
    const decrypt = async (...args: string[]): Promise<string> => {
      const { exitCode, stderr } = await runCli(['decrypt', ...args, '--out', at('none')]);
      assert.ok(exitCode === 1 || exitCode === 2, String(exitCode));
      return stderr;
    };
    const file = at('a.mcap.enc');
    assert.match(await decrypt(file), /is encrypted for hfpub1_\S+; none was given/);
    assert.match(await decrypt(file, '--identity', other), /is encrypted for hfpub1_\S+; given: hfpub1_/);
    assert.match(await decrypt(file, '--identity', at('no.key')), /no.key cannot be read/);
    assert.match(await decrypt(file, '--identity', at('a.json')), /KEY_INVALID|is not valid/);
    const bytes = await readFile(file);
    await writeFile(at('b.json'), await readFile(at('a.json')));
    await writeFile(at('b.mcap.enc'), bytes.subarray(0, 150_000));
    assert.match(await decrypt(at('b.mcap.enc'), '--identity', key), /truncated/);
    bytes[100_000] = bytes[100_000]! ^ 1;
    await writeFile(at('b.mcap.enc'), bytes);
    assert.match(await decrypt(at('b.mcap.enc'), '--identity', key), /chunk 1 of 4 is damaged/);
    await rm(at('b.json'));
    assert.match(await decrypt(at('b.mcap.enc'), '--identity', key), /needs its manifest/);
    assert.deepEqual(await readdir(at('none')), []);
  });
});
