import type { Gap } from './gap.js';

/** Merges two gaps of the same reason, robot and topic; the details of the later one are kept. */
export function mergeGaps(earlier: Gap, later: Gap): Gap {
  const merged = {
    ...earlier,
    ...later,
    id: earlier.id,
    // A sum with an unknown part is unknown.
    count: both(earlier.count, later.count, (a, b) => a + b),
    bytes: both(earlier.bytes, later.bytes, (a, b) => a + b),
    firstTime: either(earlier.firstTime, later.firstTime, (a, b) => (a < b ? a : b)),
    lastTime: either(earlier.lastTime, later.lastTime, (a, b) => (a > b ? a : b)),
    firstSourceSequence: either(earlier.firstSourceSequence, later.firstSourceSequence, Math.min),
    lastSourceSequence: either(earlier.lastSourceSequence, later.lastSourceSequence, Math.max),
    settledThrough: either(earlier.settledThrough, later.settledThrough, Math.max),
  };
  const stated = Object.entries(merged).filter(([, value]) => value !== undefined);
  return Object.fromEntries(stated) as unknown as Gap;
}

function both<T>(a: T | undefined, b: T | undefined, merge: (a: T, b: T) => T): T | undefined {
  return a === undefined || b === undefined ? undefined : merge(a, b);
}

function either<T>(a: T | undefined, b: T | undefined, merge: (a: T, b: T) => T): T | undefined {
  return a === undefined ? b : b === undefined ? a : merge(a, b);
}
