import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { commands } from '../../../src/app/cli/commands.js';
import { runCli, spawnCli, type CliProcess } from '../../support/cli.js';
import { eventually, sleep } from '../../../src/testing/waiting.js';
import { writeHeavyMcap } from '../../support/heavy-mcap.js';

/** What docs/limits.md states. */
const END_WITHIN_MS = 5_000;

/** A store that takes connections and never answers. */
async function deafStore(): Promise<{
  readonly port: number;
  /** Requests so far. */
  readonly asked: () => number;
  readonly close: () => void;
}> {
  const sockets = new Set<Socket>();
  let asked = 0;
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', () => asked++);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked: () => asked,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Processes that are children of `pid`, and theirs. */
async function descendants(pid: number): Promise<number[]> {
  const children = new Map<number, number[]>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    const parent = Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
    if (text !== '') children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: number[] = [];
  const visit = (one: number): void => {
    for (const child of children.get(one) ?? []) {
      found.push(child);
      visit(child);
    }
  };
  visit(pid);
  return found;
}

async function isAlive(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text !== '' && text.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3) !== 'Z';
}

async function rssOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0);
}

/** What says that a command is at work: a line it prints, or a condition. Default: it has asked the store. */
type When = RegExp | ((started: CliProcess) => boolean | Promise<boolean>);

const hasChild: When = async ({ child }) => (await descendants(present(child.pid))).length > 0;
/** It holds a decompressed chunk. */
const isLarge: When = async ({ child }) => (await rssOf(present(child.pid))) > 260e6;

describe('SIGTERM', function () {
  this.timeout(120_000);
  let folder: string;
  let store: Awaited<ReturnType<typeof deafStore>>;
  let heavy: string;
  const running: CliProcess[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-stop-'));
    heavy = join(folder, 'heavy.mcap');
    await writeHeavyMcap(heavy, { chunks: 24, chunkBytes: 64_000_000 });
    store = await deafStore();
  });
  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill('SIGKILL');
      await ended;
    }
  });
  after(async () => {
    store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const env = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
  const s3 = (): string =>
    `s3://bucket/prefix?endpoint=http%3A%2F%2F127.0.0.1%3A${store.port}&region=eu-1&path_style=true`;

  /** Starts a command, lets it work, sends the signal: it must end in time, with this code, and leave nobody behind. */
  async function ends(
    args: readonly string[],
    codes: readonly number[],
    {
      after = 300,
      when,
      more = {},
    }: { readonly after?: number; readonly when?: When; readonly more?: NodeJS.ProcessEnv } = {},
  ): Promise<CliProcess> {
    const asked = store.asked();
    const started = spawnCli(args, { env: { ...env, ...more } });
    running.push(started);
    let isOver = false;
    void started.ended.then(() => (isOver = true));
    const isAtWork = when ?? (() => store.asked() > asked);
    if (isAtWork instanceof RegExp) await started.waitFor(isAtWork);
    else
      await eventually(async () => isOver || (await isAtWork(started)), 'the command to be at work', 60_000);
    await sleep(after);
    const pid = present(started.child.pid);
    const children = await descendants(pid);
    const isBusy = await isAlive(pid);
    const from = performance.now();
    started.child.kill('SIGTERM');
    const { exitCode, signal, stderr } = await started.ended;
    const tookMs = performance.now() - from;
    const what = `holdfast ${args.join(' ')}\n${stderr}`;
    assert.ok(isBusy, `ended before the signal: ${what}`);
    assert.ok(tookMs <= END_WITHIN_MS, `took ${tookMs.toFixed(0)} ms: ${what}`);
    assert.equal(signal, null, what);
    assert.ok(exitCode !== null && codes.includes(exitCode), `exit code ${exitCode}: ${what}`);
    await sleep(300);
    for (const child of children) assert.equal(await isAlive(child), false, `an orphan of ${what}`);
    return started;
  }

  const data = (name: string): string => join(folder, name);
  const cut = [143];
  const robotAndTime = ['--robot', 'robot1', '--from', '2026-01-01', '--to', '2026-01-02'];
  /** Every command, busy with a store that never answers or with a source that never ends. */
  const cases: Readonly<Record<string, () => Promise<unknown>>> = {
    record: () =>
      ends(['record', '--source', 'sim:?robots=2', '--data', data('record')], [0], { when: /recording/ }),
    sync: () => ends(['sync', '--data', data('sync'), '--store', s3()], [0, 143]),
    up: () =>
      ends(['up', '--source', 'sim:?robots=1', '--data', data('up'), '--store', s3()], [0, 143], {
        when: /recording/,
      }),
    status: () => ends(['status', '--watch', '--data', data('none')], [0, 3, 143], { when: /not running/ }),
    tag: async () => {
      const recorder = spawnCli(['record', '--source', 'sim:?robots=1', '--data', data('tag')]);
      running.push(recorder);
      await recorder.waitFor(/recording/);
      // It takes the connection, and answers nothing.
      recorder.child.kill('SIGSTOP');
      await ends(['tag', 'mission=m1', '--data', data('tag')], [1, 143], { when: () => true, after: 1_500 });
    },
    ls: () => ends(['ls', s3()], cut),
    verify: () => ends(['verify', s3()], cut),
    check: () => ends(['check', s3()], cut),
    recover: async () => {
      await slowToSeal(data('recover'));
      const sealing: When = async () =>
        (await readdir(join(data('recover'), 'sealed'))).some((name) => name.endsWith('.tmp'));
      await ends(['recover', '--data', data('recover'), '--compression-level', '19'], [143], {
        when: sealing,
      });
      const again = await runCli(['recover', '--data', data('recover')]);
      assert.equal(again.exitCode, 0, again.stderr);
    },
    cat: () => ends(['cat', s3()], cut),
    replay: () => ends(['replay', s3(), '-o', data('replay.mcap')], cut),
    export: () => ends(['export', '--from', s3(), '--to', data('export'), '--format', 'csv'], cut),
    compact: () => ends(['compact', s3()], cut),
    query: () => ends(['query', 'select 1', '--from', s3()], cut),
    report: () => ends(['report', '--from', s3(), '--output', data('report.html')], cut),
    bag: () => ends(['bag', s3(), '--files', 'copy', '-o', data('bags')], cut),
    fetch: async () => {
      await ends(['fetch', 'robot1', '--to-store', s3()], cut);
      const times = ['--from', '2026-01-01T00:00:00Z', '--to', '2026-01-01T00:01:00Z'];
      await ends(['fetch', 'robot1', '--to-store', s3(), ...times, '--wait'], cut);
    },
    // Neither waits for anything: reading and writing files of this machine.
    keygen: async () => {
      assert.equal((await runCli(['keygen', '--out', data('fleet.key')])).exitCode, 0);
    },
    decrypt: async () => {
      const none = await runCli(['decrypt', data('none.mcap.enc'), '--out', data('plain')]);
      assert.equal(none.exitCode, 1);
    },
    rewrap: async () => {
      const made = await runCli(['keygen', '--out', data('rewrap.key')]);
      await ends(['rewrap', s3(), '--recipient', made.stdout.trim()], cut);
    },
    replicate: () => ends(['replicate', s3(), `dir:${data('replica')}`, '--mend'], cut),
    hold: () => ends(['hold', '--store', s3()], cut),
    delete: () => ends(['delete', '--store', s3(), ...robotAndTime], cut),
    // It reads one file of this machine.
    'verify-receipt': async () => {
      const made = await runCli(['keygen', '--signing', '--out', data('delete.key')]);
      const none = await runCli(['verify-receipt', data('none.json'), '--key', made.stdout.trim()]);
      assert.equal(none.exitCode, 1);
    },
    ground: async () => {
      await ends(['ground', '--data', data('ground'), '--listen', '127.0.0.1:0'], [0], { when: /listens/ });
      const asking = [['tags', 'robot1'], ['tags', 'robot1', 'site='], ['parameters', 'robot1'], ['rebuild']];
      for (const words of asking)
        await ends(['ground', ...words, '--url', `http://127.0.0.1:${store.port}`], cut);
    },
    age: () => ends(['age', s3(), '--rule', 'delete after=1d', '--yes'], cut),
    serve: () => ends(['serve', heavy, '--listen', '127.0.0.1:0'], [0], { when: /serving/ }),
    doctor: async () => {
      const programs = data('programs');
      await mkdir(programs);
      await writeFile(join(programs, 'chronyc'), '#!/bin/sh\nexec sleep 30\n', { mode: 0o755 });
      const more = { PATH: `${programs}:${process.env['PATH'] ?? ''}` };
      await ends(['doctor', '--data', data('doctor')], cut, { when: hasChild, more });
    },
    'install-service': async () => {
      const programs = data('slow-programs');
      await mkdir(programs);
      await writeFile(join(programs, 'id'), '#!/bin/sh\nexec sleep 30\n', { mode: 0o755 });
      const more = { PATH: `${programs}:${process.env['PATH'] ?? ''}` };
      await ends(['install-service', '--unit-dir', data('units')], cut, { when: hasChild, more });
    },
    completion: async () => {
      assert.equal((await runCli(['completion', 'bash'])).exitCode, 0);
    },
    demo: () => ends(['demo', '--for', '60s'], cut, { when: hasChild, after: 3_000 }),
  };

  /** A data folder with much that is durable and not sealed, as a kill leaves it. */
  async function slowToSeal(folder: string): Promise<void> {
    const started = spawnCli([
      ...['record', '--source', 'sim:?robots=8&rate=max', '--data', folder],
      // Payloads that lie in place leave little to compress.
      ...['--segment-max-bytes', '1GiB', '--seal-in-place', 'never'],
    ]);
    running.push(started);
    await started.waitFor(/recording/);
    await sleep(4_000);
    started.child.kill('SIGKILL');
    await started.ended;
  }

  it('has a case here for every command', () => {
    assert.deepEqual(
      commands.map(({ name }) => name).filter((name) => !(name in cases)),
      [],
    );
  });

  for (const { name } of commands) {
    it(`ends ${name} within 5 s, and no process stays behind`, () => cases[name]!());
  }

  it('ends a query within 5 s while the SQL runs, and the process that runs it', async () => {
    const sql = 'select count(*) from range(100000000) a, range(100000) b';
    await ends(['query', sql, '--from', await smallExport()], cut, { when: hasChild, after: 2_000 });
  });

  it('ends a recorder within 5 s when sealing takes longer, and the next start seals the rest', async () => {
    const place = data('sealing');
    await ends(
      [
        ...['record', '--source', 'sim:?robots=8&rate=max', '--data', place],
        ...['--segment-max-bytes', '1GiB', '--compression-level', '19'],
      ],
      [0],
      { when: /recording/, after: 5_000 },
    );
    const again = await runCli(['recover', '--data', place]);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.equal((await runCli(['verify', place])).exitCode, 0);
  });

  const busyWithChunks: Readonly<Record<string, () => string[]>> = {
    cat: () => ['cat', heavy],
    check: () => ['check', heavy],
    verify: () => ['verify', heavy],
    replay: () => ['replay', heavy, '-o', data('heavy-replay.mcap')],
    export: () => ['export', '--from', heavy, '--to', data('heavy-export'), '--format', 'parquet'],
    query: () => ['query', 'select count(*) from data', '--from', heavy],
    report: () => ['report', '--from', heavy, '--output', data('heavy.html')],
  };
  for (const [name, args] of Object.entries(busyWithChunks)) {
    it(`ends ${name} within 5 s while it decompresses large chunks, and leaves no file that looks whole`, async () => {
      await ends(args(), cut, { when: isLarge, after: 0 });
      for (const output of ['heavy-replay.mcap', 'heavy.html', 'heavy-export/manifest.json']) {
        await assert.rejects(stat(data(output)), { code: 'ENOENT' });
      }
    });
  }

  async function smallExport(): Promise<string> {
    const place = data('small');
    await mkdir(place, { recursive: true });
    const small = join(place, 'small.mcap');
    await writeHeavyMcap(small, { chunks: 1, chunkBytes: 1_000, messageBytes: 100 });
    const out = join(place, 'out');
    const made = await runCli(['export', '--from', small, '--to', out, '--format', 'parquet']);
    assert.equal(made.exitCode, 0, made.stderr);
    return out;
  }
});
