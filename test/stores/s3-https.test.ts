import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { openStore } from '../../src/stores/open-store.js';
import { lacking } from '../../src/testing/lacking.js';
import { seededBytes } from '../../src/testing/seeded-bytes.js';
import { useAwsCredentials } from '../support/aws-environment.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';
import { storePorts } from '../support/store-ports.js';

/** TLS in front of a server, as a proxy does it. */
function tlsFront(folder: string, port: number): Promise<Server> {
  const options = {
    key: readFileSync(join(folder, 'server.key')),
    cert: readFileSync(join(folder, 'server.pem')),
  };
  const front = createServer(options, (socket) => {
    const behind = connect(port, '127.0.0.1');
    socket.pipe(behind).pipe(socket);
    for (const [one, other] of [
      [socket, behind],
      [behind, socket],
    ] as const) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
    }
  });
  return new Promise((resolve) => {
    front.listen(0, '127.0.0.1', () => resolve(front));
  });
}

describe('an S3 store over https', () => {
  let folder: string;
  let server: FaultyS3;
  let front: Server | undefined;
  let restore: () => void;
  before(async function () {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-https-'));
    restore = useAwsCredentials({ accessKeyId: 'test:tester', secretAccessKey: 'testing' });
    server = await startFaultyS3({ minPartBytes: 1, buckets: ['fleet'] });
    try {
      const name = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      const files = ['-keyout', 'server.key', '-out', 'server.pem'];
      execFileSync('openssl', ['req', '-x509', ...key, ...files, ...name], { cwd: folder, stdio: 'pipe' });
    } catch (error) {
      lacking(this, 'openssl', `openssl makes no certificate (${String(error)})`);
    }
    front = await tlsFront(folder, server.port);
  });
  after(async () => {
    restore();
    front?.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Uploads two parts and returns the requests that carried them. */
  async function upload(key: string, endpoint: string, query = ''): Promise<FaultyS3['requests']> {
    const data = Buffer.from(seededBytes(3)(20_000));
    const parts = [data.subarray(0, 10_000), data.subarray(10_000)];
    await using store = await openStore(`s3://fleet?endpoint=${endpoint}${query}`, {}, storePorts);
    const started = await store.createUpload(key);
    const receipts = [];
    for (const [index, part] of parts.entries()) {
      receipts.push(await store.uploadPart(started, index + 1, part));
    }
    await store.completeUpload(started, receipts);
    assert.deepEqual(await server.readObject('fleet', key), data);
    return server.requests.filter((one) => one.key === key && one.partNumber !== undefined);
  }

  it('signs the CRC-32 of a part and not its SHA-256', async () => {
    const { port } = front?.address() as AddressInfo;
    const parts = await upload('a', `https://127.0.0.1:${port}`, `&ca_file=${join(folder, 'server.pem')}`);
    assert.deepEqual(
      parts.map(({ isSigned, withChecksum }) => ({ isSigned, withChecksum })),
      Array.from({ length: 2 }, () => ({ isSigned: false, withChecksum: true })),
    );
  });

  it('signs the bytes of a part if they have no CRC-32, or over http', async () => {
    const { port } = front?.address() as AddressInfo;
    const secure = `https://127.0.0.1:${port}`;
    const without = await upload(
      'b',
      secure,
      `&checksum=when-required&ca_file=${join(folder, 'server.pem')}`,
    );
    const plain = await upload('c', server.endpoint);
    assert.deepEqual(
      [...without, ...plain].map(({ isSigned }) => isSigned),
      [true, true, true, true],
    );
  });
});
