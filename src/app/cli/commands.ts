import type { CommandDefinition } from './command-definition.js';
import { ageCommand } from './commands/age.js';
import { bagCommand } from './commands/bag.js';
import { catCommand } from './commands/cat.js';
import { checkCommand } from './commands/check.js';
import { compactCommand } from './commands/compact.js';
import { completionCommand } from './commands/completion.js';
import { decryptCommand } from './commands/decrypt.js';
import { deleteCommand } from './commands/delete.js';
import { demoCommand } from './commands/demo.js';
import { doctorCommand } from './commands/doctor.js';
import { exportCommand } from './commands/export.js';
import { fetchCommand } from './commands/fetch.js';
import { groundCommand } from './commands/ground.js';
import { holdCommand } from './commands/hold.js';
import { installServiceCommand } from './commands/install-service.js';
import { keygenCommand } from './commands/keygen.js';
import { lsCommand } from './commands/ls.js';
import { queryCommand } from './commands/query.js';
import { recordCommand } from './commands/record.js';
import { recoverCommand } from './commands/recover.js';
import { replayCommand } from './commands/replay.js';
import { reportCommand } from './commands/report.js';
import { replicateCommand } from './commands/replicate.js';
import { rewrapCommand } from './commands/rewrap.js';
import { serveCommand } from './commands/serve.js';
import { statusCommand } from './commands/status.js';
import { tagCommand } from './commands/tag.js';
import { syncCommand } from './commands/sync.js';
import { upCommand } from './commands/up.js';
import { verifyCommand } from './commands/verify.js';
import { verifyReceiptCommand } from './commands/verify-receipt.js';

/** Every command, in the order of the help. */
export const commands: readonly CommandDefinition[] = [
  recordCommand,
  syncCommand,
  upCommand,
  statusCommand,
  tagCommand,
  lsCommand,
  verifyCommand,
  checkCommand,
  recoverCommand,
  catCommand,
  replayCommand,
  exportCommand,
  compactCommand,
  queryCommand,
  reportCommand,
  serveCommand,
  bagCommand,
  fetchCommand,
  keygenCommand,
  decryptCommand,
  rewrapCommand,
  replicateCommand,
  holdCommand,
  deleteCommand,
  verifyReceiptCommand,
  ageCommand,
  groundCommand,
  doctorCommand,
  installServiceCommand,
  completionCommand,
  demoCommand,
];
