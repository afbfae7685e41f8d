import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { apiSchemas } from '../../src/monitors/http/schemas.js';
import { topicStats } from './fake-recorder.js';
import { BackgroundExports } from '../../src/app/monitoring/background-exports.js';
import { silentLogger } from '../../src/core/logger.js';
import { systemClock } from '../../src/host/system-clock.js';
import { TestWeb } from './web-server.js';

type Json = Record<string, unknown>;

/** What of a value its schema does not name, and what of the schema the value lacks; deep. */
function misfits(value: unknown, schema: Json, at: string): string[] {
  const ref = schema['$ref'] as string | undefined;
  if (ref !== undefined) return misfits(value, apiSchemas[present(ref.split('/').at(-1))] as Json, at);
  const any = schema['anyOf'] as Json[] | undefined;
  if (any !== undefined)
    return any.map((one) => misfits(value, one, at)).find((found) => found.length === 0) ?? [at];
  if (schema['type'] === 'null') return value === null ? [] : [at];
  if (schema['type'] === 'array') {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((item, index) => misfits(item, schema['items'] as Json, `${at}[${index}]`));
  }
  if (schema['type'] === 'integer') return Number.isInteger(value) ? [] : [`${at} is not whole`];
  if (typeof schema['type'] === 'string' && schema['type'] !== 'object') {
    return typeof value === schema['type'] ? [] : [`${at} is no ${schema['type']}`];
  }
  const properties = schema['properties'] as Record<string, Json> | undefined;
  if (properties === undefined) return [];
  const object = value as Json;
  const isClosed = schema['additionalProperties'] === false;
  return [
    ...((schema['required'] as string[] | undefined) ?? [])
      .filter((name) => !(name in object))
      .map((name) => `${at}.${name} lacks`),
    ...Object.keys(object).flatMap((name) =>
      properties[name] !== undefined
        ? misfits(object[name], properties[name], `${at}.${name}`)
        : isClosed
          ? [`${at}.${name} is not in the schema`]
          : [],
    ),
  ];
}

describe('the HTTP API', () => {
  let web: TestWeb;
  beforeEach(async () => {
    web = await TestWeb.start();
  });
  afterEach(() => web[Symbol.asyncDispose]());

  it('reports how full the queue of the log is, and whether its file is written', async () => {
    const { json } = await web.get('/system-resources');
    const expected = { queue_size: 0, queue_maxsize: 0, log_file: null, listener_running: false };
    assert.deepEqual((json as { logging: unknown }).logging, expected);
  });

  it('answers every GET of its own OpenAPI document as the document says', async () => {
    const { json: document } = await web.get('/openapi.json');
    const paths = document['paths'] as Record<string, Record<string, Json>>;
    const gets = Object.entries(paths).filter(([, operations]) => operations['get'] !== undefined);
    assert.ok(gets.length >= 10);
    for (const [path, { get }] of gets) {
      const answer = await web.get(path);
      assert.equal(answer.status, 200, path);
      const content = (
        (present(get)['responses'] as Record<string, Json>)['200'] as {
          content: Record<string, { schema: Json }>;
        }
      ).content;
      const [type, { schema }] = Object.entries(content)[0]!;
      assert.ok(answer.headers['content-type']?.startsWith(type), path);
      if (type === 'application/json') assert.deepEqual(misfits(answer.json, schema, path), []);
    }
  });

  it('includes everything in /status, also that sync is gone', async () => {
    const with2 = (await web.get('/status')).json;
    assert.equal((with2['sync'] as Json)['link'], 'online');
    assert.equal((with2['recorder'] as Json)['state'], 'recording');
    web.sync.current = undefined;
    await web.watch.askSync();
    const without = (await web.get('/status')).json;
    assert.equal(without['sync'], null);
    assert.match(without['syncError'] as string, /not running/);
  });

  it('controls the recorder and sync', async () => {
    for (const name of ['start', 'pause', 'resume', 'split', 'stop', 'sync_now']) {
      const { status, json } = await web.post(`/control/${name}`);
      assert.deepEqual([status, json], [200, { ok: true }], name);
    }
    assert.deepEqual(web.recorder.asked, ['activate', 'pause', 'resume', 'split', 'deactivate']);
    assert.equal(web.sync.asked, 1);
  });

  it('marks an event with the given window, or thirty seconds each way', async () => {
    const { json } = await web.post('/control/mark_event', { label: 'bump', before_s: 5 });
    assert.equal((json['event'] as Json)['label'], 'bump');
    assert.deepEqual(web.recorder.asked, ['mark bump 5 30']);
  });

  it('sets tags, and refuses invalid names and values', async () => {
    const { json } = await web.post('/control/set_tags', { tags: { mission: 'm3', site: '' } });
    assert.deepEqual(json['tags'], { mission: 'm3', site: '' });
    assert.deepEqual(web.recorder.asked, ['tags {"mission":"m3","site":""}']);
    for (const tags of [{ 'a b': 'x' }, { Mission: 'x' }, { a: 'x'.repeat(201) }, {}, []]) {
      assert.equal((await web.post('/control/set_tags', { tags })).status, 400, JSON.stringify(tags));
    }
    assert.equal(web.recorder.asked.length, 1);
  });

  it('answers 400 to an export request that the exports refuse, and to a body that is no object', async () => {
    const exports = new BackgroundExports({
      data: '/nowhere',
      fs,
      clock: systemClock,
      logger: silentLogger,
      status: () => assert.fail('nothing is asked for an invalid request'),
    });
    await using exporting = await TestWeb.start({ startExport: (request) => exports.start(request) });
    const invalid = [
      { format: 'xls' },
      { topics: 'a' },
      { unknown: 1 },
      { after: 'noon' },
      [],
      'text',
      7,
      null,
    ];
    for (const body of invalid) {
      const { status, json } = await exporting.post('/control/export', body);
      assert.deepEqual(
        [status, (json['error'] as Json)['code']],
        [400, 'REQUEST_INVALID'],
        JSON.stringify(body),
      );
    }
  });

  it('refuses with a reason if the recorder, the request or this process does not allow it', async () => {
    web.recorder.phase = 'inactive';
    web.sync.current = undefined;
    const cases: [path: string, body: unknown, status: number, code: string][] = [
      ['/control/split', undefined, 409, 'STATE_REFUSED'],
      ['/control/sync_now', undefined, 503, 'ROLE_NOT_RUNNING'],
      ['/control/export', { topics: ['/a'] }, 501, 'REQUEST_UNSUPPORTED'],
      ['/control/mark_event', {}, 400, 'REQUEST_INVALID'],
      ['/control/mark_event', { label: '' }, 400, 'REQUEST_INVALID'],
      ['/control/mark_event', { label: 'x', before_s: 1e9 }, 400, 'REQUEST_INVALID'],
      ['/control/log_level', { level: 'loud' }, 400, 'REQUEST_INVALID'],
      ['/control/reboot', undefined, 404, 'NOT_FOUND'],
    ];
    for (const [path, body, status, code] of cases) {
      const answer = await web.post(path, body);
      assert.deepEqual([answer.status, (answer.json['error'] as Json)['code']], [status, code], path);
    }
    assert.deepEqual(web.recorder.asked, []);
  });

  it('is ready only while it can record', async () => {
    assert.equal((await web.get('/readyz')).status, 200);
    web.recorder.current = { ...web.recorder.current, state: 'stalled' };
    const { status, json } = await web.get('/readyz');
    assert.deepEqual([status, json['ready']], [503, false]);
    assert.equal((await web.get('/healthz')).status, 200);
  });

  it('changes the log level while it runs, and reports it', async () => {
    await web.post('/control/log_level', { level: 'debug' });
    const { json } = await web.get('/status');
    assert.equal((json['log'] as Json)['level'], 'debug');
    const lines = (await web.get('/logs')).json['lines'] as Json[];
    assert.equal(lines.at(-1)?.['event'], 'log level changed');
  });

  it('lists the topics of one robot', async () => {
    web.recorder.topicList = [topicStats('/a'), topicStats('/c', { robot: 'robot2' })];
    const { json } = await web.get('/topics?robot=robot2');
    assert.deepEqual(
      (json['topics'] as Json[]).map(({ topic }) => topic),
      ['/c'],
    );
  });

  it('takes the next free port if one is taken, and reports it', async () => {
    await using second = await TestWeb.start({ port: web.server.port, tries: 20 });
    assert.notEqual(second.server.port, web.server.port);
    assert.equal((await second.get('/healthz')).status, 200);
    await assert.rejects(TestWeb.start({ port: web.server.port, tries: 1 }), { code: 'EADDRINUSE' });
  });

  it('shows a plain page if the dashboard is not built', async () => {
    const { status, text, headers } = await web.get('/');
    assert.equal(status, 200);
    assert.match(text, /Holdfast/);
    assert.match(headers['content-type'] ?? '', /^text\/html/);
  });
});

describe('the files of the page', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-page-'));
    await mkdir(join(folder, 'dist', 'assets'), { recursive: true });
    await writeFile(join(folder, 'secret.txt'), 'secret');
    await writeFile(join(folder, 'dist', 'index.html'), '<!doctype html>');
    await writeFile(join(folder, 'dist', 'assets', 'app-0123abcd.js'), 'export {};');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are served with their types, cached without a limit if their name has a hash, and never sent twice', async () => {
    await using web = await TestWeb.start({ pageFolder: join(folder, 'dist') });
    const page = await web.get('/');
    assert.equal(page.text, '<!doctype html>');
    assert.equal(page.headers['cache-control'], 'no-cache');
    const script = await web.get('/assets/app-0123abcd.js');
    assert.match(script.headers['content-type'] ?? '', /^text\/javascript/);
    assert.match(script.headers['cache-control'] ?? '', /immutable/);
    const again = await web.get('/', { 'if-none-match': page.headers.etag ?? '' });
    assert.deepEqual([again.status, again.text], [304, '']);
  });

  it('are all that is served: no spelling of a path leaves the folder', async () => {
    await using web = await TestWeb.start({ pageFolder: join(folder, 'dist') });
    const paths = [
      '/../secret.txt',
      '/%2e%2e/secret.txt',
      '/..%2fsecret.txt',
      '/%252e%252e%252fsecret.txt',
      '/assets/../../secret.txt',
      '/assets/..%5c..%5csecret.txt',
      '//secret.txt',
      '/assets//../../secret.txt%00.js',
      `/${join(folder, 'secret.txt')}`,
      '/etc/passwd',
    ];
    for (const path of paths) {
      const { status, text } = await web.get(path);
      assert.ok(status === 404 || status === 400, `${path}: ${status}`);
      assert.ok(!text.includes('secret\n') && text !== 'secret' && !text.includes('root:'), path);
    }
  });
});
