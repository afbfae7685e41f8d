import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isHoldfastError, type HoldfastError } from '../../src/core/errors.js';
import type { Store } from '../../src/core/store.js';
import { loadAzure } from '../../src/stores/azure/azure-library.js';
import { decodeBlockId, encodeBlockId } from '../../src/stores/azure/block-id.js';
import { openStore } from '../../src/stores/open-store.js';
import { bytesOf } from '../../src/testing/seeded-bytes.js';
import { assertCode } from '../../src/testing/store-contract.js';
import { storePorts } from '../support/store-ports.js';

const KEY = bytesOf(64).toString('base64');
const URI = 'azure://holdfast/fleet';

function open(uri: string, environment: Record<string, string> = { AZURE_STORAGE_KEY: KEY }): Promise<Store> {
  return openStore(uri, {}, { ...storePorts, environment });
}

async function faultsOf(uri: string, environment?: Record<string, string>): Promise<string> {
  const error: HoldfastError = await assertCode(open(uri, environment), 'CONFIG_INVALID');
  return (error.facts['faults'] as string[]).join('\n');
}

describe('opening an Azure store', () => {
  it('reports all faults together, each with the value and the allowed values', async () => {
    const faults = await faultsOf(
      'azure://Fleet/A--b/x/../y?endpoint=ftp://h&tier=archive&timeout_ms=5&colour=red',
    );
    for (const expected of [
      /account is "Fleet".*lower-case/,
      /container is "A--b".*lower-case/,
      /prefix.*"\.\."/,
      /endpoint is "ftp:\/\/h".*http\(s\)/,
      /tier is "archive".*hot, cool, cold/,
      /timeout_ms is "5".*100/,
      /"colour" is unknown.*endpoint, tier, timeout_ms/,
    ]) {
      assert.match(faults, expected);
    }
    assert.equal(faults.split('\n').length, 7);
  });

  it('takes credentials from the environment alone, and says which variables it reads', async () => {
    assert.match(await faultsOf(URI, {}), /no credentials: set AZURE_STORAGE_CONNECTION_STRING/);
    for (const uri of [
      `${URI}?sig=hush`,
      `${URI}?account_key=hush`,
      'azure://me:hush@holdfast/fleet',
      `${URI}?endpoint=https://me:hush@host`,
      `${URI}?endpoint=https://host/holdfast?sv=1%26sig=hush`,
    ]) {
      await assert.rejects(open(uri), (error: unknown) => {
        assert.ok(isHoldfastError(error, 'CONFIG_INVALID'));
        assert.doesNotMatch(JSON.stringify([error.message, error.facts]), /hush/);
        return true;
      });
    }
  });

  it('refuses the credentials of another account, and a malformed key', async () => {
    const other = 'AccountName=other;AccountKey=aaaa;EndpointSuffix=core.windows.net';
    assert.match(await faultsOf(URI, { AZURE_STORAGE_CONNECTION_STRING: other }), /another account/);
    assert.match(await faultsOf(URI, { AZURE_STORAGE_KEY: 'no key!' }), /not Base64/);
  });

  it('refuses to send a signature over plain http', async () => {
    const signature = { AZURE_STORAGE_SAS_TOKEN: '?sv=1&sig=a' };
    assert.match(await faultsOf(`${URI}?endpoint=http://10.0.0.1/holdfast`, signature), /use https/);
    await using local = await open(`${URI}?endpoint=http://127.0.0.1:1/holdfast`, signature);
    assert.equal(local.uri, `${URI}?endpoint=http://127.0.0.1:1/holdfast`);
  });

  it('says how to install the client if it is missing', async () => {
    const missing = (): Promise<never> =>
      Promise.reject(new Error("Cannot find package '@azure/storage-blob'"));
    const error = await assertCode(loadAzure(missing), 'STORE_UNAVAILABLE');
    assert.match(error.message, /npm install @azure\/storage-blob/);
  });
});

describe('what an Azure store makes of strange answers', () => {
  let server: Server;
  let answer: RequestListener;

  before(async () => {
    server = createServer((request, response) => answer(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const here = (options = ''): Promise<Store> =>
    open(`${URI}?endpoint=http://127.0.0.1:${(server.address() as AddressInfo).port}/holdfast${options}`);

  it('calls the page of a captive portal offline, with any status', async () => {
    for (const status of [200, 201, 403, 404, 511]) {
      answer = (_request, response) => response.writeHead(status).end('<html>Please log in</html>');
      await using store = await here();
      const code = status === 511 ? 'STORE_BUSY' : 'STORE_OFFLINE';
      await assertCode(store.readId(), code);
      await assertCode(store.head('k'), code);
      await assertCode(store.put('k', bytesOf(5)), code);
    }
  });

  it('gives up when no byte moves, and says after how long', async () => {
    answer = () => undefined;
    await using store = await here('&timeout_ms=150');
    const error = await assertCode(store.put('k', bytesOf(5)), 'STORE_OFFLINE');
    assert.match(error.message, /no byte moved for 150 ms/);
  });

  it('asks once and leaves it to sync when to ask again', async () => {
    let requests = 0;
    answer = (_request, response) => {
      requests++;
      response.writeHead(503, { 'x-ms-request-id': 'r', 'x-ms-error-code': 'ServerBusy' }).end();
    };
    await using store = await here();
    await assertCode(store.readId(), 'STORE_BUSY');
    assert.equal(requests, 1);
  });
});

describe('the name of a block', () => {
  const inBase64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');
  const id = {
    uploadId: '00112233445566778899',
    partNumber: 50_000,
    order: 1_796_000_000_123,
    crc32: 0xdeadbeef,
  };

  it('is written as in version 1', () => {
    assert.equal(encodeBlockId(id), inBase64('480100112233445566778899c35001a229f1287bdeadbeef'));
    assert.deepEqual(decodeBlockId(encodeBlockId(id)), id);
  });

  it('of another program is not taken for one', () => {
    for (const name of [
      '',
      'AAAA',
      inBase64('480200112233445566778899c35001a229f1287bdeadbeef'),
      Buffer.alloc(24).toString('base64'),
    ]) {
      assert.equal(decodeBlockId(name), undefined, name);
    }
  });
});
