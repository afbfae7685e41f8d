import { NS_PER_S } from '../core/clock.js';

/** What one robot may send in each second, so that it cannot hurt the others. */
const MAX_MESSAGES_PER_S = 100;
const MAX_BYTES_PER_S = 1024 * 1024;
/** Live values of single fields: a few bytes can stand for many. A recorder sends at most 256 fields at 10 Hz. */
const MAX_VALUES_PER_S = 10_000;
/** The allowance of so many seconds may be used at once. */
const BURST_S = 5;
const BURST_NS = BigInt(BURST_S) * NS_PER_S;

/** Counts what a robot sends on one connection against what it may send. Times are monotonic, nanoseconds. */
export class RobotAllowance {
  #began: bigint;
  #messages = 0;
  #bytes = 0;
  #values = 0;

  constructor(nowNs: bigint) {
    this.#began = nowNs;
  }

  /** Counts a message; false: the robot has sent too many, or too many bytes. */
  takeMessage(bytes: number, nowNs: bigint): boolean {
    if (nowNs - this.#began >= BURST_NS) {
      this.#began = nowNs;
      this.#messages = this.#bytes = this.#values = 0;
    }
    this.#messages++;
    this.#bytes += bytes;
    return this.#messages <= BURST_S * MAX_MESSAGES_PER_S && this.#bytes <= BURST_S * MAX_BYTES_PER_S;
  }

  /** Counts the live values of the message that was taken last; false: they are too many. */
  takeValues(values: number): boolean {
    this.#values += values;
    return this.#values <= BURST_S * MAX_VALUES_PER_S;
  }
}
