import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { present } from '../../src/core/present.js';
import { openRecording } from '../../src/recordings/entry.js';
import { packageRoot } from '../../src/host/version.js';
import { recording } from '../support/recordings.js';
import { cdrString, jsonMcap, testMcap } from '../support/test-mcap.js';
import { originals } from '../jobs/export/export-support.js';

const entry = new URL(`../../src/recordings/entry${extname(import.meta.url)}`, import.meta.url);

describe('the library entrance holdfast/reader', function () {
  this.timeout(120_000);
  let folder: string;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-reader-'));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  it('gives every message in order, decoded when asked for', async () => {
    const expected = await originals(recording('two_robots'));
    await using opened = await openRecording(recording('two_robots'));
    assert.equal(opened.kind, 'mcap');
    let index = 0;
    for await (const message of opened.messages()) {
      const { topic, logTime, value } = expected[index++]!;
      assert.deepEqual([message.topic, message.logTime, message.problem], [topic, logTime, undefined]);
      if (index % 97 === 0) assert.deepEqual(message.value, value);
    }
    assert.equal(index, expected.length);
    const topics = await opened.topics({ topics: ['/robot1/*'] });
    const imu = present(topics.find(({ topic }) => topic === '/robot1/imu'));
    assert.equal(imu.messages, expected.filter(({ topic }) => topic === '/robot1/imu').length);
    assert.ok(topics.every(({ topic }) => topic.startsWith('/robot1/')));
  });

  it('reads the rest of a killed recording, and reports the missing part', async () => {
    await using opened = await openRecording(recording('killed'));
    let count = 0;
    for await (const { problem } of opened.messages()) count += problem === undefined ? 1 : 0;
    assert.ok(count > 100);
    assert.ok(opened.problems.length > 0);
  });

  it('reports for each message how many bytes are left over after it', async () => {
    const path = join(folder, 'left-over.mcap');
    const payloads = [[], [0, 0, 0, 0, 0, 0, 0], [1], [0, 0, 0, 0, 0, 0, 0, 0]];
    const payload = (index: number): Uint8Array =>
      Buffer.concat([cdrString('x'), Buffer.from(present(payloads[index]))]);
    await fs.writeFile(path, await testMcap({ topics: [{ topic: '/x', payload }], messages: 4 }));
    await using opened = await openRecording(path);
    const found: unknown[] = [];
    for await (const { leftOver, value, problem } of opened.messages())
      found.push([leftOver, value, problem]);
    const value = { data: 'x' };
    assert.deepEqual(found, [
      [0, value, undefined],
      [0, value, undefined],
      [1, value, undefined],
      [8, value, undefined],
    ]);
  });

  it('returns JSON messages with every digit, and a reason for those that cannot be decoded', async () => {
    const path = join(folder, 'json.mcap');
    const texts = [
      '\ufeff{"a":9007199254740993}',
      String.raw`{"s":"\ud800"}`,
      `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
    ];
    await fs.writeFile(path, await jsonMcap(texts.map((text) => Buffer.from(text))));
    await using opened = await openRecording(path);
    const found: unknown[] = [];
    for await (const { value, problem } of opened.messages()) found.push(problem ?? value);
    assert.deepEqual(found, [
      { a: 9_007_199_254_740_993n },
      { s: '\ufffd' },
      'JSON nested more than 512 deep',
    ]);
  });

  it('is what package.json exports', () => {
    const { exports } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
      exports: Record<string, { types: string; default: string }>;
    };
    const { types, default: code } = exports['./reader']!;
    assert.equal(code, './dist/src/recordings/entry.js');
    assert.equal(types, './dist/src/recordings/entry.d.ts');
    // Compiled, the tests stand beside it.
    if (extname(import.meta.url) === '.js') assert.ok(existsSync(join(packageRoot, code)));
  });

  it('runs every example of its page', async () => {
    const page = readFileSync(join(packageRoot, 'docs', 'reader.md'), 'utf8');
    const examples = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);
    assert.equal(examples.length, 3);
    for (const [index, example] of examples.entries()) {
      const path = join(folder, `example-${index}.mts`);
      const drive = JSON.stringify(recording('two_robots'));
      await fs.writeFile(
        path,
        example.replaceAll("'holdfast/reader'", `'${entry.href}'`).replaceAll("'drive'", drive),
      );
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', path], {
        cwd: packageRoot,
        encoding: 'utf8',
      });
      assert.equal(status, 0, stderr);
      assert.ok(stdout.trim().length > 0, example);
    }
  });
});
