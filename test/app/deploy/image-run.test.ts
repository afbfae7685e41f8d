import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { packageRoot } from '../../../src/host/version.js';
import { lacking } from '../../../src/testing/lacking.js';
import { eventually, sleep } from '../../../src/testing/waiting.js';
import { jsonOf, runCli } from '../../support/cli.js';
import { freePort } from '../../support/free-port.js';
import { isReadableByOthers } from '../../support/readable-by-others.js';

/** The user of the images. */
const USER = 10_001;
/** docker stop kills after that. */
const STOP_MS = 10_000;
const MAIN = join(packageRoot, 'dist', 'src', 'app', 'main.js');
const HEALTHY = join(packageRoot, 'deploy', 'docker', 'healthy.mjs');

/** What an image and its compose file do: process 1, a read-only root, no root, no capabilities. */
const CONTAINER = `
mount --make-rprivate /
mount --bind "$DATA" "$DATA"
mount -t proc proc /proc
mount -o remount,bind,ro /
exec setpriv --reuid=${USER} --regid=${USER} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all "$@"`;

describe('a container of Holdfast', function () {
  this.timeout(60_000);
  let data: string;

  before(function () {
    const trial = spawnSync('unshare', [
      '--mount',
      '--pid',
      '--fork',
      'sh',
      '-c',
      'mount --make-rprivate / && test $$ = 1',
    ]);
    if (trial.status !== 0) lacking(this, 'mount', `no namespaces: ${String(trial.stderr).trim()}`);
    if (!isReadableByOthers())
      lacking(this, 'shared-checkout', 'the user of the image cannot read the checkout');
  });
  beforeEach(async () => {
    data = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
    await chown(data, USER, USER);
  });
  afterEach(() => rm(data, { recursive: true, force: true }));

  it('loses nothing when it is stopped within 10 s, as process 1 of a user on a read-only root', async () => {
    const port = await freePort();
    const command = [
      process.execPath,
      MAIN,
      'record',
      '--source',
      'sim:?robots=1',
      '--data',
      join(data, 'rec'),
    ];
    const flags = ['--web-port', String(port), '--no-foxglove', '--json'];
    const container = spawn(
      'unshare',
      ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-ec', CONTAINER, 'sh', ...command, ...flags],
      { env: { PATH: process.env['PATH'] ?? '', DATA: data, HOME: data }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    let errors = '';
    container.stdout.on('data', (text) => (output += String(text)));
    container.stderr.on('data', (text) => (errors += String(text)));
    const exit = once(container, 'exit');
    const address = `http://127.0.0.1:${port}/healthz`;
    await eventually(() => spawnSync(process.execPath, [HEALTHY, address]).status === 0, 'the health check');
    await sleep(2_000);
    const first = Number(
      (await readFile(`/proc/${container.pid ?? 0}/task/${container.pid ?? 0}/children`, 'utf8')).trim(),
    );
    const status = await readFile(`/proc/${first}/status`, 'utf8');
    assert.match(status, new RegExp(`^NSpid:\\t${first}\\t1$`, 'm'));
    assert.match(status, new RegExp(`^Uid:\\t${USER}\\t${USER}\\t`, 'm'));
    assert.match(status, /^CapEff:\t0+$/m);
    process.kill(first, 'SIGTERM');
    const killed = setTimeout(() => container.kill('SIGKILL'), STOP_MS);
    const [code] = (await exit) as [number | null];
    clearTimeout(killed);
    assert.equal(code, 0, errors);
    const recorded = JSON.parse(output.trim().split('\n').at(-1) ?? '') as { readonly durable: number };
    assert.ok(recorded.durable > 100, output);
    const verified = await runCli(['verify', join(data, 'rec'), '--json']);
    assert.equal(verified.exitCode, 0, verified.stdout + verified.stderr);
    const { totals } = jsonOf(verified) as { readonly totals: { readonly messages: number } };
    assert.equal(totals.messages, recorded.durable);
  });

  it('is unhealthy if nothing answers', async () => {
    const address = `http://127.0.0.1:${await freePort()}/healthz`;
    assert.equal(spawnSync(process.execPath, [HEALTHY, address]).status, 1);
  });
});

describe('the files of the images', () => {
  it('end as a user without rights, get signals themselves, and have a health check and an SBOM', async () => {
    for (const name of ['ground', 'robot']) {
      const text = await readFile(join(packageRoot, 'deploy', 'docker', `${name}.Dockerfile`), 'utf8');
      const final = text.slice(text.lastIndexOf('\nFROM '));
      assert.match(final, new RegExp(`^USER ${USER}:${USER}$`, 'm'));
      // The form of a list starts no shell, which would keep the signal.
      assert.match(final, /^ENTRYPOINT \["/m);
      assert.match(final, /^STOPSIGNAL SIGTERM$/m);
      assert.match(final, /^HEALTHCHECK .* CMD \["node", "\/opt\/holdfast\/healthy\.mjs"\]$/m);
      assert.match(final, /holdfast\.sbom="\/opt\/holdfast\/sbom\.cdx\.json"/);
    }
  });

  it('run in the compose file with a read-only root and without capabilities', async () => {
    const text = await readFile(join(packageRoot, 'deploy', 'compose.yaml'), 'utf8');
    const { services } = parse(text, { merge: true }) as {
      readonly services: Readonly<
        Record<string, { readonly image: string; readonly read_only?: boolean; readonly cap_drop?: string[] }>
      >;
    };
    const own = Object.values(services).filter(({ image }) => image === 'holdfast-ground');
    assert.equal(own.length, 5);
    for (const one of own) assert.deepEqual([one.read_only, one.cap_drop], [true, ['ALL']]);
  });

  it('give the ground of the compose file a database and a bus, and the fleet that ground', async () => {
    const text = await readFile(join(packageRoot, 'deploy', 'compose.yaml'), 'utf8');
    const { services } = parse(text, { merge: true }) as {
      readonly services: Readonly<Record<string, { readonly command?: readonly string[] | string }>>;
    };
    const hosts = (name: string): string[] =>
      [...JSON.stringify(services[name]?.command).matchAll(/(\w+):\/\/(?:\w+@)?(\w+)/g)].map(
        ([, scheme, host]) => `${scheme} ${host}`,
      );
    assert.deepEqual(hosts('ground'), ['postgres database', 'nats nats']);
    assert.deepEqual(hosts('fleet'), ['ws ground']);
    for (const name of ['database', 'nats', 'ground', 'fleet']) assert.ok(services[name], name);
  });
});
