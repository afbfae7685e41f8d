import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/core/present.js';
import { packageRoot } from '../../src/host/version.js';
import { lacking } from '../../src/testing/lacking.js';
import {
  ARM64_LAYERS,
  ARM64_SUITES_LEFT_OUT,
  ARM64_TESTS_LEFT_OUT,
  arm64Grep,
  arm64SuitesOf,
} from '../support/arm64-suites.js';
import { Arm64Checkout, lackForArm64 } from '../support/arm64.js';
import { runCli } from '../support/cli.js';

const MAIN = 'dist/src/app/main.js';

interface Summary {
  readonly received: number;
  readonly durable: number;
  readonly dropped: number;
}

describe('what is left out on arm64', () => {
  it('exists, so that a renamed suite or test is not forgotten', () => {
    const built = join(packageRoot, 'dist', 'test');
    for (const name of ARM64_SUITES_LEFT_OUT.keys())
      assert.ok(existsSync(join(built, `${name}.test.js`)), `no suite ${name}`);
    const files = ARM64_LAYERS.flatMap((layer) => arm64SuitesOf(layer, packageRoot));
    const sources = files.map((file) => readFileSync(join(packageRoot, file), 'utf8')).join('\n');
    for (const title of ARM64_TESTS_LEFT_OUT.keys()) assert.ok(sources.includes(title), `no test ${title}`);
  });
});

/** Emulated by qemu-user: correctness only, no speed. It needs the registries of Debian and npm. */
describe('arm64', function () {
  this.timeout(90 * 60_000);
  let folder: string | undefined;
  let checkout: Arm64Checkout;

  before(async function () {
    const lack = lackForArm64();
    if (lack !== undefined) lacking(this, 'qemu', lack);
    folder = await mkdtemp(join(tmpdir(), 'holdfast-arm64-'));
    checkout = Arm64Checkout.make(folder);
  });
  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  it('is what the emulated Node.js is, with every native part of npm that recording loads', () => {
    const program = `
      await import('@node-rs/crc32'); await import('lz4-napi'); await import('level');
      console.log(process.arch);`;
    const ran = checkout.node(['--input-type=module', '-e', program], 60_000);
    assert.equal(ran.stdout.trim(), 'arm64', ran.stderr);
  });

  for (const layer of ARM64_LAYERS)
    it(`passes the suites of ${layer}`, () => {
      const mocha = ['node_modules/mocha/bin/mocha.js', '--no-config', '--exit'];
      const requires = ['bin/sbin-on-path.mjs', 'dist/test/support/patient-mocha.js'];
      const options = [...requires.flatMap((name) => ['--require', `./${name}`]), ...arm64Grep()];
      const suites = arm64SuitesOf(layer, checkout.root);
      const ran = checkout.node([...mocha, ...options, ...suites], 30 * 60_000);
      assert.equal(ran.status, 0, ran.stdout.slice(-4_000) + ran.stderr.slice(-2_000));
      assert.match(ran.stdout, /[1-9]\d* passing/);
    });

  it('records, verifies and syncs, and this machine reads the store', async () => {
    const data = join(present(folder), 'data');
    const store = join(present(folder), 'store');
    const source = ['--source', 'sim:?robots=2&duration=5s', '--profile', 'small'];
    const recorded = checkout.node([MAIN, 'record', ...source, '--data', data, '--json'], 300_000);
    assert.equal(recorded.status, 0, recorded.stderr);
    const summary = JSON.parse(recorded.stdout.trim().split('\n').at(-1) ?? '') as Summary;
    assert.ok(summary.durable > 100);
    assert.deepEqual([summary.received, summary.dropped], [summary.durable, 0]);
    const verified = checkout.node([MAIN, 'verify', data], 300_000);
    assert.equal(verified.status, 0, verified.stdout + verified.stderr);
    const synced = checkout.node(
      [MAIN, 'sync', '--data', data, '--store', `dir:${store}`, '--drain'],
      300_000,
    );
    assert.equal(synced.status, 0, synced.stdout + synced.stderr);
    const here = await runCli(['verify', store, '--json']);
    assert.equal(here.exitCode, 0, here.stdout + here.stderr);
    const { totals } = present(here.json) as { readonly totals: { readonly messages: number } };
    assert.equal(totals.messages, summary.durable);
  });

  it('accounts for every message of the demo, with both kills', () => {
    // An emulated recorder takes up to 20 s to start, and the kills must meet one that records.
    const ran = checkout.node([MAIN, 'demo', '--robots', '1', '--for', '180s', '--json'], 20 * 60_000);
    assert.equal(ran.status, 0, ran.stdout.slice(-4_000) + ran.stderr.slice(-2_000));
  });
});
