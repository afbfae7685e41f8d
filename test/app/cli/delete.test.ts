import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { jsonOf, runCli, type CliRun } from '../../support/cli.js';

/** `holdfast delete` as people use it: plan, legal hold, receipt. */
describe('holdfast delete', function () {
  this.timeout(120_000);
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-delete-cli-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function ok(exitCode: number, ...args: string[]): Promise<CliRun> {
    const run = await runCli(args);
    assert.equal(run.exitCode, exitCode, `${args.join(' ')}\n${run.stdout}\n${run.stderr}`);
    return run;
  }

  it('shows a plan, respects a hold, deletes in folder and store, and proves it with a receipt', async () => {
    const [data, path] = [join(folder, 'rec'), join(folder, 'store')];
    const places = ['--data', data, '--store', `dir:${path}`];
    await mkdir(path);
    await ok(0, 'record', '--source', 'sim:?robots=2&duration=1s&rate=max&topics=odom', '--data', data);
    await ok(0, 'sync', '--data', data, '--store', `dir:${path}`, '--drain');
    const key = join(folder, 'delete.key');
    const verifying = (await ok(0, 'keygen', '--signing', '--out', key)).stdout.trim();
    const wanted = [...places, '--robot', 'robot1', '--from', '1970-01-01', '--to', '2100-01-01'];
    const doing = ['--reason', 'request 12', '--sign-key', key, '--out', folder];

    const { plan } = jsonOf(await ok(0, 'delete', ...wanted, '--json')) as {
      readonly plan: { readonly id: string };
    };
    const states = async (): Promise<string[]> => {
      const { segments } = jsonOf(await ok(0, 'ls', `dir:${path}`, '--json')) as {
        readonly segments: readonly { readonly robot: string; readonly state: string }[];
      };
      return segments.map(({ robot, state }) => `${robot} ${state}`).sort();
    };
    assert.deepEqual(await states(), ['robot1 uploaded', 'robot2 uploaded']);

    const held = await ok(0, 'hold', ...wanted, '--reason', 'accident', '--json');
    const { id } = jsonOf(held)['hold'] as { readonly id: string };
    assert.match((await ok(0, 'delete', ...wanted)).stdout, new RegExp(`keep .*legal hold ${id}: accident`));
    const kept = await ok(3, 'delete', ...wanted, '--yes', ...doing);
    assert.match(kept.stdout, new RegExp(`hold ${id}`));
    assert.deepEqual(await states(), ['robot1 uploaded', 'robot2 uploaded']);
    await ok(0, 'hold', ...places, '--release', id, '--reason', 'closed');
    const listed = jsonOf(await ok(0, 'hold', ...places, '--json'));
    assert.match(JSON.stringify(listed), new RegExp(`"id":"${id}".*"closed"`));

    const done = jsonOf(await ok(0, 'delete', ...wanted, '--confirm', plan.id, ...doing, '--json'));
    assert.deepEqual(await states(), ['robot1 deleted', 'robot2 uploaded']);
    await ok(0, 'verify', `dir:${path}`);
    await ok(0, 'verify', data);
    const receipt = String(done['path']);
    await ok(0, 'verify-receipt', receipt, '--key', verifying);
    await writeFile(receipt, JSON.stringify(done['receipt']).replace('robot1', 'robot2'));
    await ok(1, 'verify-receipt', receipt, '--key', verifying);
    // Nothing brings it back.
    await ok(0, 'sync', '--data', data, '--store', `dir:${path}`, '--drain');
    assert.deepEqual(await states(), ['robot1 deleted', 'robot2 uploaded']);
    const sealed = await readdir(join(data, 'sealed'));
    assert.equal(sealed.filter((name) => name.endsWith('.mcap')).length, 1, present(sealed[0]));
  });
});
