import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { ContainerSASPermissions } from '@azure/storage-blob';
import type { Store } from '../../src/core/store.js';
import type { AzureEnvironment } from '../../src/stores/azure/azure-credentials.js';
import { openStore } from '../../src/stores/open-store.js';
import { lacking } from '../../src/testing/lacking.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { assertCode, collect, digestOf, storeContract } from '../../src/testing/store-contract.js';
import { findAzurite, startAzurite, type Azurite } from '../support/azurite.js';
import { storePorts } from '../support/store-ports.js';

const HOUR_MS = 3_600_000;

describe('an Azure store on Azurite', () => {
  let azurite: Azurite;

  before(async function () {
    this.timeout(300_000);
    const found = findAzurite();
    if ('missing' in found) return lacking(this, 'peer', found.missing);
    azurite = await startAzurite(found.path);
  });
  // Undefined if the suite was skipped.
  after(() => (azurite as Azurite | undefined)?.stop());

  function open(
    container: string,
    options: Record<string, string> = {},
    environment: AzureEnvironment = azurite.environment,
  ): Promise<Store> {
    const uri = `azure://${azurite.account}/${container}/fleet?endpoint=${azurite.endpoint}`;
    return openStore(uri, options, { ...storePorts, environment });
  }

  async function createContainer(): Promise<string> {
    const name = `c-${randomBytes(6).toString('hex')}`;
    await azurite.container(name).create();
    return name;
  }

  it('knows a missing container and a wrong key apart', async () => {
    await using nowhere = await open('nowhere');
    await assertCode(nowhere.readId(), 'STORE_NOT_FOUND');
    await assertCode(nowhere.createUpload('k'), 'STORE_NOT_FOUND');
    await assertCode(nowhere.head('k'), 'STORE_NOT_FOUND');
    const wrong = { AZURE_STORAGE_KEY: bytesOf(64).toString('base64') };
    await using denied = await open(await createContainer(), {}, wrong);
    await assertCode(denied.readId(), 'STORE_ACCESS_DENIED');
  });

  it('works with a shared access signature and does not show it', async () => {
    const name = await createContainer();
    const url = await azurite.container(name).generateSasUrl({
      permissions: ContainerSASPermissions.parse('racwdl'),
      expiresOn: new Date(Date.now() + HOUR_MS),
    });
    const signature = new URL(url).search;
    await using store = await open(name, {}, { AZURE_STORAGE_SAS_TOKEN: signature });
    await store.put('a', bytesOf(10));
    assert.deepEqual(await collect(store.read('a')), bytesOf(10));
    assert.doesNotMatch(store.uri, /sig=/);
    await using reader = await open(
      name,
      {},
      {
        AZURE_STORAGE_SAS_TOKEN: signature.replace(/sig=.{4}/, 'sig=AAAA'),
      },
    );
    const error = await assertCode(reader.readId(), 'STORE_ACCESS_DENIED');
    assert.doesNotMatch(JSON.stringify([error.message, error.facts]), /sig=/);
  });

  it('verifies an upload by the checksums of its blocks, and what it put whole by reading it', async () => {
    await using store = await open(await createContainer());
    const parts = [bytesOf(70_000), bytesOf(1_000, 2)] as const;
    const upload = await store.createUpload('k');
    const receipts = [
      await store.uploadPart(upload, 1, parts[0]),
      await store.uploadPart(upload, 2, parts[1]),
    ];
    await store.completeUpload(upload, receipts);
    const whole = Buffer.concat(parts);
    assert.equal(await store.verify('k', digestOf(whole)), 'store-checksum');
    await assertCode(store.verify('k', digestOf(bytesOf(71_000, 3))), 'OBJECT_CORRUPT');
    await store.put('k', whole);
    assert.equal(await store.verify('k', digestOf(whole)), 'read-back');
  });

  it('chooses the newer of two blocks of one part after a restart', async () => {
    const name = await createContainer();
    await using store = await open(name);
    const upload = await store.createUpload('k');
    await store.uploadPart(upload, 1, bytesOf(100));
    const again = await store.uploadPart(upload, 1, bytesOf(90, 2));
    await using restarted = await open(name);
    assert.deepEqual(await restarted.listParts(upload), [again]);
    await restarted.completeUpload(upload, [again]);
    assert.deepEqual(await collect(store.read('k')), bytesOf(90, 2));
  });

  it('puts objects, and none of its own, into the tier that it was given', async () => {
    const name = await createContainer();
    await using store = await open(name, { tier: 'cool' });
    await store.createId('0'.repeat(32));
    await store.put('a', bytesOf(10));
    const upload = await store.createUpload('b');
    await store.completeUpload(upload, [await store.uploadPart(upload, 1, bytesOf(10))]);
    const tiers: string[] = [];
    for await (const { name: key, properties } of azurite.container(name).listBlobsFlat()) {
      tiers.push(`${key} ${properties.accessTier}`);
    }
    assert.deepEqual(tiers, ['fleet/.holdfast/store-id Hot', 'fleet/a Cool', 'fleet/b Cool']);
  });

  storeContract('Azure on Azurite', { partBytes: 4096, manyParts: 60, sendsWhole: true }, async () => {
    const name = await createContainer();
    const stores: Store[] = [];
    const reopen = async (): Promise<Store> => {
      const store = await open(name);
      stores.push(store);
      return store;
    };
    return {
      store: await reopen(),
      reopen,
      corrupt: async (key) => {
        const blob = azurite.container(name).getBlockBlobClient(`fleet/${key}`);
        const bytes = await blob.downloadToBuffer();
        bytes[0] = (bytes[0] as number) ^ 1;
        await blob.upload(bytes, bytes.length);
      },
      close: async () => {
        for (const store of stores) await store[Symbol.asyncDispose]();
      },
    };
  });
});
