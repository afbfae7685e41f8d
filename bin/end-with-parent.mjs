// Import this first: the process ends when the one that started it is gone. `npm run` starts a shell that starts
// Node; SIGTERM reaches npm and the shell, and Node would continue as an orphan that holds the data folder.
import { readFileSync } from 'node:fs';

const POLL_MS = 250;

/** The process that started a process; undefined where /proc does not tell. */
function startedBy(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before it may hold anything, also spaces and brackets.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function isShellOfNpm(pid) {
  try {
    return /^[^\0]*sh\0-c\0/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'));
  } catch {
    return false;
  }
}

const parent = process.ppid;
/** npm, when its shell waits between it and us: a killed npm leaves the shell running. */
const npm = isShellOfNpm(parent) ? startedBy(parent) : undefined;

function isOrphaned() {
  return process.ppid !== parent || (npm !== undefined && startedBy(parent) !== npm);
}

/** Stops as if SIGTERM had arrived, so that whatever handles that signal can still drain. */
export function endIfOrphaned() {
  if (timer === undefined || !isOrphaned()) return;
  clearInterval(timer);
  process.kill(process.pid, 'SIGTERM');
}

// Started without npm the process may outlive its shell, as with `nohup node bin/holdfast.mjs &`.
const timer = process.env.npm_lifecycle_event === undefined ? undefined : setInterval(endIfOrphaned, POLL_MS);
timer?.unref();
