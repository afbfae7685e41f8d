import type { CommandDefinition } from './command-definition.js';
import { recordCommand } from './commands/record.js';
import { recoverCommand } from './commands/recover.js';
import { statusCommand } from './commands/status.js';
import { syncCommand } from './commands/sync.js';
import { upCommand } from './commands/up.js';

/** Every command, in the order of the help. */
export const commands: readonly CommandDefinition[] = [
  recordCommand,
  syncCommand,
  upCommand,
  statusCommand,
  recoverCommand,
];
