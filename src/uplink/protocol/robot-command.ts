import type { TagChanges } from '../../core/tags.js';

/** What a ground can ask of a robot, in the order of the numbers in uplink.proto. */
export const commandNames = [
  ...(['mark_event', 'split', 'sync_now', 'pause', 'resume', 'set_parameter'] as const),
  ...(['get_parameters', 'set_tags'] as const),
] as const;

export type CommandName = (typeof commandNames)[number];

/** A command that does something: each is in the audit log of the ground. */
export type ActionName = Exclude<CommandName, 'get_parameters'>;

export const actionNames = commandNames.filter((name): name is ActionName => name !== 'get_parameters');

/** One request of the ground. */
export interface RobotCommand {
  readonly name: CommandName;
  /** Of a marked event; otherwise empty. */
  readonly label: string;
  /** Window of a marked event around now, seconds. */
  readonly beforeS: number;
  readonly afterS: number;
  /** Of `set_parameter`: its name, and its value as JSON in the spelling of a configuration file. */
  readonly parameter?: string;
  readonly value?: string;
  /** Of `set_tags`: an empty value removes a tag, and a tag that it does not name stays. */
  readonly tags?: TagChanges;
}

/** How a robot answers. */
export interface CommandAnswer {
  /** False: the robot refuses, and `message` says why. */
  readonly ok: boolean;
  /** The error code of a refusal (docs/errors.md); otherwise empty. */
  readonly code: string;
  /** What was done, or why not, in words. */
  readonly message: string;
  /** What was asked for, as JSON; absent: nothing. */
  readonly result?: string;
}

/** Maximum length of a parameter's name, bytes. */
export const PARAMETER_NAME_MAX_BYTES = 100;
/** Maximum length of a parameter's value, bytes. */
export const PARAMETER_VALUE_MAX_BYTES = 8 * 1024;
/** Maximum length of a result, bytes. */
export const RESULT_MAX_BYTES = 64 * 1024;
/** Maximum length of a label, characters. */
export const LABEL_MAX_CHARS = 200;
/** Maximum length of a window before or after now, seconds. */
export const WINDOW_MAX_S = 3_600;
