import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError, type HoldfastError } from '../../src/core/errors.js';
import { openStore } from '../../src/stores/open-store.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { storePorts } from '../support/store-ports.js';
import { assertCode } from '../../src/testing/store-contract.js';

describe('opening a store by its URI', () => {
  let restore: () => void;
  before(() => {
    restore = useAwsCredentials({ accessKeyId: 'a', secretAccessKey: 'b' });
  });
  after(() => restore());

  async function open(uri: string, options = {}): Promise<string> {
    await using store = await openStore(uri, options, storePorts);
    return store.uri;
  }

  async function faultsOf(uri: string, options = {}): Promise<string[]> {
    const error: HoldfastError = await assertCode(open(uri, options), 'CONFIG_INVALID');
    return error.facts['faults'] as string[];
  }

  it('opens a folder, taking its path literally', async () => {
    assert.equal(await open('dir:/tmp/a b?c#d%20'), 'dir:/tmp/a b?c#d%20');
    assert.equal(await open('dir:relative/x'), `dir:${process.cwd()}/relative/x`);
  });

  it('opens a bucket with options from the query and from elsewhere, which win', async () => {
    assert.equal(await open('s3://fleet/robots/?region=eu-west-1'), 's3://fleet/robots?region=eu-west-1');
    assert.equal(
      await open('s3://fleet/a%20b?endpoint=http://127.0.0.1:9000&region=x', { region: 'y' }),
      's3://fleet/a b?endpoint=http://127.0.0.1:9000&region=y',
    );
  });

  it('assumes a region with an endpoint, and asks for one without', async () => {
    assert.match(await open('s3://fleet?endpoint=http://127.0.0.1:9'), /region=us-east-1/);
    const error = await assertCode(open('s3://fleet'), 'CONFIG_INVALID');
    assert.match(error.message, /AWS_REGION/);
  });

  it('refuses other schemes, and lists the known ones', async () => {
    for (const uri of ['', 'ftp://x', '/tmp/x', 'S3://x', 'file:///x']) {
      const error = await assertCode(open(uri), 'STORE_UNKNOWN');
      assert.match(error.message, /dir:PATH, s3:\/\/bucket/);
    }
  });

  it('reports all faults together, each with the value and the allowed values', async () => {
    const faults = await faultsOf(
      's3://x/../y?endpoint=ftp://h&path_style=maybe&checksum=md5&timeout_ms=5&max_sockets=1e9&colour=red',
      { ca_file: '/no/such/file', region: 'eu west' },
    );
    for (const expected of [
      /bucket is "x"/,
      /prefix.*"\.\."/,
      /endpoint is "ftp:\/\/h".*http\(s\)/,
      /path_style is "maybe".*true, false/,
      /checksum is "md5".*auto, crc32/,
      /timeout_ms is "5".*100/,
      /max_sockets is "1e9".*256/,
      /"colour" is unknown.*endpoint/,
      /region is "eu west"/,
      /ca_file "\/no\/such\/file"/,
    ]) {
      assert.ok(
        faults.some((fault) => expected.test(fault)),
        `${expected} in ${faults.join(' | ')}`,
      );
    }
    assert.equal(faults.length, 10);
  });

  it('refuses credentials wherever they stand, and never repeats them', async () => {
    for (const uri of [
      's3://AKIAHIDDEN:hush@fleet/x',
      's3://fleet?access_key=hush',
      's3://fleet?AWS_SECRET_ACCESS_KEY=hush',
      's3://fleet?session_token=hush',
      's3://fleet?endpoint=http://me:hush@host:9000',
      's3://fleet?endpoint=nonsense//me:hush@host',
      'ftp://me:hush@host/x',
    ]) {
      await assert.rejects(open(uri), (error: unknown) => {
        assert.ok(isHoldfastError(error));
        const shown = JSON.stringify([error.message, error.facts, String(error.cause)]);
        assert.doesNotMatch(shown, /hush|AKIAHIDDEN/);
        return true;
      });
    }
  });

  it('refuses an unprotected transfer', async () => {
    assert.match((await faultsOf('s3://fleet?checksum=none&endpoint=http://h')).join(), /http endpoint/);
    await open('s3://fleet?checksum=none&endpoint=https://h');
  });

  it('refuses paths that are surely not meant', async () => {
    assert.match((await faultsOf('dir:')).join(), /no path/);
    assert.match((await faultsOf('dir:~/store')).join(), /shell/);
    assert.match((await faultsOf('dir:/x', { region: 'a' })).join(), /no options.*region/);
  });

  it('reads the certificate of an authority', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-ca-'));
    try {
      await fs.writeFile(join(folder, 'ca.pem'), '');
      await open(`s3://fleet?endpoint=https://h&ca_file=${join(folder, 'ca.pem')}`);
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });
});
