import assert from 'node:assert/strict';
import { jsonOf, runCli } from '../../../support/cli.js';

describe('holdfast demo --ground', function () {
  this.timeout(120_000);

  it('shows that the ground has what the vehicles recorded, through tunnels and kills', async () => {
    const run = await runCli(['demo', '--ground', '--for', '10s', '--robots', '2', '--json']);
    const result = jsonOf(run) as {
      readonly findings: readonly string[];
      readonly kills: Readonly<Record<string, number>>;
      readonly segments: number;
      readonly catalogued: number;
      readonly fields: readonly { readonly robot: string; readonly compared: number }[];
    };
    assert.deepEqual(result.findings, [], run.stderr);
    assert.equal(run.exitCode, 0);
    assert.equal(result.kills['robots'], 2);
    assert.equal(result.kills['ground'], 1);
    assert.equal(result.catalogued, result.segments);
    for (const robot of ['car1', 'small_car1'])
      assert.ok(
        result.fields.some((one) => one.robot === robot && one.compared > 50),
        robot,
      );
  });
});
