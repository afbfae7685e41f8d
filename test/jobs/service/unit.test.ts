import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../../src/core/present.js';
import { installSteps, uninstallSteps } from '../../../src/jobs/service/install-units.js';
import { renderUnits, type ServicePlan, type Unit } from '../../../src/jobs/service/unit.js';
import { lacking } from '../../../src/testing/lacking.js';

const plan: ServicePlan = {
  kind: 'cli',
  name: 'holdfast',
  user: 'holdfast',
  data: '/var/lib/hold fast/100%/$data',
  config: '/etc/holdfast/params.yaml',
  node: process.execPath,
  main: '/opt/holdfast/main.js',
  small: false,
  setup: '/opt/robot/setup.bash',
  watchdogS: 60,
  startsMax: 0,
};

const firstOf = (one: ServicePlan): Unit => present(renderUnits(one)[0]);

describe('the units of install-service', () => {
  it('pass systemd-analyze verify, with the least exposure, for the command line and the nodes', function () {
    if (spawnSync('systemd-analyze', ['--version']).error !== undefined) {
      lacking(this, 'systemd', 'systemd-analyze is not installed');
    }
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-unit-'));
    try {
      for (const kind of ['cli', 'ros'] as const) {
        for (const { name, text } of renderUnits({ ...plan, kind })) {
          const path = join(folder, name);
          writeFileSync(path, text);
          const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', path], {
            encoding: 'utf8',
          });
          assert.equal(status, 0, stderr);
          assert.doesNotMatch(stderr, new RegExp(name), 'no warning about it');
        }
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('give the path of the data to the process as it is', () => {
    const { text } = firstOf(plan);
    assert.match(
      text,
      /^ExecStart=.* up --config=\/etc\/holdfast\/params.yaml "--data=\/var\/lib\/hold fast\/100%%\/\$\$data"$/m,
    );
    assert.match(text, /^WatchdogSec=60$/m);
    assert.match(text, /^StartLimitIntervalSec=0$/m);
    assert.match(firstOf({ ...plan, startsMax: 5 }).text, /^StartLimitBurst=5$/m);
  });

  it('start a small recorder with its profile, flags and environment', () => {
    for (const kind of ['cli', 'ros'] as const) {
      const { text } = firstOf({ ...plan, kind, small: true });
      assert.match(text, /^Environment=MALLOC_ARENA_MAX=1$/m);
      assert.match(
        text,
        kind === 'cli' ? / --max-semi-space-size=1 .* up .*--profile=small$/m : / -p profile:=small' /,
      );
      assert.doesNotMatch(firstOf({ ...plan, kind }).text, /MALLOC|profile/);
    }
  });

  it('start a node by a script that bash runs: setup, executable, parameter file, data', () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-unit-'));
    try {
      const recorder = join(folder, 'lib', 'holdfast', 'recorder');
      mkdirSync(join(folder, 'lib', 'holdfast'), { recursive: true });
      writeFileSync(recorder, '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
      writeFileSync(join(folder, 'setup.bash'), `ros2() { echo "${folder}"; }\n`);
      const { text } = firstOf({ ...plan, kind: 'ros', data: '/data' });
      const [, script] =
        /^ExecStart=\/bin\/bash -c '(.*)' \/etc\/holdfast\/params.yaml \/data$/m.exec(text) ?? [];
      assert.ok(script !== undefined, text);
      const output = execFileSync('bash', ['-c', script.replaceAll('$$', '$'), plan.config, '/data'], {
        encoding: 'utf8',
        env: { ...process.env, HOLDFAST_SETUP: join(folder, 'setup.bash') },
      });
      assert.deepEqual(output.trim().split('\n'), [
        '--ros-args',
        '--params-file',
        plan.config,
        '-p',
        'data:=/data',
      ]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are installed in an order that works, and removed without touching recordings', async () => {
    const units = renderUnits({ ...plan, kind: 'ros' });
    const options = {
      units,
      unitFolder: '/units',
      user: 'holdfast',
      hasUser: false,
      data: '/data',
      enable: true,
    };
    const done: string[] = [];
    const machine = {
      write: (path: string) => Promise.resolve(void done.push(`write ${path}`)),
      remove: (path: string) => Promise.resolve(void done.push(`remove ${path}`)),
      run: (program: string, args: readonly string[]) => {
        done.push([program, ...args].join(' '));
        return Promise.resolve('');
      },
    };
    for (const step of installSteps(options)) await step.act(machine);
    assert.deepEqual(done, [
      'useradd --system --user-group --home-dir /var/lib/holdfast holdfast',
      'install -d -m 0750 -o holdfast -g holdfast /data',
      'write /units/holdfast-recorder.service',
      'write /units/holdfast-sync.service',
      'systemctl daemon-reload',
      'systemctl enable --now holdfast-recorder.service holdfast-sync.service',
    ]);
    done.length = 0;
    for (const step of uninstallSteps(options)) await step.act(machine);
    assert.deepEqual(done, [
      'systemctl disable --now holdfast-recorder.service holdfast-sync.service',
      'remove /units/holdfast-recorder.service',
      'remove /units/holdfast-sync.service',
      'systemctl daemon-reload',
    ]);
  });
});
