// In which order files of tests run when several run at once, and which of them run alone.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = fileURLToPath(new URL('../test/support/schedule.json', import.meta.url));

/** Files that take longer than this start early. */
const LONG_MS = 10_000;

/** `long`: files by falling duration; `alone`: why a file or a folder runs while nothing else does. */
export const readSchedule = () => JSON.parse(readFileSync(path, 'utf8'));

/**
 * Divides files into those that run beside others and those that run alone, each in the given order.
 *
 * @param files paths such as `test/wal/recover.test.ts`
 */
export function divide(files, { alone } = readSchedule()) {
  const prefixes = Object.keys(alone);
  const isAlone = (file) => prefixes.some((prefix) => file.startsWith(prefix));
  return { together: files.filter((file) => !isAlone(file)), alone: files.filter(isAlone) };
}

/**
 * The files that are left. The first lane takes the longest ones first, the others keep the order, so that a long file
 * runs beside short ones and none is left for the end.
 *
 * @param times milliseconds by path, of an earlier run; without one the schedule names the long files
 */
export class LanePlan {
  #long;
  #short;

  constructor(files, times, { long } = readSchedule()) {
    const byTime = files.filter((file) => (times?.[file] ?? 0) > LONG_MS).sort((a, b) => times[b] - times[a]);
    this.#long = times === undefined ? long.filter((file) => files.includes(file)) : byTime;
    this.#short = files.filter((file) => !this.#long.includes(file));
  }

  /** The next file of a lane; undefined: nothing is left. */
  take(lane) {
    const [first, second] = lane === 0 ? [this.#long, this.#short] : [this.#short, this.#long];
    return first.shift() ?? second.shift();
  }
}
