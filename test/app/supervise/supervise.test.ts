import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { silentLogger } from '../../../src/core/logger.js';
import { listenForControl } from '../../../src/app/control/control-server.js';
import { afterDeath, neverDied, type RestartPolicy } from '../../../src/host/restart-policy.js';
import { SupervisedChild } from '../../../src/app/supervise/supervised-child.js';
import { supervise, type SuperviseOptions } from '../../../src/app/supervise/supervise.js';
import { systemClock } from '../../../src/host/system-clock.js';
import { eventually } from '../../../src/testing/waiting.js';

const policy: RestartPolicy = { firstDelayMs: 10, maxDelayMs: 200, healthyAfterMs: 30_000 };

describe('when a process that died is started again', () => {
  it('waits twice as long after each quick death, up to the bound, and starts over after a healthy run', () => {
    let state = neverDied;
    const delays: number[] = [];
    for (const ranForMs of [1, 1, 1, 1, 1, 1, 60_000, 1]) {
      const next = afterDeath(state, ranForMs, policy);
      state = next.state;
      delays.push(next.delayMs);
    }
    assert.deepEqual(delays, [10, 20, 40, 80, 160, 200, 10, 20]);
  });

  it('never waits longer than the bound nor shorter than the first delay', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(100_000), (quickDeaths, ranForMs) => {
        const { delayMs } = afterDeath({ quickDeaths }, ranForMs, policy);
        return delayMs >= policy.firstDelayMs && delayMs <= policy.maxDelayMs;
      }),
    );
  });
});

describe('supervised processes', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-supervise-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  /** A process that notes each start in a file and then does what the code says; `starts` counts from 1. */
  async function script(name: string, code: string): Promise<string[]> {
    const path = join(folder, `${name}.cjs`);
    const log = JSON.stringify(join(folder, `${name}.log`));
    await writeFile(
      path,
      `const fs = require('fs');
       fs.appendFileSync(${log}, process.argv.slice(2).join(' ') + '\\n');
       const starts = fs.readFileSync(${log}, 'utf8').split('\\n').length - 1;
       ${code}`,
    );
    return [path];
  }

  const startsOf = async (name: string): Promise<string[]> =>
    (await readFile(join(folder, `${name}.log`), 'utf8')).split('\n').slice(0, -1);

  function options(more: Partial<SuperviseOptions>): SuperviseOptions {
    return {
      data: folder,
      recorder: () => [],
      sync: () => [],
      drain: false,
      signal: new AbortController().signal,
      clock: systemClock,
      logger: silentLogger,
      onLog: () => {},
      policy,
      ...more,
    };
  }

  // Ends with us too, so that a failing test leaves nothing running.
  const untilTold = `process.on('disconnect', () => process.exit(1));
                     process.on('SIGTERM', () => { console.log('{"told":true}'); process.exit(0); });
                     fs.writeFileSync(process.argv[1] + '.ready', '');
                     setInterval(() => {}, 1000);`;

  /** A recorder that is done as soon as sync listens for its signal. */
  const onceSyncIsUp = (): string => `
    const ready = ${JSON.stringify(join(folder, 'sync.cjs.ready'))};
    setInterval(() => { if (fs.existsSync(ready)) process.exit(0); }, 10);`;

  /** Resolves once the process listens for its signal. */
  const ready = (name: string): Promise<true> =>
    eventually(() => existsSync(join(folder, `${name}.cjs.ready`)), `${name} to be ready`);

  it('start again after a kill and after a failure, and return the result of the last run', async () => {
    const command = await script(
      'dying',
      `if (starts === 1) process.kill(process.pid, 'SIGKILL');
       else if (starts === 2) process.exit(1);
       else console.log('something\\n{"starts":' + starts + '}');`,
    );
    const child = new SupervisedChild({
      name: 'dying',
      command: () => command,
      policy,
      clock: systemClock,
      logger: silentLogger,
      onLog: () => {},
    });
    assert.deepEqual(await child.ended, { exitCode: 0, result: { starts: 3 }, restarts: 2 });
  });

  it('end both without a restart when the configuration of one is wrong', async () => {
    const recorder = await script('recorder', 'process.exit(2)');
    const sync = await script('sync', untilTold);
    const result = await supervise(options({ recorder: () => recorder, sync: () => sync }));
    assert.equal(result.recorder.exitCode, 2);
    assert.equal((await startsOf('recorder')).length, 1);
  });

  it('end sync with the recorder if draining is not wanted', async () => {
    const recorder = await script('recorder', onceSyncIsUp());
    const sync = await script('sync', untilTold);
    const { sync: end } = await supervise(options({ recorder: () => recorder, sync: () => sync }));
    assert.deepEqual(end, { exitCode: 0, result: { told: true }, restarts: 0 });
  });

  it('let sync drain once the recorder is done, also when sync dies just then', async () => {
    const recorder = await script('recorder', 'process.exit(0)');
    // Dies instead of answering, so that only the flag of its next start can tell it.
    const sync = await script(
      'sync',
      `if (process.argv[2] === '--drain') process.exit(0); else setTimeout(() => process.exit(1), 300);`,
    );
    const { sync: end } = await supervise(
      options({
        recorder: () => recorder,
        sync: (drain) => [...sync, ...(drain ? ['--drain'] : [])],
        drain: true,
      }),
    );
    assert.equal(end.exitCode, 0);
    assert.equal((await startsOf('sync')).at(-1), '--drain');
  });

  it('ask a running sync to drain over its socket, and end it when the draining is interrupted', async () => {
    const recorder = await script('recorder', onceSyncIsUp());
    const sync = await script('sync', untilTold);
    const stop = new AbortController();
    let asked = 0;
    const drain = (): void => {
      asked++;
      stop.abort();
    };
    // Stands in for the sync process, whose stand-in above has no socket of its own.
    await using server = await listenForControl(folder, 'sync', { drain }, silentLogger);
    assert.ok(server.path);
    const { sync: end } = await supervise(
      options({ recorder: () => recorder, sync: () => sync, drain: true, signal: stop.signal }),
    );
    assert.equal(asked, 1);
    assert.deepEqual(end.result, { told: true });
  });

  it('stop the recorder first on a signal, then sync', async () => {
    const recorder = await script('recorder', untilTold);
    const sync = await script('sync', untilTold);
    const stop = new AbortController();
    const done = supervise(options({ recorder: () => recorder, sync: () => sync, signal: stop.signal }));
    await Promise.all([ready('recorder'), ready('sync')]);
    stop.abort();
    const { recorder: first, sync: second } = await done;
    assert.deepEqual([first.result, second.result], [{ told: true }, { told: true }]);
  });

  it('end when their supervisor is gone, because their channel closes', async () => {
    const command = await script(
      'orphan',
      `process.on('disconnect', () => process.exit(0)); setInterval(() => {}, 1000);`,
    );
    const supervisor = await script(
      'supervisor',
      `const child = require('child_process').spawn(process.execPath, ${JSON.stringify(command)}, {
         detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
       child.on('spawn', () => { console.log(child.pid); setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300); });`,
    );
    const process_ = spawn(process.execPath, supervisor, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    process_.stdout.on('data', (chunk) => (output += String(chunk)));
    await new Promise((resolve) => process_.on('close', resolve));
    const pid = Number(output);
    const isAlive = (): boolean => {
      try {
        return process.kill(pid, 0);
      } catch {
        return false;
      }
    };
    await eventually(() => !isAlive(), 'the child to end');
  });
});
