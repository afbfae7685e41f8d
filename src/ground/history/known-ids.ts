import type { FieldSpec } from '../../uplink/protocol/field-spec.js';
import type { Queries } from '../database/database.js';
import type { SampleBatch } from './sample-batch.js';

/** Fields of one robot over all time, also those with other thresholds: it bounds what one robot can make. */
const MAX_FIELDS_OF_ROBOT = 1_024;
/** Runs that are remembered; the database knows the others. */
const MAX_RUNS = 10_000;

/** The numbers of fields and runs in the database. */
export class KnownIds {
  readonly #queries: Queries;
  readonly #byList = new WeakMap<readonly FieldSpec[], readonly (number | undefined)[]>();
  readonly #fields = new Map<string, number>();
  readonly #runs = new Map<string, number>();

  constructor(queries: Queries) {
    this.#queries = queries;
  }

  /** The number of each field of a batch; undefined: the robot has too many. */
  async fieldsOf({ robot, fields, tickNs }: SampleBatch): Promise<readonly (number | undefined)[]> {
    const known = this.#byList.get(fields);
    if (known !== undefined) return known;
    const ids: (number | undefined)[] = [];
    for (const field of fields) ids.push(await this.#field(robot, field, tickNs));
    this.#byList.set(fields, ids);
    return ids;
  }

  async runOf({ robot, run }: SampleBatch): Promise<number> {
    const key = `${robot} ${run}`;
    const known = this.#runs.get(key);
    if (known !== undefined) return known;
    const values = [robot, String(run)];
    await this.#queries.query('INSERT INTO runs (robot, run) VALUES ($1, $2) ON CONFLICT DO NOTHING', values);
    const find = 'SELECT id FROM runs WHERE robot = $1 AND run = $2';
    const [row] = await this.#queries.query<{ id: number }>(find, values);
    const id = row?.id ?? 0;
    if (this.#runs.size >= MAX_RUNS) this.#runs.clear();
    this.#runs.set(key, id);
    return id;
  }

  async #field(robot: string, spec: FieldSpec, tickNs: number): Promise<number | undefined> {
    const { topic, path, unit, threshold, everyTicks, circle } = spec;
    const period = String(BigInt(tickNs) * BigInt(everyTicks));
    const values = [robot, topic, path, unit, threshold, period, circle?.period ?? 0, circle?.lowest ?? 0];
    const key = JSON.stringify(values);
    const known = this.#fields.get(key);
    if (known !== undefined) return known;
    await this.#queries.query(
      'INSERT INTO fields (robot, topic, path, unit, threshold, period_ns, turn, lowest) ' +
        'SELECT $1::text, $2, $3, $4, $5, $6::bigint, $7, $8 ' +
        'WHERE (SELECT count(*) FROM fields WHERE robot = $1) < $9 ON CONFLICT DO NOTHING',
      [...values, MAX_FIELDS_OF_ROBOT],
    );
    const [row] = await this.#queries.query<{ id: number }>(
      'SELECT id FROM fields WHERE robot = $1 AND topic = $2 AND path = $3 AND unit = $4 AND threshold = $5 ' +
        'AND period_ns = $6 AND turn = $7 AND lowest = $8',
      values,
    );
    if (row !== undefined) this.#fields.set(key, row.id);
    return row?.id;
  }
}
