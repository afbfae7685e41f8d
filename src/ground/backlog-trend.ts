/** When a backlog counts as growing. */
export interface BacklogLimits {
  /** The time that is looked at, milliseconds. */
  readonly windowMs: number;
  /** Growth from one third of this time to the next, bytes. */
  readonly growthBytes: number;
}

/** Ten minutes: longer than the saw-tooth of a link that sends one segment after another. */
export const defaultBacklogLimits: BacklogLimits = { windowMs: 600_000, growthBytes: 32 * 1024 * 1024 };

/** Parts of a window, each of which keeps its lowest value: it bounds the memory of a robot. */
const PARTS = 24;

/** Whether the unsynced bytes of one robot grow. */
export class BacklogTrend {
  readonly #windowMs: number;
  /** The lowest value of each part with one, by the number of the part. */
  readonly #lowest = new Map<number, number>();
  #firstMs: number | undefined;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /**
   * Takes the present value. Returns by how many bytes the lowest value grows from one third of the window to the next,
   * the smaller of both growths. It is not positive if the backlog shrinks, rises and falls, or rose in one step.
   * Undefined: the robot was not watched for a whole window, or not in one of its thirds.
   *
   * @param nowMs - On a monotonic clock.
   */
  note(nowMs: number, bytes: number): number | undefined {
    const partMs = this.#windowMs / PARTS;
    const part = Math.floor(nowMs / partMs);
    this.#firstMs ??= nowMs;
    this.#lowest.set(part, Math.min(bytes, this.#lowest.get(part) ?? Infinity));
    for (const one of this.#lowest.keys()) if (one <= part - PARTS) this.#lowest.delete(one);
    if (nowMs - this.#firstMs < this.#windowMs) return undefined;
    const thirds = [3, 2, 1].map((n) => this.#least(part - (n * PARTS) / 3, part - ((n - 1) * PARTS) / 3));
    const [first, second, third] = thirds;
    if (first === undefined || second === undefined || third === undefined) return undefined;
    return Math.min(second - first, third - second);
  }

  /** Of the parts after `from`, up to `to`. */
  #least(from: number, to: number): number | undefined {
    const values = [...this.#lowest].filter(([part]) => part > from && part <= to).map(([, bytes]) => bytes);
    return values.length === 0 ? undefined : Math.min(...values);
  }
}
