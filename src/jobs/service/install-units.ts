import { join } from 'node:path';
import type { Unit } from './unit.js';

/** What installing asks of the machine, injected. */
export interface ServiceMachine {
  /** Writes a unit file, readable by everyone; makes its folder. */
  write(path: string, text: string): Promise<void>;
  /** Removes a file; one that is not there is removed already. */
  remove(path: string): Promise<void>;
  /** Runs a program. Rejects with its standard error if it fails or is not there. */
  run(program: string, args: readonly string[]): Promise<string>;
}

/** One step: what it is, as a shell command or a file to write, and the action. */
export interface Step {
  readonly text: string;
  act(machine: ServiceMachine): Promise<void>;
}

export interface InstallOptions {
  readonly units: readonly Unit[];
  /** Folder of the unit files, such as /etc/systemd/system. */
  readonly unitFolder: string;
  readonly user: string;
  readonly hasUser: boolean;
  readonly data: string;
  /** Whether the units are started now and at boot. */
  readonly enable: boolean;
}

function command(program: string, ...args: string[]): Step {
  return {
    text: [program, ...args].join(' '),
    act: async (machine) => {
      await machine.run(program, args);
    },
  };
}

/** The steps that install the units, in order. */
export function installSteps(options: InstallOptions): readonly Step[] {
  const { units, unitFolder, user, hasUser, data } = options;
  const paths = units.map(({ name }) => join(unitFolder, name));
  return [
    ...(hasUser
      ? []
      : [command('useradd', '--system', '--user-group', '--home-dir', '/var/lib/holdfast', user)]),
    command('install', '-d', '-m', '0750', '-o', user, '-g', user, data),
    ...units.map(({ text }, index) => writeUnit(paths[index]!, text)),
    ...(options.enable
      ? [
          command('systemctl', 'daemon-reload'),
          command('systemctl', 'enable', '--now', ...units.map(({ name }) => name)),
        ]
      : []),
  ];
}

/** The steps that remove the units. The data folder, the parameter file and the user stay. */
export function uninstallSteps(options: InstallOptions): readonly Step[] {
  const { units, unitFolder, enable } = options;
  return [
    ...(enable ? [command('systemctl', 'disable', '--now', ...units.map(({ name }) => name))] : []),
    ...units.map(({ name }) => removeUnit(join(unitFolder, name))),
    ...(enable ? [command('systemctl', 'daemon-reload')] : []),
  ];
}

function writeUnit(path: string, text: string): Step {
  return { text: `write ${path}`, act: (machine) => machine.write(path, text) };
}

function removeUnit(path: string): Step {
  return { text: `rm -f ${path}`, act: (machine) => machine.remove(path) };
}
