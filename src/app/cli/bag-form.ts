import { bagForms, type BagForm } from '../../core/mcap/rosbag2-metadata.js';
import { configInvalid } from '../../settings/fault.js';
import type { Invocation } from './command-definition.js';

const FLAG = '--distro';
const HELP =
  'distribution whose ros2 bag reads metadata.yaml; jazzy and later ones read both ' +
  '(default: humble if ROS_DISTRO is humble, otherwise jazzy)';

/** Adds the option of commands that write a metadata.yaml. */
export function addBagForm(command: { option(flags: string, description: string): unknown }): void {
  command.option(`${FLAG} <${bagForms.join('|')}>`, HELP);
}

/** The chosen form. Throws `CONFIG_INVALID`. */
export function bagFormOf({ options }: Pick<Invocation, 'options'>): BagForm {
  const value = options['distro'] as string | undefined;
  const form = bagForms.find((one) => one === value);
  if (form !== undefined) return form;
  if (value === undefined) return process.env['ROS_DISTRO'] === 'humble' ? 'humble' : 'jazzy';
  const allowed = `${bagForms.join(' and ')}; later distributions read the form of jazzy`;
  throw configInvalid([{ where: FLAG, path: 'distro', value, allowed }]);
}
