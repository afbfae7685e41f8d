import { difference } from '../../uplink/protocol/circle.js';
import type { FieldSpec } from '../../uplink/protocol/field-spec.js';

/** A value that stays within its threshold is written at least so often, while messages come. */
export const KEEP_NS = 10_000_000_000n;

/** One value of a field, at the log time of its message. */
export interface TimedValue {
  /** Nanoseconds since the Unix epoch. */
  readonly timeNs: bigint;
  readonly value: number;
}

/**
 * Chooses which values of one field are written: the first and the last of a segment, and between them those that differ
 * from the last written one by more than the threshold, at most at the rate of the rule, or after {@link KEEP_NS}. It
 * changes no value and no time. The choice depends on the segment alone.
 */
export class FieldThinner {
  readonly #spec: FieldSpec;
  readonly #intervalNs: bigint;
  #written: TimedValue | undefined;
  /** The latest value, if it was not written. */
  #left: TimedValue | undefined;
  #dueNs = 0n;

  /** @param tickNs - Of `everyTicks` of the field. */
  constructor(spec: FieldSpec, tickNs: number) {
    this.#spec = spec;
    this.#intervalNs = BigInt(spec.everyTicks) * BigInt(tickNs);
  }

  /** Whether the value of the next message is written. One that is not finite never is. */
  take(timeNs: bigint, value: number): boolean {
    if (!Number.isFinite(value)) return false;
    const isWanted = this.#isWanted(timeNs, value);
    if (isWanted) {
      // A message may come a little early; on average the rate holds.
      const early = timeNs - this.#intervalNs / 4n;
      this.#dueNs = (this.#dueNs > early ? this.#dueNs : early) + this.#intervalNs;
      this.#written = { timeNs, value };
    }
    this.#left = isWanted ? undefined : { timeNs, value };
    return isWanted;
  }

  /** The last value of the segment, if it was not written. */
  end(): TimedValue | undefined {
    const left = this.#left;
    this.#left = undefined;
    return left;
  }

  #isWanted(timeNs: bigint, value: number): boolean {
    if (this.#written === undefined) return true;
    if (timeNs < this.#dueNs - this.#intervalNs / 4n) return false;
    const { threshold, circle } = this.#spec;
    const isFar = Math.abs(difference(value, this.#written.value, circle)) > threshold;
    return isFar || timeNs - this.#written.timeNs >= KEEP_NS;
  }
}
