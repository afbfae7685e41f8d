/** What a ground can ask of a robot, in the order of the numbers in uplink.proto. */
export const commandNames = ['mark_event', 'split', 'sync_now', 'pause', 'resume'] as const;

export type CommandName = (typeof commandNames)[number];

/** One request of the ground. */
export interface RobotCommand {
  readonly name: CommandName;
  /** Of a marked event; otherwise empty. */
  readonly label: string;
  /** Window of a marked event around now, seconds. */
  readonly beforeS: number;
  readonly afterS: number;
}

/** How a robot answers. */
export interface CommandAnswer {
  /** False: the robot refuses, and `message` says why. */
  readonly ok: boolean;
  /** The error code of a refusal (docs/errors.md); otherwise empty. */
  readonly code: string;
  /** What was done, or why not, in words. */
  readonly message: string;
}

/** Maximum length of a label, characters. */
export const LABEL_MAX_CHARS = 200;
/** Maximum length of a window before or after now, seconds. */
export const WINDOW_MAX_S = 3_600;
