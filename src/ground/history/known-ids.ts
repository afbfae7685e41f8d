import type { FieldSpec } from '../../uplink/protocol/field-spec.js';
import type { Database, Queries } from '../database/database.js';
import type { SampleBatch } from './sample-batch.js';

/** Fields of one robot over all time, also with other thresholds and in other vehicles: it bounds what it can make. */
const MAX_FIELDS_OF_ROBOT = 1_024;
/** Runs that are remembered; the database knows the others. */
const MAX_RUNS = 10_000;

/** Fields of one statement: a megabyte or two of parameters. */
const FIELDS_AT_ONCE = 10_000;

const COLUMNS = 'robot, vin, topic, path, unit, threshold, period_ns, turn, lowest';
const SAME_FIELD = COLUMNS.split(', ')
  .map((name) => `f.${name} = n.${name}`)
  .join(' AND ');
/** Up to $2 fields of each robot, in the order in which they are given. */
const ADD_FIELDS = `
  INSERT INTO fields (${COLUMNS})
  SELECT ${COLUMNS} FROM (
    SELECT n.*, row_number() OVER (PARTITION BY robot ORDER BY place) AS number FROM (
      SELECT ${COLUMNS}, min(place) AS place
      FROM jsonb_to_recordset($1::jsonb) AS g(robot text, vin text, topic text, path text, unit text,
        threshold double precision, period_ns bigint, turn double precision, lowest double precision, place integer)
      GROUP BY ${COLUMNS}) n
    WHERE NOT EXISTS (SELECT FROM fields f WHERE ${SAME_FIELD})) new
  WHERE number <= $2 - (SELECT count(*) FROM fields f WHERE f.robot = new.robot)
  ORDER BY robot, place
  ON CONFLICT DO NOTHING`;
const FIND_FIELDS = `
  SELECT id, robot, vin, topic, path, unit, threshold, period_ns::text, turn, lowest
  FROM fields JOIN (SELECT DISTINCT robot, vin FROM unnest($1::text[], $2::text[]) AS g(robot, vin)) given
  USING (robot, vin)`;
const ADD_RUNS = `
  INSERT INTO runs (robot, run) SELECT robot, run FROM unnest($1::text[], $2::numeric[]) AS g(robot, run)
  ORDER BY robot, run
  ON CONFLICT DO NOTHING`;
const FIND_RUNS = `
  SELECT id, robot, run::text
  FROM runs JOIN unnest($1::text[], $2::numeric[]) AS g(robot, run) USING (robot, run)`;

/** A row of `fields`. */
interface FieldRow {
  readonly robot: string;
  readonly vin: string;
  readonly topic: string;
  readonly path: string;
  readonly unit: string;
  readonly threshold: number;
  /** Decimal. */
  readonly period_ns: string;
  readonly turn: number;
  readonly lowest: number;
}

/** The numbers of fields and runs in the database. */
export class KnownIds {
  readonly #database: Database;
  readonly #byList = new WeakMap<readonly FieldSpec[], FieldIds>();
  /** By robot, vehicle and field; a catalogue that comes again is another list. */
  readonly #fields = new Map<string, number>();
  readonly #runs = new Map<string, number>();

  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * Learns what is new in these batches, in one transaction of a few statements: a fleet that connects for the first
   * time has thousands of fields. A statement for each robot would take longer than its samples can wait, because
   * every answer of the database waits for its turn among the messages of the fleet.
   */
  async learn(batches: readonly SampleBatch[]): Promise<void> {
    const lists = new Map<string, SampleBatch>();
    const runs = new Map<string, SampleBatch>();
    for (const batch of batches) {
      if (this.#knownOf(batch) === undefined && !this.#remembers(batch)) lists.set(listKey(batch), batch);
      const key = runKey(batch);
      if (!this.#runs.has(key)) runs.set(key, batch);
    }
    if (lists.size === 0 && runs.size === 0) return;
    const found = await this.#database.transaction(async (queries) => ({
      fields: await findFields(queries, inOrder(lists.values())),
      runs: await findRuns(queries, inOrder(runs.values())),
    }));
    for (const batch of lists.values()) {
      const keys = fieldKeys(batch);
      const ids = keys.map((key) => found.fields.get(key));
      this.#remember(batch, ids);
      for (const [i, key] of keys.entries()) {
        const id = ids[i];
        if (id !== undefined) this.#fields.set(key, id);
      }
    }
    if (this.#runs.size >= MAX_RUNS) this.#runs.clear();
    for (const [key, id] of found.runs) this.#runs.set(key, id);
  }

  /** Another list of the same fields. */
  #remembers(batch: SampleBatch): boolean {
    const ids = fieldKeys(batch).map((key) => this.#fields.get(key));
    if (ids.includes(undefined)) return false;
    this.#remember(batch, ids);
    return true;
  }

  /** Of the vehicle that the batch is of: the same list may come from another one later. */
  #knownOf({ fields, vin = '' }: SampleBatch): FieldIds['ids'] | undefined {
    const known = this.#byList.get(fields);
    return known?.vin === vin ? known.ids : undefined;
  }

  #remember({ fields, vin = '' }: SampleBatch, ids: FieldIds['ids']): void {
    this.#byList.set(fields, { vin, ids });
  }

  /** The number of each field of a batch; undefined: the robot has too many. */
  async fieldsOf(batch: SampleBatch): Promise<readonly (number | undefined)[]> {
    const known = this.#knownOf(batch);
    if (known !== undefined) return known;
    await this.learn([batch]);
    return this.#knownOf(batch) ?? [];
  }

  async runOf(batch: SampleBatch): Promise<number> {
    const known = this.#runs.get(runKey(batch));
    if (known !== undefined) return known;
    await this.learn([batch]);
    return this.#runs.get(runKey(batch)) ?? 0;
  }
}

/** The numbers of the fields of a list, of one vehicle. */
interface FieldIds {
  readonly vin: string;
  /** Undefined: the robot has too many fields. */
  readonly ids: readonly (number | undefined)[];
}

/** In one order, so that two processes never wait for each other. */
function inOrder(batches: Iterable<SampleBatch>): SampleBatch[] {
  return [...batches].sort((one, other) => (one.robot < other.robot ? -1 : 1));
}

function fieldKeys(batch: SampleBatch): readonly string[] {
  return fieldRows(batch).map(keyOf);
}

const listKey = (batch: SampleBatch): string => JSON.stringify(fieldKeys(batch));

const runKey = ({ robot, run }: Pick<SampleBatch, 'robot' | 'run'>): string => `${robot} ${run}`;

/** The numbers of the fields of these batches by their keys; absent: the robot has too many. */
async function findFields(
  { query }: Queries,
  batches: readonly SampleBatch[],
): Promise<ReadonlyMap<string, number>> {
  const ids = new Map<string, number>();
  const rows = batches.flatMap(fieldRows);
  for (let at = 0; at < rows.length; at += FIELDS_AT_ONCE) {
    const some = rows.slice(at, at + FIELDS_AT_ONCE);
    const placed = some.map((row, place) => ({ ...row, place }));
    await query(ADD_FIELDS, [JSON.stringify(placed), MAX_FIELDS_OF_ROBOT]);
    const owners = [some.map(({ robot }) => robot), some.map(({ vin }) => vin)];
    const found = await query<FieldRow & { readonly id: number }>(FIND_FIELDS, owners);
    for (const row of found) ids.set(keyOf(row), row.id);
  }
  return ids;
}

/** The numbers of the runs of these batches by their keys. */
async function findRuns(
  { query }: Queries,
  batches: readonly SampleBatch[],
): Promise<ReadonlyMap<string, number>> {
  if (batches.length === 0) return new Map();
  const values = [batches.map(({ robot }) => robot), batches.map(({ run }) => String(run))];
  await query(ADD_RUNS, values);
  const found = await query<{ id: number; robot: string; run: string }>(FIND_RUNS, values);
  return new Map(found.map(({ id, robot, run }) => [runKey({ robot, run: BigInt(run) }), id]));
}

function fieldRows({ robot, vin = '', fields, tickNs }: SampleBatch): FieldRow[] {
  return fields.map(({ topic, path, unit, threshold, everyTicks, circle }) => ({
    ...{ robot, vin, topic, path, unit, threshold },
    period_ns: String(BigInt(tickNs) * BigInt(everyTicks)),
    ...{ turn: circle?.period ?? 0, lowest: circle?.lowest ?? 0 },
  }));
}

function keyOf({ robot, vin, topic, path, unit, threshold, period_ns: period, ...field }: FieldRow): string {
  return JSON.stringify([robot, vin, topic, path, unit, threshold, period, field.turn, field.lowest]);
}
