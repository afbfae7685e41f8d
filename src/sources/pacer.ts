import { nextTurn, type Clock } from '../core/clock.js';

/** Maximum time of work before other work of the process gets its turn. */
const TURN_AFTER_NS = 5_000_000n;
/** Minimum worthwhile sleep; below it, several steps are taken early together. */
const MIN_SLEEP_MS = 1;
/**
 * How far simulated time may fall behind and still catch up. Beyond that it stays behind: after a laptop's
 * sleep the fleet continues from where it was instead of producing hours at once.
 */
const MAX_LAG_US = 2_000_000;

/** Lets simulated time pass at a speed relative to real time. */
export class Pacer {
  readonly #clock: Clock;
  readonly #speed: number;
  #originNs: bigint;
  #turnAtNs: bigint;

  /** @param speed simulated seconds per second; Infinity: never sleep. */
  constructor(clock: Clock, speed: number) {
    this.#clock = clock;
    this.#speed = speed;
    this.#originNs = clock.monotonic();
    this.#turnAtNs = this.#originNs + TURN_AFTER_NS;
  }

  /** Waits until the simulated time (microseconds since the start) is due; false: the signal aborted. */
  async until(simUs: number, signal: AbortSignal): Promise<boolean> {
    if (this.#speed !== Infinity) {
      const aheadUs = simUs / this.#speed - this.#passedUs();
      if (aheadUs < -MAX_LAG_US) this.#originNs += BigInt(Math.floor(-aheadUs - MAX_LAG_US)) * 1_000n;
      if (aheadUs >= MIN_SLEEP_MS * 1_000) {
        await this.#clock.sleep(Math.ceil(aheadUs / 1_000), signal).catch(() => undefined);
        this.#turnAtNs = this.#clock.monotonic() + TURN_AFTER_NS;
      }
    }
    if (!signal.aborted) await this.breathe();
    return !signal.aborted;
  }

  /** Yields to other work if it has been long. */
  async breathe(): Promise<void> {
    if (this.#clock.monotonic() < this.#turnAtNs) return;
    await nextTurn(this.#clock);
    this.#turnAtNs = this.#clock.monotonic() + TURN_AFTER_NS;
  }

  #passedUs(): number {
    return Number((this.#clock.monotonic() - this.#originNs) / 1_000n);
  }
}
