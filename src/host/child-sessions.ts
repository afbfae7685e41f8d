/** Children that one thread can have at a time. */
const SLOTS = 64;

/**
 * The children of a thread, each with a session of its own. Another thread can end them: a thread that is terminated
 * cannot. Ids of processes are in shared memory, 0 in a free slot.
 */
export class ChildSessions {
  readonly slots: Int32Array;

  /** @param slots - Of another thread; default: new ones. */
  constructor(slots: Int32Array = new Int32Array(new SharedArrayBuffer(4 * SLOTS))) {
    this.slots = slots;
  }

  /** Notes a child. Throws an Error if there are too many. */
  add(pid: number): void {
    for (let at = 0; at < this.slots.length; at++) {
      if (Atomics.compareExchange(this.slots, at, 0, pid) === 0) return;
    }
    throw new Error(`more than ${this.slots.length} processes`);
  }

  /** Kills a child with everything in its group, and forgets it. */
  end(pid: number): void {
    for (let at = 0; at < this.slots.length; at++) {
      if (Atomics.compareExchange(this.slots, at, pid, 0) === pid) killGroup(pid);
    }
  }

  /** Kills all of them. */
  endAll(): void {
    for (let at = 0; at < this.slots.length; at++) {
      const pid = Atomics.exchange(this.slots, at, 0);
      if (pid !== 0) killGroup(pid);
    }
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // it has ended
  }
}
