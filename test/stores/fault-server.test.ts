import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { FaultScript } from '../support/s3-fault-server/fault-script.js';
import { startFaultyS3, type FaultyS3 } from '../support/s3-fault-server/server.js';

const project = join(import.meta.dirname, '..', '..');

describe('the fault-injecting S3 server', () => {
  const servers: FaultyS3[] = [];
  const clients: S3Client[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    for (const server of servers.splice(0)) await server.stop();
  });

  async function start(options = {}): Promise<FaultyS3> {
    const server = await startFaultyS3({ buckets: ['b'], ...options });
    servers.push(server);
    return server;
  }

  function clientOf(server: FaultyS3, over = {}): S3Client {
    const { endpoint, region, accessKeyId, secretAccessKey } = server;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({
      endpoint,
      region,
      credentials,
      forcePathStyle: true,
      maxAttempts: 1,
      ...over,
    });
    clients.push(client);
    return client;
  }

  it('refuses unsigned, wrongly signed and foreign requests', async () => {
    const server = await start();
    assert.equal((await fetch(`${server.endpoint}/b/k`)).status, 403);
    const wrong = clientOf(server, { credentials: { accessKeyId: 'test:tester', secretAccessKey: 'x' } });
    const get = new GetObjectCommand({ Bucket: 'b', Key: 'k' });
    await assert.rejects(wrong.send(get), { name: 'SignatureDoesNotMatch' });
    const stranger = clientOf(server, { credentials: { accessKeyId: 'who', secretAccessKey: 'testing' } });
    await assert.rejects(stranger.send(get), { name: 'InvalidAccessKeyId' });
    await assert.rejects(clientOf(server, { region: 'mars-1' }).send(get), {
      name: 'AuthorizationHeaderMalformed',
    });
    await assert.rejects(clientOf(server).send(get), { name: 'NoSuchKey' });
  });

  it('refuses a body that differs from the signed one', async () => {
    const server = await start();
    const client = clientOf(server);
    client.middlewareStack.add(
      (next) => (args) => {
        (args.request as { body: Buffer }).body = Buffer.from('HELLO');
        return next(args);
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
    const put = new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: Buffer.from('hello') });
    await assert.rejects(client.send(put), { name: /XAmzContentSHA256Mismatch|BadDigest/ });
    assert.deepEqual(server.objects(), []);
  });

  it('counts what arrived of a part that was cut off', async () => {
    const server = await start();
    server.faults.add({ operation: 'PutObject', fault: 'reset-mid-body' });
    const body = Buffer.alloc(1_000_000);
    await assert.rejects(clientOf(server).send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: body })));
    const [first] = server.requests;
    assert.ok(first && first.bytes >= 500_000, String(first?.bytes));
    assert.deepEqual([first.status, first.fault], [undefined, 'reset-mid-body']);
    assert.deepEqual(server.objects(), []);
  });

  it('strikes the nth request of an operation, the given number of times', () => {
    const script = new FaultScript();
    script.add({ operation: 'UploadPart', nth: 3, times: 2, fault: 'slow-down' });
    const struck = Array.from({ length: 6 }, () => script.strike('UploadPart', 'k') !== undefined);
    assert.deepEqual(struck, [false, false, true, true, false, false]);
    assert.equal(script.strike('GetObject', 'k'), undefined);
  });

  it('draws the same faults from the same seed', () => {
    const draw = (seed: number): string => {
      const script = new FaultScript(seed);
      script.add({ fault: 'error-500', probability: 0.3, times: Infinity });
      return Array.from({ length: 64 }, () => (script.strike('GetObject', 'k') ? 'x' : '.')).join('');
    };
    assert.equal(draw(7), draw(7));
    assert.notEqual(draw(7), draw(8));
    const struck = draw(7).replaceAll('.', '').length;
    assert.ok(struck > 8 && struck < 32, String(struck));
  });

  it('keeps its bytes in a folder when given one', async () => {
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-faulty-'));
    try {
      const server = await start({ folder });
      const client = clientOf(server);
      await client.send(new PutObjectCommand({ Bucket: 'b', Key: 'k', Body: Buffer.from('hello') }));
      assert.equal((await server.readObject('b', 'k')).toString(), 'hello');
      assert.equal((await fs.readdir(folder)).length > 0, true);
    } finally {
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it('shares its bandwidth between all that send', async () => {
    const server = await start({ bandwidthBytesPerS: 2_000_000 });
    const client = clientOf(server);
    const startedAt = performance.now();
    await Promise.all(
      ['a', 'b'].map((Key) =>
        client.send(new PutObjectCommand({ Bucket: 'b', Key, Body: Buffer.alloc(200_000) })),
      ),
    );
    assert.ok(performance.now() - startedAt >= 150);
  });

  it('runs as a separate process and obeys commands', async () => {
    const isCompiled = import.meta.filename.endsWith('.js');
    const main = join(import.meta.dirname, '../support/s3-fault-server', isCompiled ? 'main.js' : 'main.ts');
    const loader = isCompiled ? [] : ['--import', 'tsx'];
    const child = spawn(process.execPath, [...loader, main, '{"buckets":["b"]}'], {
      cwd: isCompiled ? join(project, '..') : project,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const next = async (): Promise<Record<string, unknown>> =>
        JSON.parse((await lines.next()).value as string) as Record<string, unknown>;
      const { endpoint } = (await next()) as { endpoint: string };
      assert.equal((await fetch(`${endpoint}/b/k`)).status, 403);
      child.stdin.write('{"do":"offline"}\n');
      assert.deepEqual(await next(), { ok: true });
      const failed = await new Promise<string>((resolve) => {
        request(`${endpoint}/b/k`, (response) => resolve(String(response.statusCode)))
          .on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'))
          .end();
      });
      assert.match(failed, /ECONNRESET|EPIPE/);
      child.stdin.end();
      await once(child, 'exit');
    } finally {
      child.kill('SIGKILL');
    }
  }).timeout(20_000);
});
