import type { Problem } from '../../recordings/segments.js';
import type { QueryTable } from './view-plan.js';
import type { ViewFiles } from './query-engine.js';

/** The tables of a query: topics of an export, of recordings, or folders of Parquet. */
export interface QuerySource extends AsyncDisposable {
  readonly tables: readonly QueryTable[];
  /** Columns with the time of a row; the existing one is used. */
  readonly timeColumns: readonly string[];
  /** Makes the rows of these tables readable: nothing for an export, an export of these topics for recordings. */
  prepare(tables: readonly QueryTable[]): Promise<PreparedTables>;
}

export interface PreparedTables {
  /** The files of a view of some of the prepared tables. */
  filesOf(tables: readonly QueryTable[]): ViewFiles;
  /** Everything requested could be read and decoded. */
  readonly ok: boolean;
  /** What the tables do not hold, by topic or file. */
  readonly remarks: readonly Problem[];
}

/** Which robots and topics, as they were given; `*` stands for any text, and a robot may be given by its VIN. */
export interface NameFilter {
  readonly robots?: readonly string[];
  readonly topics?: readonly string[];
}
