import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { McapIndexedReader, type McapTypes } from '@mcap/core';
import zstd from '@foxglove/wasm-zstd';
import { present } from '../../../src/core/present.js';
import { DirectoryStore } from '../../../src/stores/directory/directory-store.js';
import { CHAT_MESSAGES, sealedFolder, SECOND, START, uploadAll } from '../../recordings/sealed-fixture.js';
import { runCli, spawnCli, type CliProcess } from '../../support/cli.js';
import { storePorts } from '../../support/store-ports.js';

const FOXGLOVE = { origin: 'https://app.foxglove.dev' };
const TOKEN = 'a-token-of-the-tests';

interface Window {
  readonly messages: number;
  readonly bytes: number;
  readonly link: string;
  readonly path: string;
  readonly problems: readonly unknown[];
  readonly topics: readonly { readonly topic: string; readonly messages: number }[];
}

/** Reads over HTTP as a viewer does: the size from `HEAD`, then ranges. */
class HttpReadable implements McapTypes.IReadable {
  fetched = 0;
  constructor(
    readonly url: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  async size(): Promise<bigint> {
    const { status, headers } = await fetch(this.url, { method: 'HEAD', headers: this.headers });
    assert.deepEqual([status, headers.get('accept-ranges')], [200, 'bytes']);
    return BigInt(present(headers.get('content-length')));
  }

  async read(offset: bigint, size: bigint): Promise<Uint8Array> {
    const range = `bytes=${offset}-${offset + size - 1n}`;
    const answer = await fetch(this.url, { headers: { ...this.headers, range } });
    assert.equal(answer.status, 206);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    this.fetched += bytes.byteLength;
    return bytes;
  }
}

async function openOver(readable: HttpReadable): Promise<McapIndexedReader> {
  await zstd.isLoaded;
  return McapIndexedReader.Initialize({
    readable,
    decompressHandlers: { zstd: (data, size) => zstd.decompress(data, Number(size)) },
  });
}

async function rowsOf(reader: McapIndexedReader): Promise<{ topic: string; time: bigint; text: string }[]> {
  const rows = [];
  for await (const { channelId, logTime: time, data } of reader.readMessages()) {
    const { topic } = present(reader.channelsById.get(channelId));
    rows.push({ topic, time, text: Buffer.from(data).subarray(8, -1).toString() });
  }
  return rows;
}

describe('holdfast serve', function () {
  this.timeout(120_000);
  let root: string;
  let store: string;
  let server: CliProcess | undefined;
  let url: string;

  before(async () => {
    root = await fs.mkdtemp(join(tmpdir(), 'holdfast-serve-'));
    const folder = await sealedFolder(join(root, 'rec'), 3);
    store = `dir:${join(root, 'store')}`;
    await using into = new DirectoryStore(join(root, 'store'), storePorts);
    await into.createId('0'.repeat(32));
    await uploadAll(folder, into);
  });
  after(() => fs.rm(root, { recursive: true, force: true }));
  afterEach(stop);

  async function start(...args: string[]): Promise<void> {
    server = spawnCli(['serve', ...args]);
    await server.waitFor(/serving .* on http\S+/);
    url = present(/on (http\S+)/.exec(server.output())?.[1]).replace('0.0.0.0', '127.0.0.1');
  }

  async function stop(): Promise<void> {
    server?.child.kill('SIGTERM');
    const ended = await server?.ended;
    server = undefined;
    assert.equal(ended?.exitCode ?? 0, 0, ended?.stderr);
  }

  const free = ['--listen', '127.0.0.1:0'];
  const get = async <T>(path: string, headers: Record<string, string> = {}): Promise<T> => {
    const answer = await fetch(url + path, { headers });
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()) as T;
  };
  const middle = `robot=r1&from=${START + 20n * SECOND + SECOND / 10n}&to=${START + 25n * SECOND}`;

  it('gives one merged file of a window, of which a reader fetches the parts that it needs', async () => {
    await start(store, ...free);
    const whole = await openOver(new HttpReadable(`${url}merged.mcap?robot=r1`));
    const rows = await rowsOf(whole);
    const chat = rows.filter(({ topic }) => topic === '/r1/chat');
    assert.equal(chat.length, 3 * CHAT_MESSAGES);
    // A latched message is repeated in each segment, and is in the merged file once.
    assert.deepEqual(
      rows.filter(({ topic }) => topic === '/r1/tf_static').map(({ text }) => text),
      ['transform of r1'],
    );
    assert.deepEqual(
      rows.map(({ time }) => time),
      rows.map(({ time }) => time).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    );
    const windowed = await rowsOf(await openOver(new HttpReadable(`${url}merged.mcap?${middle}`)));
    assert.deepEqual(
      windowed.filter(({ topic }) => topic === '/r1/chat').map(({ text }) => text),
      Array.from({ length: CHAT_MESSAGES - 10 }, (_, index) => `r1 segment 2 line ${index + 10}`),
    );
    assert.ok(windowed.some(({ topic }) => topic === '/r1/tf_static'));
  });

  it('gives the same bytes after a restart, and honours If-Range', async () => {
    await start(store, ...free);
    const file = (headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${url}merged.mcap?${middle}`, { headers });
    const first = await file();
    const etag = present(first.headers.get('etag'));
    const bytes = Buffer.from(await first.arrayBuffer());
    assert.equal(Number(first.headers.get('content-length')), bytes.byteLength);
    await stop();
    await start(store, ...free);
    const again = await file({ range: 'bytes=100-', 'if-range': etag });
    assert.equal(again.status, 206);
    assert.deepEqual(Buffer.from(await again.arrayBuffer()), bytes.subarray(100));
    const other = await file({ range: 'bytes=100-', 'if-range': '"other"' });
    assert.deepEqual([other.status, Buffer.from(await other.arrayBuffer())], [200, bytes]);
    assert.equal((await file({ range: `bytes=${bytes.byteLength}-` })).status, 416);
  });

  it('lists robots and segments', async () => {
    await start(store, ...free);
    const robots = await get<{ robot: string; segments: number; firstLogTime: string }[]>('api/robots');
    assert.deepEqual(
      robots.map(({ robot, segments, firstLogTime }) => [robot, segments, firstLogTime]),
      [
        ['r1', 3, String(START + 10n * SECOND)],
        ['r2', 3, String(START + 10n * SECOND + 1n)],
      ],
    );
    type Segments = { segments: { robot: string; state: string }[]; more: boolean };
    const { segments, more } = await get<Segments>('api/segments?robot=r2&limit=2');
    assert.deepEqual(
      [segments.map(({ robot, state }) => `${robot} ${state}`), more],
      [['r2 uploaded', 'r2 uploaded'], true],
    );
  });

  it('lets a viewer on another site read by a link only', async () => {
    await start(store, ...free);
    const window = await get<Window>(`api/window?${middle}`);
    assert.deepEqual([window.problems, window.topics.length], [[], 2]);
    const reader = new HttpReadable(url + window.link, FOXGLOVE);
    assert.ok((await rowsOf(await openOver(reader))).length > 0);
    const asked = await fetch(url + window.link, { headers: FOXGLOVE });
    assert.equal(asked.headers.get('access-control-allow-origin'), '*');
    assert.equal((await asked.arrayBuffer()).byteLength, window.bytes);
    assert.equal((await fetch(url + window.path, { headers: FOXGLOVE })).status, 403);
    const forged = window.link.replace(/ticket=./, 'ticket=A');
    assert.equal((await fetch(url + forged, { headers: FOXGLOVE })).status, 403);
  });

  it('needs a token for other machines', async () => {
    const refused = await runCli(['serve', store, '--listen', '0.0.0.0:0']);
    assert.notEqual(refused.exitCode, 0);
    assert.match(refused.stderr, /--token-file is missing/);
    const tokens = join(root, 'tokens');
    await fs.writeFile(tokens, `viewer ${TOKEN}\n`, { mode: 0o600 });
    await start(store, '--listen', '0.0.0.0:0', '--token-file', tokens);
    for (const path of ['api/robots', 'merged.mcap', 'api/window'])
      assert.equal((await fetch(url + path)).status, 401, path);
    const { link } = await get<Window>(`api/window?${middle}`, { authorization: `Bearer ${TOKEN}` });
    assert.equal((await fetch(url + link, { headers: FOXGLOVE })).status, 200);
  });

  it('names what is wrong with a window', async () => {
    await start(store, ...free);
    for (const [query, pattern] of [
      ['from=yesterday', /from is "yesterday", allowed/],
      ['from=20&to=10', /to is "10", allowed: a time at or after from/],
      ['robots=r1', /additional properties/],
    ] as const) {
      const answer = await fetch(`${url}merged.mcap?${query}`);
      assert.equal(answer.status, 400);
      const { error } = (await answer.json()) as { readonly error: { readonly message: string } };
      assert.match(error.message, pattern);
    }
  });

  it('reads encrypted segments with an identity', async () => {
    const [key, data] = [join(root, 'fleet.key'), join(root, 'secret')];
    const made = await runCli(['keygen', '--out', key]);
    const recipient = present(/hfpub1_\S+/.exec(made.stdout)?.[0]);
    await runCli([
      'record',
      '--source',
      'sim:?robots=1&duration=1s',
      '--data',
      data,
      '--encrypt-for',
      recipient,
    ]);
    await start(data, ...free);
    const refused = await fetch(`${url}merged.mcap`);
    assert.deepEqual([refused.status, /identity/.test(await refused.text())], [409, true]);
    await stop();
    await start(data, '--identity', key, ...free);
    const { messages } = await get<Window>('api/window');
    assert.ok(messages > 0);
  });
});
