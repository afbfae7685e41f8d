import type { RowGroup } from 'hyparquet';
import { matches } from '../../core/name-pattern.js';
import type { DeletionRequest } from '../../deletion/deletion-request.js';
import type { LegalHold } from '../../deletion/legal-hold.js';
import { rowsOf, type MergeInput, type Row, type ZstdCodec } from './merge-tables.js';

/** The columns that decide; every table of a lake has them. */
const COLUMNS = ['log_time', 'robot', 'topic'];
const text = new TextDecoder();

/** What a request names in one file. */
export interface NamedRows {
  /** All of the file. */
  readonly rows: number;
  /** Those that go. */
  readonly named: number;
  /** Those that a legal hold keeps, and the first such hold. */
  readonly held: number;
  readonly hold?: LegalHold;
  /** Log times of those that go, nanoseconds since the Unix epoch. */
  readonly first: bigint;
  readonly last: bigint;
}

/** `goes`: the request names the row. `held`: it does, and a hold lies on its time. */
export function judgeRow(
  row: Row,
  { robot, from, to, topics }: DeletionRequest,
  holds: readonly LegalHold[],
): 'goes' | 'stays' | LegalHold {
  const time = row['log_time'];
  if (typeof time !== 'bigint' || time < from || time > to) return 'stays';
  if (textOf(row['robot']) !== robot || !matches(topics, textOf(row['topic']) ?? '')) return 'stays';
  const hold = holds.find(
    (one) =>
      one.released === undefined && one.robot === robot && BigInt(one.from) <= time && BigInt(one.to) >= time,
  );
  return hold ?? 'goes';
}

/** Counts the rows of a file. Reads three columns of the row groups of the time, and the footer. */
export async function findNamedRows(
  input: MergeInput,
  rows: number,
  request: DeletionRequest,
  holds: readonly LegalHold[],
  zstd: ZstdCodec,
): Promise<NamedRows> {
  let [named, held] = [0, 0];
  let hold: LegalHold | undefined;
  let [first, last] = [0n, 0n];
  const group = (one: RowGroup): boolean => mayHave(one, request);
  for await (const row of rowsOf(input, zstd, { columns: COLUMNS, group })) {
    const verdict = judgeRow(row, request, holds);
    if (verdict === 'stays') continue;
    if (verdict !== 'goes') {
      held++;
      hold ??= verdict;
      continue;
    }
    const time = row['log_time'] as bigint;
    if (named === 0 || time < first) first = time;
    if (named === 0 || time > last) last = time;
    named++;
  }
  return { rows, named, held, first, last, ...(hold ? { hold } : {}) };
}

/** By the statistics of the column of log times; without them every row is read. */
function mayHave({ columns }: RowGroup, { from, to }: DeletionRequest): boolean {
  const meta = columns.find(({ meta_data: one }) => one?.path_in_schema[0] === 'log_time')?.meta_data;
  const { min_value: min, max_value: max } = meta?.statistics ?? {};
  if (typeof min !== 'bigint' || typeof max !== 'bigint') return true;
  return min <= to && max >= from;
}

function textOf(value: Row[string]): string | undefined {
  return value instanceof Uint8Array ? text.decode(value) : typeof value === 'string' ? value : undefined;
}
