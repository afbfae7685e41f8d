import { homedir, userInfo } from 'node:os';

/** Home of users that have none, by Debian's convention: a folder that never exists. */
const NO_HOME = '/nonexistent';

/**
 * The number of the user of this process. It does not call `userInfo()` first: that looks the name up, and
 * throws for a user without an entry in the list of users, as in containers.
 */
export function ownUserId(): number {
  return process.getuid?.() ?? userInfo().uid;
}

/**
 * Sets `HOME` if it is missing and the user has no entry in the list of users. Otherwise `homedir()` throws,
 * also inside libraries that look for their settings there, such as the AWS SDK.
 */
export function ensureHome(env: NodeJS.ProcessEnv = process.env): void {
  try {
    homedir();
  } catch {
    env['HOME'] = NO_HOME;
  }
}
