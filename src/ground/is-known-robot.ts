import type { Queries } from './database/database.js';

const KNOWN = `
  SELECT EXISTS (SELECT FROM fleet WHERE robot = $1) OR EXISTS (SELECT FROM vehicles WHERE vin = $1)
    OR EXISTS (SELECT FROM holes WHERE robot = $1) OR EXISTS (SELECT FROM fields WHERE robot = $1)
    OR EXISTS (SELECT FROM recordings WHERE robot = $1) AS known`;

/** Where a robot may be known from, beside the database. */
export interface RobotSources {
  /** The name by a name or VIN, of the robots that have connected since the ground started, or that it remembers. */
  readonly nameOf: (robot: string) => string | undefined;
  /** Names of the robots that may connect. */
  readonly enrolled: () => Promise<readonly string[]>;
}

/**
 * Whether a name or VIN is that of a robot, also of one that has not connected since the ground started: the history or
 * the catalogue knows it, or it is enrolled. Rejects as {@link Queries}.
 */
export async function isKnownRobot(
  queries: Queries,
  given: string,
  { nameOf, enrolled }: RobotSources,
): Promise<boolean> {
  if (nameOf(given) !== undefined) return true;
  const [row] = await queries.query<{ known: boolean }>(KNOWN, [given]);
  return row?.known === true || (await enrolled()).includes(given);
}
