import { present } from '../../core/present.js';
/** Maximum points of a track; beyond it, every second step becomes too small to be kept. */
const POINTS_MAX = 3_000;
/** A silence breaks the line if it is longer than this many usual intervals. */
const BREAK_INTERVALS = 8;
/** After this many interruptions of a path, later ones are drawn over. */
const BREAKS_MAX = 500;

/**
 * A path in bounded memory: a point is kept if it lies further than a step from the previous one. If there
 * are too many points, the step grows and the line is thinned. Lengths are summed over all points.
 */
export class TrackLine {
  #x: number[] = [];
  #y: number[] = [];
  #step: number;
  #lastX = NaN;
  #lastY = NaN;
  #firstTime: bigint | undefined;
  #lastTime: bigint | undefined;
  #lengthM = 0;
  #breaks = 0;
  count = 0;

  /**
   * @param step the first one, in the units of the points
   * @param metres length of a step between two points
   * @param breakNs shorter silences never break the line
   */
  constructor(
    step: number,
    readonly metres: (fromX: number, fromY: number, toX: number, toY: number) => number,
    readonly breakNs: bigint,
  ) {
    this.#step = step;
  }

  get lengthM(): number {
    return this.#lengthM;
  }

  add(time: bigint, x: number, y: number): void {
    if (!Number.isFinite(x) || !Number.isFinite(y)) return;
    this.count++;
    if (this.#lastTime !== undefined) {
      if (this.#isBreak(time - this.#lastTime)) {
        this.#breaks++;
        this.#push(this.#lastX, this.#lastY);
        this.#push(NaN, NaN);
        this.#push(x, y);
      } else {
        this.#lengthM += this.metres(this.#lastX, this.#lastY, x, y);
      }
    }
    this.#firstTime ??= time;
    [this.#lastTime, this.#lastX, this.#lastY] = [time, x, y];
    if (this.#isFar(this.#x.at(-1) ?? NaN, this.#y.at(-1) ?? NaN, x, y)) this.#push(x, y);
  }

  /** x and y in turn; the last point is always there. */
  points(): Float64Array {
    const points: number[] = [];
    for (let i = 0; i < this.#x.length; i++) points.push(this.#x[i]!, this.#y[i]!);
    if (this.count > 0 && (points.at(-2) !== this.#lastX || points.at(-1) !== this.#lastY)) {
      points.push(this.#lastX, this.#lastY);
    }
    return Float64Array.from(points);
  }

  /** A silence is long relative to this path, because poses may be rare. */
  #isBreak(silenceNs: bigint): boolean {
    if (silenceNs <= this.breakNs || this.#breaks >= BREAKS_MAX) return false;
    const usualNs = Number(present(this.#lastTime) - present(this.#firstTime)) / Math.max(1, this.count - 2);
    return this.count < 3 || Number(silenceNs) > BREAK_INTERVALS * usualNs;
  }

  #isFar(fromX: number, fromY: number, x: number, y: number): boolean {
    return !(Math.hypot(x - fromX, y - fromY) < this.#step);
  }

  #push(x: number, y: number): void {
    this.#x.push(x);
    this.#y.push(y);
    if (this.#x.length < 2 * POINTS_MAX) return;
    this.#step *= 2;
    const [oldX, oldY] = [this.#x, this.#y];
    [this.#x, this.#y] = [[], []];
    for (let i = 0; i < oldX.length; i++) {
      const far = this.#isFar(this.#x.at(-1) ?? NaN, this.#y.at(-1) ?? NaN, oldX[i]!, oldY[i]!);
      if (!far && !Number.isNaN(oldX[i])) continue;
      this.#x.push(oldX[i]!);
      this.#y.push(oldY[i]!);
    }
  }
}
