/** A larger change of the transit time means that a clock was set. */
const CLOCK_STEP_NS = 1_000_000_000n;
const NS_PER_MS = 1e6;

export interface Latency {
  readonly min: number;
  readonly mean: number;
  readonly max: number;
}

/** Transit times of one sender's datagrams, which include the difference of the two clocks. */
export class LinkMeter {
  clockSteps = 0;
  #jitterNs: number | undefined;
  #lastNs: bigint | undefined;
  #count = 0;
  #sumMs = 0;
  #minMs = Infinity;
  #maxMs = -Infinity;

  add(sentNs: bigint, receivedNs: bigint): void {
    const transitNs = receivedNs - sentNs;
    if (this.#lastNs !== undefined) {
      const change = transitNs - this.#lastNs;
      const size = change < 0n ? -change : change;
      if (size >= CLOCK_STEP_NS) this.clockSteps++;
      // RFC 3550, 6.4.1: a running mean with a weight of 1/16.
      else {
        const before = this.#jitterNs ?? 0;
        this.#jitterNs = before + (Number(size) - before) / 16;
      }
    }
    this.#lastNs = transitNs;
    const ms = Number(transitNs) / NS_PER_MS;
    this.#count++;
    this.#sumMs += ms;
    this.#minMs = Math.min(this.#minMs, ms);
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  get jitterMs(): number | null {
    return this.#jitterNs === undefined ? null : rounded(this.#jitterNs / NS_PER_MS);
  }

  /** Of the datagrams since the last call; null: there were none. */
  takeLatency(): Latency | null {
    if (this.#count === 0) return null;
    const latency = {
      min: rounded(this.#minMs),
      mean: rounded(this.#sumMs / this.#count),
      max: rounded(this.#maxMs),
    };
    this.#count = this.#sumMs = 0;
    this.#minMs = Infinity;
    this.#maxMs = -Infinity;
    return latency;
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1e3) / 1e3;
}
