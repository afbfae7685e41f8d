import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/** Shorter than mocha's 30 s per test, so that a failure names what it waited for. */
const LIMIT_MS = 25_000;
const POLL_MS = 10;

/**
 * Polls until the check returns something other than `false`, `undefined` or `null`, and returns that.
 * Rethrows what the check throws. It fails only if something hangs: tests never measure with it.
 *
 * @param what - What the test waits for; default: the text of the check.
 * @param limitMs - Milliseconds after which it gives up; default: 25,000.
 * @param pollMs - Milliseconds between two checks; default: 10. Use less if a test kills something in the
 * middle.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  what = String(check),
  limitMs = LIMIT_MS,
  pollMs = POLL_MS,
): Promise<Exclude<T, false | undefined | null>> {
  const giveUpAt = process.hrtime.bigint() + BigInt(limitMs) * 1_000_000n;
  for (;;) {
    const found = await check();
    if (found !== false && found !== undefined && found !== null) {
      return found as Exclude<T, false | undefined | null>;
    }
    if (process.hrtime.bigint() > giveUpAt) throw new Error(`waited ${limitMs} ms in vain for ${what}`);
    await sleep(pollMs);
  }
}
