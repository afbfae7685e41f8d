import type { Random } from '../../core/random.js';
import { definitionOf, type Field } from './fields.js';
import type { Row } from './row-reader.js';

export interface Variation {
  /** Metres to the right of the vehicle of the log. */
  readonly rightM: number;
  /** Multiplies the noise of every field; 0: none. */
  readonly noise: number;
}

const METRES_PER_DEGREE = 111_320;

/** The row of another vehicle on the same route: beside it, and measured by other sensors. */
export function varied(row: Row, { rightM, noise }: Variation, random: Random): Row {
  const values = { ...row.values };
  for (const [field, value] of Object.entries(values) as [Field, number][]) {
    const { noise: deviation, min = -Infinity, max = Infinity } = definitionOf(field);
    if (deviation === 0 || noise === 0) continue;
    // A standing vehicle does not shake: zero stays zero.
    const share = Math.min(1, Math.abs(value));
    values[field] = Math.min(max, Math.max(min, value + deviation * noise * share * random.noise()));
  }
  const [east, north] = sideways(row, rightM);
  if (values.x !== undefined) values.x += east;
  if (values.y !== undefined) values.y += north;
  if (values.latitude !== undefined && values.longitude !== undefined) {
    const shrink = Math.cos((values.latitude * Math.PI) / 180);
    // Each receiver is off by about half a metre.
    const [aside, along] =
      noise === 0 ? [0, 0] : [0.5 * noise * random.noise(), 0.5 * noise * random.noise()];
    values.longitude += (east + aside) / (METRES_PER_DEGREE * Math.max(0.01, shrink));
    values.latitude += (north + along) / METRES_PER_DEGREE;
  }
  return { ...row, values };
}

/** Metres east and north; without a heading, to the east. */
function sideways({ values }: Row, rightM: number): readonly [number, number] {
  const heading = values.heading ?? (values.yaw === undefined ? 0 : Math.PI / 2 - values.yaw);
  if (Number.isNaN(heading)) return [rightM, 0];
  return [rightM * Math.cos(heading), -rightM * Math.sin(heading)];
}
