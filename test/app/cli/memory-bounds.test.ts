import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commands } from '../../../src/app/cli/commands.js';
import { TAGS_MAX } from '../../../src/core/tags.js';
import { lacking } from '../../../src/testing/lacking.js';
import { runCli, testCacheFolder } from '../../support/cli.js';
import { writeHeavyMcap } from '../../support/heavy-mcap.js';

const MIB = 1024 * 1024;
/** What docs/limits.md states for recordings whose chunks have up to 16 MiB, as those of all usual writers. */
const USUAL_BYTES = 512 * MIB;
/** The same for the largest chunks that are read. */
const LARGEST_BYTES = 1_536 * MIB;

const main = fileURLToPath(new URL('../../../src/app/main.js', import.meta.url));
const cgroups = '/sys/fs/cgroup/memory';

interface Limited {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Runs the command line in a shell that limits itself first; what it prints is thrown away. */
function limited(limit: string, args: readonly string[]): Promise<Limited> {
  const child = spawn('/bin/sh', ['-c', `${limit}; exec "$@"`, 'sh', process.execPath, main, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, XDG_CACHE_HOME: testCacheFolder() },
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4_000)));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stderr }));
  });
}

describe('the memory of a command', function () {
  this.timeout(180_000);
  let folder: string;
  let heavy: string;
  let data: string;
  let outputs = 0;
  /** A ground that knows one robot. */
  let answers: Server;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-memory-'));
    heavy = join(folder, 'heavy.mcap');
    await writeHeavyMcap(heavy, { chunks: 2 });
    data = join(folder, 'rec');
    const made = await runCli(['record', '--source', 'sim:?robots=3&duration=20s&rate=max', '--data', data]);
    assert.equal(made.exitCode, 0, made.stderr);
  });
  before(async () => {
    const tags = Object.fromEntries(
      Array.from({ length: TAGS_MAX }, (_, index) => [`tag_${index}`, 'x'.repeat(200)]),
    );
    answers = createServer((_request, response) => response.end(JSON.stringify({ tags, parameters: [] })));
    answers.listen(0, '127.0.0.1');
    await once(answers, 'listening');
  });
  after(async () => {
    answers.close();
    await rm(folder, { recursive: true, force: true });
  });
  const ground = (): string => `http://127.0.0.1:${(answers.address() as AddressInfo).port}`;

  const out = (suffix = ''): string => join(folder, `out-${outputs++}${suffix}`);
  const exports = ['parquet', 'csv', 'jsonl', 'numpy', 'tfrecord', 'mcap'].map(
    (format) =>
      [
        `export as ${format}`,
        (from: string) => ['export', '--from', from, '--to', out(), '--format', format],
      ] as const,
  );
  const reading: readonly (readonly [string, (from: string) => string[]])[] = [
    ['ls', (from) => ['ls', from]],
    ['verify', (from) => ['verify', from]],
    ['check', (from) => ['check', from]],
    ['cat', (from) => ['cat', from]],
    ['replay', (from) => ['replay', from, '-o', out('.mcap')]],
    ...exports,
    ['query', (from) => ['query', '--list', '--from', from]],
    ['report', (from) => ['report', '--from', from, '--output', out('.html')]],
    ['bag', (from) => ['bag', from, '-o', out()]],
  ];
  const others: readonly (readonly [string, () => string[]])[] = [
    ['record', () => ['record', '--source', 'sim:?robots=2&duration=5s&rate=max', '--data', out()]],
    ['sync', () => ['sync', '--data', data, '--store', `dir:${join(folder, 'store')}`, '--drain']],
    ['recover', () => ['recover', '--data', data]],
    ['status', () => ['status', '--data', data]],
    [
      'fetch',
      () => [
        ...['fetch', 'robot1', '--to-store', `dir:${join(folder, 'store')}`],
        ...['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-01T00:01:00Z'],
      ],
    ],
    [
      'delete',
      () => ['delete', '--data', data, '--robot', 'robot1', '--from', '2026-01-01', '--to', '2026-01-02'],
    ],
    ['hold', () => ['hold', '--data', data]],
    ['tags at a ground', () => ['ground', 'tags', 'robot1', '--url', ground()]],
    ['parameters at a ground', () => ['ground', 'parameters', 'robot1', '--url', ground()]],
    ['age', () => ['age', `dir:${join(folder, 'store')}`, '--rule', 'delete after=3650d', '--yes']],
    ['keygen', () => ['keygen', '--out', out('.key')]],
    ['doctor', () => ['doctor', '--data', data]],
    ['install-service', () => ['install-service', '--unit-dir', out()]],
    ['completion', () => ['completion', 'bash']],
    ['compact', () => ['compact', `dir:${join(folder, 'store')}`]],
    ['replicate', () => ['replicate', `dir:${join(folder, 'store')}`, `dir:${out()}`, '--mend']],
  ];

  it('is measured here for every command, except tag, decrypt, rewrap, verify-receipt, ground, serve and those that only start others', () => {
    const measured = new Set([...reading, ...others].map(([name]) => name.split(' ')[0]));
    assert.deepEqual(
      commands.map(({ name }) => name).filter((name) => !measured.has(name)),
      ['up', 'tag', 'serve', 'decrypt', 'rewrap', 'verify-receipt', 'ground', 'demo'],
    );
  });

  for (const [name, args] of reading) {
    it(`stays within 1.5 GiB of data for ${name}, with chunks of 250 MB that overlap`, async () => {
      const { exitCode, signal, stderr } = await limited(`ulimit -d ${LARGEST_BYTES / 1024}`, args(heavy));
      assert.ok(exitCode === 0 || exitCode === 3, `${exitCode} ${signal}: ${stderr}`);
    });
  }

  const all = [...reading.map(([name, args]) => [name, () => args(data)] as const), ...others];
  for (const [name, args] of all) {
    it(`stays within 512 MiB for ${name} in a cgroup, with usual chunks`, async function () {
      const group = join(cgroups, `holdfast-test-${process.pid}-${outputs++}`);
      try {
        await mkdir(group);
        await writeFile(join(group, 'memory.limit_in_bytes'), String(USUAL_BYTES));
      } catch (error) {
        lacking(this, 'cgroup', `no memory cgroup can be made: ${String(error)}`);
      }
      if (name === 'sync') await mkdir(join(folder, 'store'), { recursive: true });
      try {
        const enter = `echo $$ > ${join(group, 'cgroup.procs')}`;
        const { exitCode, signal, stderr } = await limited(enter, args());
        assert.ok(exitCode === 0 || exitCode === 3, `${exitCode} ${signal}: ${stderr}`);
      } finally {
        await rmdir(group).catch(() => undefined);
      }
    });
  }
});
