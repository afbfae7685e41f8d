import type { FieldSpec } from '../../uplink/protocol/field-spec.js';
import type { Database, Queries } from '../database/database.js';
import type { SampleBatch } from './sample-batch.js';

/** Fields of one robot over all time, also with other thresholds and in other vehicles: it bounds what it can make. */
const MAX_FIELDS_OF_ROBOT = 1_024;
/** Runs that are remembered; the database knows the others. */
const MAX_RUNS = 10_000;

const ADD_FIELDS = `
  INSERT INTO fields (robot, vin, topic, path, unit, threshold, period_ns, turn, lowest)
  SELECT $1::text, $4::text, n.topic, n.path, n.unit, n.threshold, n.period_ns, n.turn, n.lowest
  FROM jsonb_to_recordset($2::jsonb) AS n(topic text, path text, unit text, threshold double precision,
    period_ns bigint, turn double precision, lowest double precision)
  WHERE NOT EXISTS (
    SELECT FROM fields f WHERE f.robot = $1 AND f.vin = $4 AND f.topic = n.topic AND f.path = n.path AND f.unit = n.unit
      AND f.threshold = n.threshold AND f.period_ns = n.period_ns AND f.turn = n.turn AND f.lowest = n.lowest)
  LIMIT greatest(0, $3 - (SELECT count(*) FROM fields WHERE robot = $1))
  ON CONFLICT DO NOTHING`;
const FIND_FIELDS =
  'SELECT id, topic, path, unit, threshold, period_ns::text, turn, lowest FROM fields WHERE robot = $1 AND vin = $2';

/** A row of `fields` without its robot and its vehicle. */
interface FieldRow {
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
   * Learns what is new in these batches, in one transaction: a fleet that connects for the first time has thousands
   * of fields, and a commit for each would take longer than its samples can wait.
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
    // In one order, so that two processes never wait for each other.
    const inOrder = <K>(map: ReadonlyMap<K, SampleBatch>): [K, SampleBatch][] =>
      [...map].sort(([, one], [, other]) => (one.robot < other.robot ? -1 : 1));
    const found = await this.#database.transaction(async (queries) => {
      const fields = [];
      for (const [list, batch] of inOrder(lists))
        fields.push([list, await findFields(queries, batch)] as const);
      const ids = [];
      for (const [key, batch] of inOrder(runs)) ids.push([key, await findRun(queries, batch)] as const);
      return { fields, ids };
    });
    for (const [list, ids] of found.fields) {
      const batch = lists.get(list);
      if (batch === undefined) continue;
      this.#remember(batch, ids);
      for (const [i, key] of fieldKeys(batch).entries()) {
        const id = ids[i];
        if (id !== undefined) this.#fields.set(key, id);
      }
    }
    if (this.#runs.size >= MAX_RUNS) this.#runs.clear();
    for (const [key, id] of found.ids) this.#runs.set(key, id);
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

function fieldKeys({ robot, vin = '', fields, tickNs }: SampleBatch): readonly string[] {
  return fields.map((spec) => JSON.stringify([robot, vin, keyOf(rowOf(spec, tickNs))]));
}

const listKey = (batch: SampleBatch): string => JSON.stringify(fieldKeys(batch));

const runKey = ({ robot, run }: SampleBatch): string => `${robot} ${run}`;

async function findFields(
  { query }: Queries,
  { robot, vin = '', fields, tickNs }: SampleBatch,
): Promise<readonly (number | undefined)[]> {
  const rows = fields.map((spec) => rowOf(spec, tickNs));
  await query(ADD_FIELDS, [robot, JSON.stringify(rows), MAX_FIELDS_OF_ROBOT, vin]);
  const found = await query<FieldRow & { readonly id: number }>(FIND_FIELDS, [robot, vin]);
  const ids = new Map(found.map((row) => [keyOf(row), row.id]));
  return rows.map((row) => ids.get(keyOf(row)));
}

async function findRun({ query }: Queries, { robot, run }: SampleBatch): Promise<number> {
  const values = [robot, String(run)];
  await query('INSERT INTO runs (robot, run) VALUES ($1, $2) ON CONFLICT DO NOTHING', values);
  const find = 'SELECT id FROM runs WHERE robot = $1 AND run = $2';
  const [row] = await query<{ id: number }>(find, values);
  return row?.id ?? 0;
}

function rowOf({ topic, path, unit, threshold, everyTicks, circle }: FieldSpec, tickNs: number): FieldRow {
  return {
    ...{ topic, path, unit, threshold, period_ns: String(BigInt(tickNs) * BigInt(everyTicks)) },
    ...{ turn: circle?.period ?? 0, lowest: circle?.lowest ?? 0 },
  };
}

function keyOf({ topic, path, unit, threshold, period_ns: period, turn, lowest }: FieldRow): string {
  return JSON.stringify([topic, path, unit, threshold, period, turn, lowest]);
}
