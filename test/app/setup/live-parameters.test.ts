import assert from 'node:assert/strict';
import { describeError } from '../../../src/core/errors.js';
import { silentLogger } from '../../../src/core/logger.js';
import { present } from '../../../src/core/present.js';
import { LiveParameters } from '../../../src/app/setup/live-parameters.js';
import { doCommand } from '../../../src/app/monitoring/uplink-commands.js';
import { systemPorts } from '../../../src/host/ports.js';
import type { RecorderOptions } from '../../../src/settings/recorder-options.js';
import { resolve } from '../../../src/settings/resolve.js';

describe('Live parameters of a recorder', () => {
  let applied: RecorderOptions[];
  let level: string | undefined;
  let parameters: LiveParameters;
  const valueOf = (name: string): unknown =>
    present(parameters.list().find((one) => one.name === name)).value;

  beforeEach(() => {
    applied = [];
    level = undefined;
    const flags = { data: '/tmp/unused', sources: ['sim:'], 'segment.max_bytes': '32MiB' };
    parameters = new LiveParameters(resolve('recorder', undefined, flags), {
      host: systemPorts(silentLogger),
      recorder: {
        reconfigure: (options) => {
          applied.push(options);
          return [];
        },
      },
      setLogLevel: (next) => (level = next),
    });
  });

  it('are set one after the other, and keep what was set before', () => {
    parameters.set('segment.max_bytes', '64MiB');
    parameters.set('topics.exclude', ['^/camera']);
    const { segment, filter } = present(applied.at(-1));
    assert.equal(segment.maxBytes, 64 * 2 ** 20);
    assert.deepEqual(filter.excludeTopics, [/^\/camera/u]);
    assert.deepEqual([valueOf('segment.max_bytes'), valueOf('topics.exclude')], ['64MiB', ['^/camera']]);
    parameters.set('log.level', 'debug');
    assert.deepEqual([level, applied.length], ['debug', 2]);
  });

  it('are listed as they were given, or with their defaults', () => {
    assert.equal(valueOf('segment.max_bytes'), '32MiB');
    assert.equal(valueOf('retention.when_full'), 'stop');
    assert.ok(parameters.list().every(({ name }) => name !== 'data' && name !== 'sources'));
  });

  it('that are wrong, fixed or unknown are refused with the reason, and change nothing', async () => {
    const refusals = [
      ['segment.max_bytes', 'much', /segment.max_bytes is "much"; allowed: .* to /],
      ['data', '/elsewhere', /data is fixed while the recorder runs/],
      ['segment.max_byte', '1MiB', /not a parameter of the recorder; did you mean segment.max_bytes/],
      ['retention.max_bytes', '48MiB', /retention.max_bytes is "48MiB"; allowed: 0 or at least two segments/],
    ] as const;
    const recorder = undefined as never;
    for (const [parameter, given, reason] of refusals) {
      const window = { label: '', beforeS: 0, afterS: 0 };
      const command = { name: 'set_parameter' as const, ...window, parameter, value: JSON.stringify(given) };
      const refused = await doCommand(command, { recorder, sync: recorder, parameters }).catch(describeError);
      assert.ok(typeof refused === 'string' && reason.test(refused), JSON.stringify(refused));
    }
    assert.equal(applied.length, 0);
    assert.equal(valueOf('segment.max_bytes'), '32MiB');
  });
});
