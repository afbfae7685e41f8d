import { silentLogger } from '../src/core/logger.js';
import { NS_PER_S } from '../src/core/clock.js';
import type { Database } from '../src/ground/database/database.js';
import { migrate } from '../src/ground/database/migrate.js';
import { migrations } from '../src/ground/database/migrations.js';
import { PostgresDatabase } from '../src/ground/database/postgres-database.js';
import { historyTables } from '../src/ground/history/history-tables.js';
import { insertSamples } from '../src/ground/history/insert-samples.js';
import { createMonth, monthOf } from '../src/ground/history/months.js';
import { SampleRows } from '../src/ground/history/sample-rows.js';
import { prepareTimescale } from '../src/ground/history/timescale.js';
import { renderTable } from '../src/host/human.js';
import { PostgresServer, timescalePrograms } from '../test/support/postgres.js';
import type { BenchContext, BenchReport } from './bench-context.js';
import { fieldSpecs, valuesAt } from './ground/fleet-values.js';

const ROBOTS = 200;
/** Of ten samples each. */
const SECONDS = 150;
const TICKS_PER_S = 10;
const TICK_NS = NS_PER_S / BigInt(TICKS_PER_S);
/** The beginning of a day. */
const START_NS = BigInt(Date.UTC(2026, 10, 2)) * 1_000_000n;

interface Kept {
  readonly rowsPerS: number;
  /** Samples, their index, and all roll-ups. */
  readonly bytesPerRow: number;
  readonly compressedBytesPerRow?: number;
}

/** The history in months of PostgreSQL and in hypertables of TimescaleDB, on one external server. */
export async function benchHistory({ scale, say }: BenchContext): Promise<BenchReport> {
  const programs = timescalePrograms();
  const isThere = !('missing' in programs);
  await using server = await PostgresServer.start(isThere ? programs : undefined);
  const seconds = Math.max(2, Math.round(SECONDS * scale));
  const results: Record<string, Kept> = {
    months: await keep(await server.createDatabase('months'), seconds),
  };
  if (isThere) results['TimescaleDB'] = await keep(await server.createDatabase('hyper'), seconds, true);
  const heads = ['', 'rows/s', 'bytes per row', 'compressed'].map((head, i) => ({ head, right: i > 0 }));
  const rows = Object.entries(results).map(([name, one]) => [
    ...[name, Math.round(one.rowsPerS).toLocaleString('en'), one.bytesPerRow.toFixed(0)],
    one.compressedBytesPerRow?.toFixed(1) ?? '',
  ]);
  say(
    `\nhistory: ${ROBOTS} robots, ${fieldSpecs.length} fields at 10 samples/s, ${seconds} s, with roll-ups`,
  );
  for (const line of renderTable(heads, rows)) say(line);
  if (!isThere) say(`TimescaleDB is not on this machine: ${programs.missing}`);
  return { results, misses: [] };
}

async function keep(url: string, seconds: number, isTimescale = false): Promise<Kept> {
  await using database = await PostgresDatabase.connect({ url }, silentLogger);
  if (isTimescale) await database.query('CREATE EXTENSION timescaledb SCHEMA public');
  await migrate(database, migrations, silentLogger);
  await prepareTimescale(database, 'auto', silentLogger);
  await createMonth(database, monthOf(START_NS));
  await database.query(
    'INSERT INTO fields (robot, topic, path, unit, threshold, period_ns, turn, lowest) ' +
      "SELECT 'robot', '/state', n::text, '', 1, 100000000, 0, 0 FROM generate_series(1, $1::integer) AS n",
    [ROBOTS * fieldSpecs.length],
  );
  const empty = await sizeOf(database);
  const began = performance.now();
  let stored = 0;
  for (let second = 0; second < seconds; second++) stored += await insertSamples(database, rowsOf(second));
  const rowsPerS = (stored * 1_000) / (performance.now() - began);
  const perRow = async (): Promise<number> => ((await sizeOf(database)) - empty) / stored;
  const bytesPerRow = await perRow();
  if (!isTimescale) return { rowsPerS, bytesPerRow };
  for (const table of historyTables)
    await database.query(`SELECT public.compress_chunk(c) FROM public.show_chunks('${table}') c`);
  return { rowsPerS, bytesPerRow, compressedBytesPerRow: await perRow() };
}

/** A second of all robots; values are multiples of a quantum, as the ground gets them. */
function rowsOf(second: number): SampleRows {
  const rows = new SampleRows(ROBOTS * fieldSpecs.length * TICKS_PER_S);
  for (let robot = 0; robot < ROBOTS; robot++) {
    for (let tick = second * TICKS_PER_S; tick < (second + 1) * TICKS_PER_S; tick++) {
      const timeNs = START_NS + BigInt(tick) * TICK_NS;
      rows.setTime(timeNs);
      for (const [i, value] of valuesAt(robot, Number(timeNs / 1_000_000n)).entries()) {
        const { quantum = 1 } = fieldSpecs[i] ?? {};
        rows.add(robot * fieldSpecs.length + i + 1, robot + 1, tick, Math.round(value / quantum) * quantum);
      }
    }
  }
  return rows;
}

async function sizeOf(database: Database): Promise<number> {
  const [row] = await database.query<{ bytes: number }>(
    'SELECT pg_database_size(current_database()) AS bytes',
  );
  return row?.bytes ?? 0;
}
