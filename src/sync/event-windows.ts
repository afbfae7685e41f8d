import { describeError } from '../core/errors.js';
import { listEvents, readEvent } from '../core/event-files.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { FileSystem } from '../core/file-system.js';

export interface EventWindowsPorts {
  readonly fs: FileSystem;
  /** `events/` of the data folder. */
  readonly folder: string;
  readonly onTrouble: (message: string) => void;
}

interface Window {
  readonly from: bigint;
  to: bigint;
}

/** The windows of marked events, read from the recorder's marks. */
export class EventWindows {
  readonly #ports: EventWindowsPorts;
  /** Undefined: damaged; it is not read again. */
  readonly #known = new Map<string, MarkedEvent | undefined>();
  /** Disjoint, ascending. */
  #windows: Window[] = [];

  constructor(ports: EventWindowsPorts) {
    this.#ports = ports;
  }

  /** Looks for new marks. True if there are any. */
  async refresh(): Promise<boolean> {
    const { fs, folder, onTrouble } = this.#ports;
    try {
      const ids = new Set(await listEvents(fs, folder));
      for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id);
      const added = [...ids].filter((id) => !this.#known.has(id));
      for (const id of added) {
        const event = await readEvent(fs, folder, id);
        this.#known.set(id, event);
        if (!event) onTrouble(`the marked event ${id} is damaged and ignored`);
      }
      if (added.length === 0) return false;
      const events = [...this.#known.values()].filter((event) => event !== undefined);
      this.#windows = merged(events.map(({ from, to }) => ({ from: BigInt(from), to: BigInt(to) })));
      return true;
    } catch (error) {
      onTrouble(`marked events cannot be read: ${describeError(error)}`);
      return false;
    }
  }

  /** Whether log times (nanoseconds, inclusive) overlap a window. */
  overlap(first: bigint, last: bigint): boolean {
    let low = 0;
    let high = this.#windows.length;
    // The first window that does not end before them.
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#windows[middle] as Window).to < first) low = middle + 1;
      else high = middle;
    }
    const window = this.#windows[low];
    return window !== undefined && window.from <= last;
  }
}

function merged(windows: Window[]): Window[] {
  windows.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const result: Window[] = [];
  for (const window of windows) {
    const last = result.at(-1);
    if (!last || window.from > last.to) result.push(window);
    else if (window.to > last.to) last.to = window.to;
  }
  return result;
}
