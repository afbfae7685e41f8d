import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { describeError, HoldfastError } from '../../../src/core/errors.js';
import { InfluxDelivery } from '../../../src/stores/influx/influx-delivery.js';
import { freePort } from '../../support/free-port.js';

describe('what a time-series server answers', () => {
  let server: Server;
  let port: number;
  let status = 204;
  let text = '';
  let seen: IncomingHttpHeaders = {};

  before(async () => {
    port = await freePort();
    server = createServer((request, response) => {
      seen = request.headers;
      request.resume().on('end', () => {
        response.writeHead(status, status === 302 ? { location: 'http://127.0.0.1:1/' } : {});
        response.end(status === 204 ? undefined : text);
      });
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const delivery = (environment: NodeJS.ProcessEnv = {}, tokenFile?: string): InfluxDelivery =>
    new InfluxDelivery(
      {
        ...{ server: `http://127.0.0.1:${port}`, target: { api: 'v1', database: 'fleet' } },
        ...(tokenFile !== undefined && { tokenFile }),
      },
      { fileSystem: fs, environment },
    );
  const codeFor = async (answer: number, body = ''): Promise<string> => {
    [status, text] = [answer, body];
    try {
      await delivery().deliver(Buffer.from('x'));
      return 'taken';
    } catch (error) {
      assert.ok(error instanceof HoldfastError);
      return error.code;
    }
  };

  it('decides what happens to the batch', async () => {
    const answers = [204, 200, 302, 400, 401, 403, 404, 408, 413, 422, 429, 500, 503];
    const codes: string[] = [];
    for (const answer of answers) codes.push(await codeFor(answer));
    assert.deepEqual(codes, [
      ...[
        'taken',
        'taken',
        'STORE_NOT_FOUND',
        'STORE_REJECTED',
        'STORE_ACCESS_DENIED',
        'STORE_ACCESS_DENIED',
      ],
      ...['STORE_NOT_FOUND', 'STORE_BUSY', 'STORE_REJECTED', 'STORE_REJECTED'],
      ...['STORE_BUSY', 'STORE_BUSY', 'STORE_BUSY'],
    ]);
  });

  it('is shown in one line of bounded length', async () => {
    [status, text] = [400, `bad\npoint ${'x'.repeat(1_000_000)}`];
    const shown = await delivery().deliver(Buffer.from('x')).catch(describeError);
    assert.match(shown as string, /answered 400: bad point x+$/);
    assert.ok((shown as string).length < 700);
  });

  it('is asked with the token of the environment or of a file, in the scheme that it names', async () => {
    status = 204;
    await delivery({ HOLDFAST_INFLUX_TOKEN: 'secret' }).deliver(Buffer.from('x'));
    assert.deepEqual([seen.authorization, seen['content-encoding']], ['Token secret', 'gzip']);
    await delivery({ HOLDFAST_INFLUX_TOKEN: 'Bearer secret' }).probe();
    assert.equal(seen.authorization, 'Bearer secret');
    const folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-token-'));
    try {
      const file = join(folder, 'token');
      await fs.writeFile(file, 'from file\n');
      await delivery({ HOLDFAST_INFLUX_TOKEN: 'secret' }, file).probe();
      assert.equal(seen.authorization, 'Token from file');
      await fs.writeFile(file, 'two\nlines');
      const shown = await delivery({}, file).probe().catch(describeError);
      assert.match(shown as string, /token_file .* holds no token/);
      assert.ok(!(shown as string).includes('lines'));
    } finally {
      await fs.rm(folder, { recursive: true });
    }
    await delivery().probe();
    assert.equal(seen.authorization, undefined);
  });

  it('is any answer when the link is probed, but a refusal', async () => {
    status = 404;
    await delivery().probe();
    status = 401;
    await assert.rejects(delivery().probe(), { code: 'STORE_ACCESS_DENIED' });
    status = 503;
    await assert.rejects(delivery().probe(), { code: 'STORE_BUSY' });
  });

  it('is waited for only as long as the caller wants', async () => {
    const gone = new InfluxDelivery(
      {
        server: `http://127.0.0.1:${await freePort()}`,
        target: { api: 'v2', bucket: 'b', organisation: 'o' },
      },
      { fileSystem: fs },
    );
    await assert.rejects(gone.probe(), { code: 'STORE_OFFLINE' });
    const reason = new Error('enough');
    await assert.rejects(delivery().probe({ signal: AbortSignal.abort(reason) }), reason);
  });
});
