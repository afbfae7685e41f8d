import { NS_PER_MS } from '../core/clock.js';
import type { Queries } from './database/database.js';
import { writeTimestamp } from './database/postgres-values.js';

/** An alert of a robot, as a restart of the ground must find it. */
export interface KeptAlert {
  readonly robot: string;
  /** Its id. */
  readonly alert: string;
  readonly raised: boolean;
  /** Milliseconds since the Unix epoch of the last change. */
  readonly sinceMs: number;
  /** Null: unknown, or infinite. */
  readonly value: number | null;
  /** What the webhook took last is that the alert was raised. */
  readonly told: boolean;
}

const SAVE = `
  INSERT INTO fleet_alerts AS a (robot, alert, raised, since, value, told)
  SELECT robot, alert, raised, since, value, told
  FROM jsonb_to_recordset($1::jsonb) AS r(robot text, alert text, raised boolean, since timestamptz,
    value double precision, told boolean)
  ON CONFLICT (robot, alert) DO UPDATE SET raised = excluded.raised, since = excluded.since,
    value = excluded.value, told = excluded.told`;

/** The alerts of a fleet in the database of a ground. */
export class AlertTable {
  readonly #queries: Queries;

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  async load(): Promise<readonly KeptAlert[]> {
    const rows = await this.#queries.query<Omit<KeptAlert, 'sinceMs'> & { since: bigint }>(
      'SELECT robot, alert, raised, since, value, told FROM fleet_alerts ORDER BY robot, alert',
    );
    return rows.map(({ since, ...row }) => ({ ...row, sinceMs: Number(since / NS_PER_MS) }));
  }

  /** An alert that is neither raised nor told is as good as none, and leaves the table. */
  async save(alerts: readonly KeptAlert[]): Promise<void> {
    const kept = alerts.filter(isKept).map(({ sinceMs, ...rest }) => ({
      ...rest,
      since: writeTimestamp(BigInt(Math.round(sinceMs)) * NS_PER_MS),
    }));
    const gone = alerts.filter((one) => !isKept(one));
    if (kept.length > 0) await this.#queries.query(SAVE, [JSON.stringify(kept)]);
    if (gone.length === 0) return;
    await this.#queries.query(
      'DELETE FROM fleet_alerts WHERE (robot, alert) IN (SELECT unnest($1::text[]), unnest($2::text[]))',
      [gone.map(({ robot }) => robot), gone.map(({ alert }) => alert)],
    );
  }
}

function isKept({ raised, told }: KeptAlert): boolean {
  return raised || told;
}
