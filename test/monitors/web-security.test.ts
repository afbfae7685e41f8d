import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { Access, parseTokenFile } from '../../src/monitors/http/access.js';
import { FailedTokens, FAILURES_MAX } from '../../src/monitors/http/failed-tokens.js';
import { isOurHost, isSameOrigin } from '../../src/monitors/http/request-checks.js';
import { TestWeb, type Answer } from './web-server.js';
import { eventually } from '../../src/testing/waiting.js';
import { systemTimers } from '../../src/host/system-clock.js';

const operator = 'operator-token-0123456789';
const viewer = 'viewer-token-9876543210';
const tokens = [
  { role: 'operator', token: operator },
  { role: 'viewer', token: viewer },
] as const;
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const codeOf = ({ status, json }: Answer): unknown[] => [
  status,
  (json['error'] as Record<string, unknown> | undefined)?.['code'],
];

describe('tokens', () => {
  let web: TestWeb;
  beforeEach(async () => {
    web = await TestWeb.start({ tokens });
  });
  afterEach(() => web[Symbol.asyncDispose]());

  it('are needed for everything but the page, liveness and the API document', async () => {
    for (const path of [
      '/status',
      '/system-resources',
      '/segments',
      '/topics',
      '/history',
      '/logs',
      '/metrics',
    ]) {
      assert.deepEqual(codeOf(await web.get(path)), [401, 'TOKEN_REQUIRED'], path);
      assert.deepEqual(
        codeOf(await web.get(path, bearer('wrong-token-0123456789'))),
        [401, 'TOKEN_WRONG'],
        path,
      );
    }
    for (const path of ['/', '/healthz', '/readyz', '/openapi.json']) {
      assert.equal((await web.get(path)).status, 200, path);
    }
  });

  it('let a viewer see and an operator steer', async () => {
    assert.equal((await web.get('/status', bearer(viewer))).status, 200);
    assert.deepEqual(codeOf(await web.post('/control/pause', undefined, bearer(viewer))), [
      403,
      'OPERATOR_REQUIRED',
    ]);
    assert.deepEqual(web.recorder.asked, []);
    assert.equal((await web.post('/control/pause', undefined, bearer(operator))).status, 200);
    assert.equal((await web.get('/status', bearer(operator))).status, 200);
  });

  it('are not taken from the address, a cookie or another scheme', async () => {
    assert.equal((await web.get(`/status?token=${operator}&access_token=${operator}`)).status, 401);
    assert.equal((await web.get('/status', { cookie: `token=${operator}` })).status, 401);
    const basic = Buffer.from(`operator:${operator}`).toString('base64');
    assert.equal((await web.get('/status', { authorization: `Basic ${basic}` })).status, 401);
  });

  it('that are wrong too often make the address wait, also with a right one', async () => {
    for (let n = 0; n < FAILURES_MAX; n++) await web.get('/status', bearer(`wrong-token-${n}-0123456789`));
    const refused = await web.get('/status', bearer(operator));
    assert.deepEqual(codeOf(refused), [429, 'TOO_MANY_FAILURES']);
    const waitS = Number(refused.headers['retry-after']);
    assert.ok(waitS > 0 && waitS <= 60);
    assert.equal((await web.get('/healthz')).status, 200);
  });

  it('never appear in an answer or in the log', async () => {
    const answers = [
      await web.get('/status', bearer('wrong-token-0123456789')),
      await web.get('/status', bearer(operator)),
      await web.get('/logs', bearer(operator)),
    ];
    for (const { text } of answers) {
      assert.ok(!text.includes(operator) && !text.includes('wrong-token') && !text.includes(viewer));
    }
  });

  it('open the live state in the first message, and nothing is said before', async () => {
    const page = web.page();
    page.socket.on('open', () => page.socket.send(JSON.stringify({ type: 'auth', token: viewer })));
    assert.deepEqual(await page.next(() => true), { type: 'welcome', role: 'viewer' });
    assert.equal((await page.next(() => true))['type'], 'hello');
    page.socket.terminate();
  });

  it('open the live state as a header, for programs', async () => {
    const page = web.page(bearer(operator));
    assert.deepEqual(await page.next(() => true), { type: 'welcome', role: 'operator' });
    page.socket.terminate();
    assert.equal(await web.page(bearer('wrong-token-0123456789')).ended, 401);
  });

  it('that are wrong, or no message at all, or nonsense, end the live connection', async () => {
    for (const first of [
      '{"type":"auth","token":"wrong-token-0123456789"}',
      '[]',
      'null',
      '\u0000',
      '{"type":"auth"}',
    ]) {
      const page = web.page();
      page.socket.on('open', () => page.socket.send(first));
      assert.equal(await page.ended, 4401, first);
      assert.deepEqual(page.messages, []);
    }
    assert.equal(web.feed.clients, 0);
  });
});

describe('the token file', () => {
  it('is read line by line, with comments', () => {
    const text = `# who may\n\noperator ${operator} # me\n  viewer\t${viewer}\n`;
    assert.deepEqual(parseTokenFile(text), tokens);
    const access = new Access(parseTokenFile(text));
    assert.deepEqual(
      [operator, viewer, `${operator}x`, operator.slice(1), ''].map((token) => access.roleOf(token)),
      ['operator', 'viewer', undefined, undefined, undefined],
    );
  });

  it('is refused with the line that is wrong, without repeating a token', () => {
    const wrong = [
      ['', /no token/],
      [`root ${operator}`, /line 1/],
      [`viewer ${viewer}\noperator short`, /line 2/],
      [`operator ${operator} ${viewer}`, /line 1/],
      [`operator ünicode-ünicode-ünicode`, /line 1/],
    ] as const;
    for (const [text, message] of wrong) {
      assert.throws(
        () => parseTokenFile(text),
        (error: Error) => message.test(error.message) && !error.message.includes(operator),
        text,
      );
    }
  });
});

describe('failed tokens', () => {
  it('are counted per address, an IPv6 network as one, and forgotten after a minute', () => {
    let nowNs = 0n;
    const failed = new FailedTokens({
      ...systemTimers,
      now: () => 0n,
      monotonic: () => nowNs,
      sleep: async () => {},
    });
    for (let n = 0; n < FAILURES_MAX; n++) failed.note(`2001:db8:1:2::${n + 1}`);
    assert.ok(failed.blockedForS('2001:db8:1:2:ffff::9') > 0);
    assert.equal(failed.blockedForS('2001:db8:1:3::1'), 0);
    assert.equal(failed.blockedForS('192.0.2.1'), 0);
    nowNs += 60_000_000_000n;
    assert.equal(failed.blockedForS('2001:db8:1:2::1'), 0);
  });

  it('take bounded memory, for any number of addresses', () => {
    const failed = new FailedTokens({
      ...systemTimers,
      now: () => 0n,
      monotonic: () => 0n,
      sleep: async () => {},
    });
    for (let n = 0; n < 5_000; n++) failed.note(`10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`);
    assert.equal(failed.size, 1_000);
  });
});

describe('Host and Origin', () => {
  const loopback = { address: '127.0.0.1', hostname: 'Robot7', allowedHosts: [] };
  const open = { address: '0.0.0.0', hostname: 'Robot7', allowedHosts: ['fleet.example'] };

  it('must be ours: a name that was made to resolve to us is not', () => {
    for (const host of ['localhost', 'localhost:8088', '127.0.0.1:1', '[::1]:8088', '127.9.9.9']) {
      assert.ok(isOurHost(host, loopback), host);
    }
    for (const host of [
      'evil.example',
      'robot7:8088',
      '192.0.2.7',
      'localhost.evil.example',
      '',
      'a b',
      undefined,
    ]) {
      assert.ok(!isOurHost(host, loopback), String(host));
    }
    for (const host of [
      '192.0.2.7:8088',
      '[2001:db8::1]:8088',
      'robot7',
      'ROBOT7.local:80',
      'fleet.example',
    ]) {
      assert.ok(isOurHost(host, open), host);
    }
    for (const host of ['evil.example', 'fleet.example.evil', 'robot7.evil', '1.2.3.4.nip.io']) {
      assert.ok(!isOurHost(host, open), host);
    }
  });

  it('must be the same if a browser sends both', () => {
    assert.ok(isSameOrigin(undefined, 'localhost:8088'));
    assert.ok(isSameOrigin('http://localhost:8088', 'localhost:8088'));
    for (const origin of ['http://localhost:9999', 'null', 'http://evil.example', 'file://', '']) {
      assert.ok(!isSameOrigin(origin, 'localhost:8088'), origin);
    }
  });

  it('are checked for every request, the live state and the steering too', async () => {
    await using web = await TestWeb.start();
    const evil = { origin: 'http://evil.example' };
    for (const path of ['/', '/status', '/healthz', '/nothing']) {
      assert.deepEqual(codeOf(await web.get(path, { host: 'evil.example' })), [403, 'HOST_REFUSED'], path);
      assert.deepEqual(codeOf(await web.get(path, evil)), [403, 'ORIGIN_REFUSED'], path);
    }
    assert.equal((await web.post('/control/stop', {}, evil)).status, 403);
    assert.equal((await web.post('/control/stop', {}, { origin: 'null' })).status, 403);
    assert.deepEqual(web.recorder.asked, []);
    assert.equal(await web.page(evil).ended, 403);
    assert.equal(await web.page({ host: 'evil.example' }).ended, 403);
    assert.equal(await web.page({ origin: 'null' }).ended, 403);
    const own = web.page({ origin: `http://${web.host}` });
    assert.equal((await own.next(() => true))['type'], 'welcome');
    own.socket.terminate();
  });

  it('come with headers that keep strangers out of the page', async () => {
    await using web = await TestWeb.start();
    for (const path of ['/', '/status', '/nothing']) {
      const { headers } = await web.get(path);
      const policy = headers['content-security-policy'] as string;
      assert.match(policy, /default-src 'none'/);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.ok(!/unsafe|\*/.test(policy));
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
  });
});

describe('excessive requests', () => {
  let web: TestWeb;
  beforeEach(async () => {
    web = await TestWeb.start();
  });
  afterEach(() => web[Symbol.asyncDispose]());

  it('is a body over 16 KiB: refused, not read into memory', async () => {
    const body = Buffer.alloc(10_000_000, 0x20);
    const answer = await web.ask('POST', '/control/mark_event', { body }).catch(() => undefined);
    // Refused by its length; the connection may be cut before the answer is read.
    if (answer !== undefined) assert.deepEqual(codeOf(answer), [413, 'BODY_TOO_LARGE']);
    assert.equal((await web.get('/healthz')).status, 200);
  });

  it('is a form of another page, or invalid JSON', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    assert.equal((await web.ask('POST', '/control/stop', { headers: form, body: 'a=1' })).status, 415);
    assert.equal(
      (await web.ask('POST', '/control/stop', { headers: { 'content-type': 'text/plain' }, body: '{}' }))
        .status,
      415,
    );
    assert.equal((await web.ask('POST', '/control/mark_event', { body: '{"label":' })).status, 400);
    assert.equal(
      (await web.ask('POST', '/control/mark_event', { body: '{"label":"a","__proto__":{"x":1}}' })).status,
      400,
    );
    assert.deepEqual(web.recorder.asked, []);
  });

  it('is headers over 8 KiB', async () => {
    assert.equal((await web.get('/healthz', { 'x-long': 'a'.repeat(9_000) })).status, 431);
  });

  it('is a page of another origin: it gets the reason and is closed, the others continue', async () => {
    const pages = Array.from({ length: 8 }, () => web.page());
    for (const page of pages) await page.next(({ type }) => type === 'hello');
    assert.equal(await web.page().ended, 4429);
    await pages[0]!.next(({ type }) => type === 'update');
    for (const page of pages) page.socket.terminate();
  });

  it('is a message over 4 KiB from a page', async () => {
    const page = web.page();
    await page.next(({ type }) => type === 'hello');
    page.socket.send('a'.repeat(5_000));
    assert.equal(await page.ended, 1009);
  });

  it('is 500 sockets: the bound holds, and connected clients continue', async function () {
    this.timeout(30_000);
    const page = web.page();
    await page.next(({ type }) => type === 'hello');
    const sockets: Socket[] = [];
    let closed = 0;
    for (let n = 0; n < 500; n++) {
      const socket = connect(web.server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('close', () => closed++);
      sockets.push(socket);
    }
    await eventually(() => closed >= 300);
    await page.next(({ type }) => type === 'update');
    for (const socket of sockets) socket.destroy();
    await eventually(() => closed >= 500);
    assert.equal((await web.get('/healthz')).status, 200);
    page.socket.terminate();
  });

  it('is a request that trickles in: it is cut off while others are answered', async function () {
    this.timeout(30_000);
    const slow = connect(web.server.port, '127.0.0.1');
    slow.on('error', () => {});
    const ended = new Promise<void>((resolve) => slow.on('close', () => resolve()));
    slow.resume();
    slow.write(`GET /status HTTP/1.1\r\nHost: ${web.host}\r\n`);
    const drip = setInterval(() => slow.write('x-a: b\r\n'), 200);
    assert.equal((await web.get('/healthz')).status, 200);
    await ended;
    clearInterval(drip);
  });
});
