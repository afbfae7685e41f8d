/** Metres of one degree of latitude, on a sphere with the mean radius of the Earth (6,371,008.8 m). */
const METRES_PER_DEGREE = 111_195.080_233_532_9;

/** The nearest number with this many decimals; NaN and infinities stay. */
export function toDecimals(value: number, decimals: number): number {
  return Number.isFinite(value) ? Number(value.toFixed(decimals)) : value;
}

/** The nearest multiple of a step. */
export function toStep(value: number, step: number): number {
  return Number.isFinite(value) ? Math.round(value / step) * step : value;
}

/**
 * The nearest point of a grid of degrees, whose points are this many metres apart in both directions. What comes out
 * depends on the cell only. Without a latitude there is no grid for the longitude, so it becomes NaN.
 */
export function toGrid(latitude: number, longitude: number, metres: number): readonly [number, number] {
  const step = metres / METRES_PER_DEGREE;
  const row = Math.min(90, Math.max(-90, toStep(latitude, step)));
  if (!Number.isFinite(latitude)) return [NaN, NaN];
  const degrees = step / Math.max(Math.cos((row * Math.PI) / 180), 1e-9);
  // Near the poles one cell is the whole circle.
  const column = degrees >= 360 ? 0 : toStep(longitude, degrees);
  return [row, column > 180 ? column - 360 : column < -180 ? column + 360 : column];
}
