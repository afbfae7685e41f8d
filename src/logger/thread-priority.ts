import { readlinkSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';

/**
 * Lowers the priority of the calling thread, so that the program's own threads run first. On Linux a priority
 * belongs to a thread; elsewhere to the process, which is left unchanged.
 *
 * @returns by how much it was lowered (`nice`), 0: not at all.
 */
export function runBehind(): number {
  if (process.platform !== 'linux') return 0;
  try {
    // `<process>/task/<thread>`, read by this thread itself.
    const thread = Number(/\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1]);
    const before = getPriority(thread);
    const after = Math.min(
      constants.priority.PRIORITY_LOW,
      before + constants.priority.PRIORITY_BELOW_NORMAL,
    );
    setPriority(thread, after);
    return after - before;
  } catch {
    // No /proc, or a system that forbids it: the thread works anyway.
    return 0;
  }
}
