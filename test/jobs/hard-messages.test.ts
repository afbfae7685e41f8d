import assert from 'node:assert/strict';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli, type CliRun } from '../support/cli.js';
import { cdrString, jsonMcap, testMcap } from '../support/test-mcap.js';

/** An integer beyond 2^53 behind a byte order mark, half of a character, a nesting beyond the limit. */
const hardTexts = [
  '\ufeff{"a":9007199254740993}',
  String.raw`{"s":"\ud800"}`,
  `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
  '{"a":1}',
];

describe('messages that are hard to read', function () {
  this.timeout(120_000);
  let folder: string;
  let json: string;
  let leftOver: string;

  before(async () => {
    folder = await fs.mkdtemp(join(tmpdir(), 'holdfast-hard-messages-'));
    json = join(folder, 'json.mcap');
    await fs.writeFile(json, await jsonMcap(hardTexts.map((text) => Buffer.from(text))));
    leftOver = join(folder, 'left-over.mcap');
    const payload = (index: number): Uint8Array =>
      index % 2 === 1 ? Buffer.concat([cdrString('x'), Buffer.alloc(8, 1)]) : cdrString('x');
    await fs.writeFile(leftOver, await testMcap({ topics: [{ topic: '/text', payload }], messages: 5 }));
  });
  after(() => fs.rm(folder, { recursive: true, force: true }));

  const rowsOf = ({ stdout }: CliRun): string[] => stdout.split('\n').filter((line) => line !== '');
  const query = (from: string, sql: string): Promise<CliRun> =>
    runCli(['query', '--from', from, sql, '--output-format', 'jsonl']);
  const report = (from: string): Promise<CliRun> =>
    runCli(['report', '--from', from, '--output', join(folder, 'report.html'), '--json']);

  it('each give check a reason, and do not stop it', async () => {
    const bad = await runCli(['check', json, '--json']);
    assert.equal(bad.exitCode, 3);
    assert.equal(bad.json?.['messages'], 4);
    assert.match(bad.stdout, /1 message cannot be decoded: JSON nested more than 512 deep/);
    const misfits = await runCli(['check', leftOver, '--json']);
    assert.match(misfits.stdout, /2 messages do not fit their definition: 8 bytes are left over/);
  });

  it('keep every digit in query, which reports what it leaves out', async () => {
    const run = await query(json, 'SELECT json FROM json ORDER BY log_time');
    assert.deepEqual(rowsOf(run), [
      '{"json":{"a":9007199254740993}}',
      String.raw`{"json":{"s":"\ufffd"}}`,
      '{"json":{"a":1}}',
    ]);
    assert.equal(run.exitCode, 3);
    assert.match(run.stderr, /\/json: 1 messages left out: JSON nested more than 512 deep/);
  });

  it('have all their rows in query, which reports the bytes that are left over', async () => {
    const run = await query(leftOver, 'SELECT data FROM text');
    assert.deepEqual(
      rowsOf(run),
      Array.from({ length: 5 }, () => '{"data":"x"}'),
    );
    assert.equal(run.exitCode, 3);
    assert.match(run.stderr, /\/text: 2 messages do not match their definition: bytes are left over/);
  });

  it('count in a report, also in topics of which it draws nothing', async () => {
    const bad = await report(json);
    assert.deepEqual([bad.exitCode, bad.json?.['messages'], bad.json?.['undecoded']], [0, 4, 1]);
    assert.match(bad.stdout, /1 message of \/json could not be decoded; they are recorded/);
    const misfits = await report(leftOver);
    assert.equal(misfits.json?.['messages'], 5);
    assert.match(misfits.stdout, /2 messages of \/text do not match their definition: values may be wrong/);
  });
});
