import type { Queries } from './database/database.js';
import { writeTimestamp } from './database/postgres-values.js';
import type { KnownRobot } from './known-robot.js';

const SAVE = `
  INSERT INTO fleet AS f (robot, vin, version, heard_at, status, alerts, position, reported_at, clock_behind_s)
  SELECT robot, vin, version, heard_at, status, alerts, position, reported_at, "clockBehindS"
  FROM jsonb_to_recordset($1::jsonb) AS r(robot text, vin text, version text, heard_at timestamptz, status jsonb,
    alerts jsonb, position jsonb, reported_at timestamptz, "clockBehindS" double precision)
  ORDER BY robot
  ON CONFLICT (robot) DO UPDATE SET vin = excluded.vin, version = excluded.version, heard_at = excluded.heard_at,
    status = excluded.status, alerts = excluded.alerts, position = excluded.position,
    reported_at = excluded.reported_at, clock_behind_s = excluded.clock_behind_s
  WHERE excluded.heard_at >= f.heard_at`;
const LOAD = `
  SELECT robot, vin, version, heard_at AS "heardAtNs", status, alerts, position, reported_at AS "reportedAtNs",
    clock_behind_s AS "clockBehindS"
  FROM fleet ORDER BY robot`;

/** The robots that have ever connected, in the database of a ground. */
export class FleetTable {
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  load(): Promise<readonly KnownRobot[]> {
    return this.#queries.query<KnownRobot>(LOAD);
  }

  /** Of two processes, the one that heard a robot last knows more. */
  async save(robots: readonly KnownRobot[]): Promise<void> {
    const rows = robots.map(({ heardAtNs, reportedAtNs, status, ...rest }) => ({
      ...rest,
      // An absent member is one that is NULL.
      ...(status === null ? {} : { status }),
      heard_at: writeTimestamp(heardAtNs),
      ...(reportedAtNs === null ? {} : { reported_at: writeTimestamp(reportedAtNs) }),
    }));
    await this.#queries.query(SAVE, [JSON.stringify(rows)]);
  }

  async forget(robots: readonly string[]): Promise<void> {
    await this.#queries.query('DELETE FROM fleet WHERE robot = ANY($1::text[])', [[...robots]]);
  }
}
