import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execFile } from 'node:child_process';
import { describeError } from '../../../core/errors.js';
import { exitCodes } from '../../../host/exit-code.js';
import type { ServiceMachine } from '../../../jobs/service/install-units.js';
import type { ServicePlan, Unit } from '../../../jobs/service/unit.js';
import { configInvalid, type ConfigFault } from '../../../settings/fault.js';
import type { CommandDefinition, CommandResult, Invocation } from '../command-definition.js';

const DEFAULT_DATA = '/var/lib/holdfast/data';
const DEFAULT_CONFIG = '/etc/holdfast/params.yaml';

export const installServiceCommand: CommandDefinition = {
  name: 'install-service',
  summary: 'write, check and enable the systemd units of this machine',
  description:
    'Prints the systemd units and the steps that install them, and changes nothing. With --apply it does the ' +
    'steps: it makes the user and the data folder, writes the units, and enables them. One unit runs holdfast ' +
    'up; with --ros, two units run the nodes. The units start after the time is set and the disk is mounted, ' +
    'restart without a limit, log to the journal, and may write only the data and the logs. A watchdog ' +
    'restarts a recorder that no longer answers. systemd-analyze checks the units first, if it is there.',
  examples: [
    ['holdfast install-service', 'what it would do'],
    ['sudo holdfast install-service --apply', 'record and upload, as /etc/holdfast/params.yaml says'],
    ['sudo holdfast install-service --ros --setup /opt/robot/setup.bash --apply', 'the ROS 2 nodes'],
    ['sudo holdfast install-service --profile small --apply', 'the same on a machine with little memory'],
    ['sudo holdfast install-service --uninstall --apply', 'remove the units; recordings stay'],
  ],
  parameters: ['data', 'profile', 'log.level', 'log.format'],
  defaults: { data: DEFAULT_DATA },
  configure(command) {
    command
      .option('--apply', 'do the steps; without it they are printed only')
      .option('--uninstall', 'stop and remove the units instead')
      .option('--ros', 'units for the nodes holdfast_recorder and holdfast_sync')
      .option('--name <name>', 'name of the unit', 'holdfast')
      .option('--user <name>', 'user and group of the processes', 'holdfast')
      .option('--setup <file>', 'setup file of the workspace, with --ros', '/opt/holdfast/setup.bash')
      .option('--watchdog <seconds>', 'restart if the recorder does not answer for so long, 10 to 3600', '60')
      .option('--max-starts <count>', 'give up after so many starts in ten minutes; 0: never', '0')
      .option('--unit-dir <folder>', 'where the units are written', '/etc/systemd/system')
      .option('--no-enable', 'write the units, and do not enable or start them');
  },
  run: runInstallService,
};

async function runInstallService(invocation: Invocation): Promise<CommandResult> {
  const { options } = invocation;
  const plan = readPlan(invocation);
  const { renderUnits } = await import('../../../jobs/service/unit.js');
  const { installSteps, uninstallSteps } = await import('../../../jobs/service/install-units.js');
  const machine = thisServiceMachine(invocation.stop.signal);
  const units = renderUnits(plan);
  const uninstall = options['uninstall'] === true;
  const findings = uninstall ? [] : await check(plan, units, machine);
  const steps = (uninstall ? uninstallSteps : installSteps)({
    units,
    unitFolder: resolve(String(options['unitDir'])),
    user: plan.user,
    hasUser: await succeeds(machine.run('id', ['-u', plan.user])),
    data: plan.data,
    enable: options['enable'] !== false,
  });
  const apply = options['apply'] === true;
  if (!uninstall) for (const { name, text } of units) await invocation.say(`# ${name}\n${text}`);
  for (const finding of findings) await invocation.say(`WARN ${finding}`);
  for (const step of steps) {
    invocation.stop.signal.throwIfAborted();
    await invocation.say(`${apply ? 'done' : 'would'}: ${step.text}`);
    if (apply) await step.act(machine);
  }
  if (!apply) await invocation.say('nothing was changed; add --apply to do it');
  const isFine = findings.length === 0;
  return {
    exitCode: isFine ? exitCodes.ok : exitCodes.findings,
    json: { ok: isFine, applied: apply, units, steps: steps.map(({ text }) => text), findings },
  };
}

/** Throws `CONFIG_INVALID` with all values that are not allowed. */
function readPlan(invocation: Invocation): ServicePlan {
  const { options, configPath, flags } = invocation;
  const faults: ConfigFault[] = [];
  const text = (name: string, pattern: RegExp, allowed: string): string => {
    const value = String(options[name]);
    const path = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (!pattern.test(value))
      faults.push({ where: `--${path}`, path, value, allowed: `allowed: ${allowed}` });
    return value;
  };
  const resolved = invocation.resolve('recorder');
  faults.push(...resolved.faults);
  const plan: ServicePlan = {
    kind: options['ros'] === true ? 'ros' : 'cli',
    name: text('name', /^[a-zA-Z0-9][\w.-]{0,99}$/, '1 to 100 letters, digits, _, - and .'),
    user: text('user', /^[a-z_][a-z0-9_-]{0,31}$/, 'the name of a user'),
    data: resolve(flags.data === undefined && configPath === undefined ? DEFAULT_DATA : resolved.values.data),
    config: resolve(configPath ?? DEFAULT_CONFIG),
    node: process.execPath,
    main: fileURLToPath(new URL('../../main.js', import.meta.url)),
    setup: resolve(text('setup', /^[^'\n]+$/, 'a path')),
    watchdogS: Number(text('watchdog', /^([1-9]\d|[1-9]\d\d|[1-2]\d{3}|3[0-5]\d\d|3600)$/, '10 to 3600')),
    small: resolved.values.profile === 'small',
    startsMax: Number(text('maxStarts', /^\d{1,4}$/, '0 to 9999')),
  };
  if (faults.length > 0) throw configInvalid(faults);
  return plan;
}

/** What would keep the service from starting. */
async function check(
  plan: ServicePlan,
  units: readonly Unit[],
  machine: ServiceMachine,
): Promise<readonly string[]> {
  const findings: string[] = [];
  const needs = [plan.config, ...(plan.kind === 'ros' ? [plan.setup] : [])];
  for (const path of needs) {
    if (!(await succeeds(access(path))))
      findings.push(`${path} does not exist; the service does not start without it`);
  }
  if (!(await succeeds(machine.run('systemd-analyze', ['--version'])))) return findings;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-units-'));
  try {
    for (const { name, text } of units) await writeFile(join(folder, name), text);
    const paths = units.map(({ name }) => join(folder, name));
    await machine.run('systemd-analyze', ['verify', '--man=no', ...paths]);
  } catch (error) {
    findings.push(`systemd-analyze: ${describeError(error)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return findings;
}

function thisServiceMachine(signal: AbortSignal): ServiceMachine {
  return {
    write: async (path, text) => {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, text, { mode: 0o644 });
    },
    remove: (path) => rm(path, { force: true }),
    run: (program, args) =>
      new Promise((done, reject) => {
        execFile(program, [...args], { encoding: 'utf8', signal }, (error, stdout, stderr) => {
          if (error === null) done(stdout);
          else reject(new Error(stderr.trim() === '' ? error.message : stderr.trim()));
        });
      }),
  };
}

function succeeds(promise: Promise<unknown>): Promise<boolean> {
  return promise.then(
    () => true,
    () => false,
  );
}
