import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Store } from '../../src/core/store.js';
import { openStore } from '../../src/stores/open-store.js';
import { loadSftp } from '../../src/stores/sftp/sftp-library.js';
import { lacking } from '../../src/testing/lacking.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { all, assertCode, collect, digestOf, storeContract } from '../../src/testing/store-contract.js';
import { findSshd, Sshd } from '../support/sshd.js';
import { storePorts } from '../support/store-ports.js';

const KEY = 'robot=r/date=2026-11-21/seg.mcap';
const OTHER = `SHA256:${'A'.repeat(43)}`;

describe('an SFTP store on OpenSSH', () => {
  let sshd: Sshd;
  let root: string;

  before(async function () {
    this.timeout(60_000);
    const program = findSshd();
    if (program === undefined) return lacking(this, 'peer', 'no sshd');
    sshd = await Sshd.start(program);
  });
  // Undefined if the suite was skipped.
  after(() => (sshd as Sshd | undefined)?.[Symbol.asyncDispose]());
  beforeEach(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-sftp-'));
  });
  afterEach(() => fs.rm(root, { recursive: true, force: true }));

  function open(uri = sshd.uri(root), environment = sshd.environment()): Promise<Store> {
    return openStore(uri, {}, { ...storePorts, environment });
  }

  it('does not speak to a server with another host key', async () => {
    await using store = await open(sshd.uri(root, OTHER));
    const error = await assertCode(store.put('a', bytesOf(10)), 'STORE_MISMATCH');
    assert.match(error.message, new RegExp(sshd.fingerprint.replace(/[+/]/g, '\\$&')));
    assert.deepEqual(await fs.readdir(root), []);
    await using either = await open(sshd.uri(root, `${OTHER},${sshd.fingerprint}`));
    await either.put('a', bytesOf(10));
  });

  it('knows a wrong key of a user, a missing key file and a missing folder apart', async () => {
    await using stranger = await open(sshd.uri(root), sshd.environment('stranger'));
    await assertCode(stranger.readId(), 'STORE_ACCESS_DENIED');
    await using keyless = await open(sshd.uri(root), { SFTP_KEY_FILE: join(root, 'none') });
    await assertCode(keyless.readId(), 'STORE_ACCESS_DENIED');
    await using nowhere = await open(sshd.uri(join(root, 'none')));
    await assertCode(nowhere.put('a', bytesOf(1)), 'STORE_NOT_FOUND');
  });

  it('continues an upload after the connection broke, without sending a part again', async () => {
    const parts = [bytesOf(300_000), bytesOf(300_000, 2)] as const;
    await using store = await open();
    const upload = await store.createUpload(KEY);
    const first = await store.uploadPart(upload, 1, parts[0]);
    const cut = store.uploadPart(upload, 2, parts[1]);
    sshd.cut();
    await assertCode(cut, 'STORE_OFFLINE');
    // The next call connects again.
    assert.deepEqual(await store.listParts(upload), [first]);
    const second = await store.uploadPart(upload, 2, parts[1]);
    await store.completeUpload(upload, [first, second]);
    await store.verify(KEY, digestOf(Buffer.concat(parts)));
    assert.deepEqual(await all(store.listUploads()), []);
  });

  it('is the same folder as a directory store on the server', async () => {
    await using store = await open();
    await store.put(KEY, bytesOf(1_000));
    await using there = await openStore(`dir:${root}`, {}, storePorts);
    assert.deepEqual(await collect(there.read(KEY)), bytesOf(1_000));
    assert.deepEqual(
      (await all(store.list(''))).map(({ key, bytes }) => [key, bytes]),
      (await all(there.list(''))).map(({ key, bytes }) => [key, bytes]),
    );
  });

  it('lets one of two writers win', async () => {
    await using one = await open();
    await using other = await open();
    const results = await Promise.allSettled(
      [one, other].map((store, index) => store.put(KEY, bytesOf(1_000, index), { ifAbsent: true })),
    );
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    const won = results.findIndex(({ status }) => status === 'fulfilled');
    assert.deepEqual(await collect(one.read(KEY)), bytesOf(1_000, won));
  });

  storeContract('an SFTP server', { partBytes: 4096, manyParts: 30, isFolder: true }, async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-sftp-'));
    const store = await open(sshd.uri(folder));
    const opened = [store];
    return {
      store,
      reopen: async () => {
        const again = await open(sshd.uri(folder));
        opened.push(again);
        return again;
      },
      corrupt: async (key) => {
        const path = join(folder, key);
        const data = await fs.readFile(path);
        data[data.length >> 1] = (data[data.length >> 1] as number) ^ 4;
        await fs.writeFile(path, data);
      },
      close: async () => {
        for (const one of opened) await one[Symbol.asyncDispose]();
        await fs.rm(folder, { recursive: true, force: true });
      },
    };
  });
});

describe('the URI of an SFTP store', () => {
  it('is refused with every fault, and never shows credentials', async () => {
    const error = await assertCode(
      openStore('sftp://robot:geheim@host:99999?host_key=md5&password=geheim&speed=9', {}, storePorts),
      'CONFIG_INVALID',
    );
    for (const part of [
      /looks like credentials/,
      /host_key is "md5"/,
      /the path is empty/,
      /user is ""/,
      /"speed" is unknown/,
      /host is "host:99999"/,
    ])
      assert.match(error.message, part);
    assert.doesNotMatch(error.message, /geheim/);
  });

  it('needs the client, which is optional', async () => {
    const missing = (): Promise<never> => Promise.reject(new Error('Cannot find package'));
    await assertCode(loadSftp(missing), 'STORE_UNAVAILABLE');
  });
});
