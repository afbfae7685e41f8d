import { NS_PER_MS, type Clock } from '../../core/clock.js';

/** Longer waits are logged: a wrong log time looks like a source that hangs. */
const LONG_WAIT_MS = 60_000;

/** Delays messages until their log time, counted from the first one at `speed` times real time. */
export class Pace {
  #origin: { readonly logTime: bigint; readonly at: bigint } | undefined;

  constructor(
    readonly clock: Clock,
    readonly speed: number,
    readonly onLongWait: (ms: number) => void,
  ) {}

  /** A promise to await, or undefined if the message is due. */
  until(logTime: bigint, signal: AbortSignal): Promise<void> | undefined {
    const now = this.clock.monotonic();
    this.#origin ??= { logTime, at: now };
    const ahead = Number(logTime - this.#origin.logTime) / this.speed;
    const waitMs = (ahead - Number(now - this.#origin.at)) / Number(NS_PER_MS);
    if (waitMs < 1) return undefined;
    if (waitMs > LONG_WAIT_MS) this.onLongWait(waitMs);
    return this.#sleep(waitMs, signal);
  }

  /** Timers hold at most 2^31 - 1 milliseconds. */
  async #sleep(waitMs: number, signal: AbortSignal): Promise<void> {
    const most = 2 ** 31 - 1;
    for (let left = waitMs; left > 0; left -= most) await this.clock.sleep(Math.min(left, most), signal);
  }
}
