import { describeError, HoldfastError } from '../../core/errors.js';
import { present } from '../../core/present.js';
import type { MessageKind } from '../../exporters/columns/message-table.js';
import type { SystemPorts } from '../../host/ports.js';
import { version } from '../../host/version.js';
import { topicColumns } from '../export/export-manifest.js';
import { robotOf } from '../export/export-groups.js';
import type { ExportOptions } from '../export/export-options.js';
import { remarksOf } from '../export/export-remarks.js';
import { inspectSegments } from '../export/inspect.js';
import { FolderPlace } from '../export/folder-place.js';
import { parseExportOptions } from '../export/parse-export-options.js';
import { runExport } from '../export/run-export.js';
import type { Problem, Segment } from '../../recordings/segments.js';
import { EmptyTables } from './empty-tables.js';
import { exportSource } from './export-folder.js';
import type { PreparedTables, QuerySource } from './query-source.js';
import type { QueryTable } from './view-plan.js';

/** The disk is never filled beyond this: other programs need room too. */
export const KEEP_FREE_BYTES = 256 * 1024 * 1024;
const WATCH_INTERVAL_MS = 250;

export interface TemporaryExportRequest {
  readonly from: string;
  readonly segments: readonly Segment[];
  /** Faults found while they were located. */
  readonly listingProblems: readonly Problem[];
  /** `robots`, `topics`, `fromTime`, `toTime`, `robotName` as on the command line of export. */
  readonly filter: Readonly<Record<string, unknown>>;
  /** Where the export goes: to be removed afterwards, or kept. */
  readonly folder: string;
  readonly ports: SystemPorts;
  readonly signal: AbortSignal;
  readonly onProblem: (problem: Problem) => void;
  readonly onProgress: (phase: 'planning' | 'exporting', done: number, total: number) => void;
}

/** Recordings as tables: a topic is exported as Parquet when a query names it. */
export async function recordingSource(request: TemporaryExportRequest): Promise<QuerySource> {
  const { segments, signal, filter } = request;
  const options = exportOptions(filter);
  const inspected = await inspectSegments(segments, {
    filter: options.filter,
    // The export reports them, if it is of these topics.
    onProblem: () => {},
    onProgress: (done, total) => request.onProgress('planning', done, total),
    signal,
  });
  const schemas = topicColumns(inspected, options);
  const tables = new Map<string, RecordedTable>();
  for (const { channels, robot: said } of inspected) {
    for (const { topic, encoding, schema } of channels) {
      const robot = robotOf(said, topic, options);
      const key = JSON.stringify([robot, topic, schema.name]);
      const known = tables.get(key);
      if (known !== undefined) known.kinds.push({ encoding, schema });
      else {
        const columns = schemas.get(key)?.columns ?? [];
        tables.set(key, { robot, topic, type: schema.name, columns, kinds: [{ encoding, schema }] });
      }
    }
  }
  return {
    tables: [...tables.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)),
    timeColumns: ['log_time'],
    async prepare(wanted) {
      if (wanted.length === 0) return { ok: true, remarks: [], filesOf: () => ({ files: [], hive: false }) };
      const topics = [...new Set(wanted.map(({ topic }) => topic))].sort();
      const report = await exportTopics(request, topics);
      const source = await exportSource(request.folder, report.manifest, {});
      const prepared = await source.prepare(wanted);
      const tables = await withEmptyTables(prepared, wanted as readonly RecordedTable[], request);
      return { ...tables, ok: report.ok, remarks: remarksOf(report) };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A topic of the recordings, with every kind of message that its channels have. */
interface RecordedTable extends QueryTable {
  readonly kinds: MessageKind[];
}

/** Writes an empty file for tables without a file. */
async function withEmptyTables(
  prepared: PreparedTables,
  wanted: readonly RecordedTable[],
  { folder, ports }: TemporaryExportRequest,
): Promise<PreparedTables> {
  const empty = new EmptyTables(ports.fs, folder);
  const paths = new Map<QueryTable, string>();
  for (const table of wanted) {
    if (prepared.filesOf([table]).files.length === 0) paths.set(table, await empty.write(table.kinds));
  }
  return {
    ...prepared,
    filesOf: (tables) => {
      const found = prepared.filesOf(tables);
      if (found.files.length > 0) return found;
      return { files: tables.map((table) => present(paths.get(table))), hive: false };
    },
  };
}

function exportOptions(filter: Readonly<Record<string, unknown>>): ExportOptions {
  const options = parseExportOptions({ ...filter, format: 'parquet' }, []);
  if (options === undefined) throw new HoldfastError('INTERNAL', 'the filter was checked before');
  return options;
}

async function exportTopics(
  request: TemporaryExportRequest,
  topics: readonly string[],
): ReturnType<typeof runExport> {
  const { from, segments, listingProblems, filter, folder, ports, onProblem, onProgress } = request;
  await using place = new FolderPlace(folder, ports.fs);
  using room = await watchDisk(request);
  return await runExport({
    from,
    segments,
    listingProblems,
    options: exportOptions({ ...filter, topics }),
    place,
    clock: ports.clock,
    random: ports.random,
    version,
    signal: AbortSignal.any([request.signal, room.signal]),
    onProblem,
    onProgress: ({ phase, done, total }) => onProgress(phase, done, total),
  });
}

/** Aborts before the disk of the folder is full. Throws `DISK_FULL` if it already is. */
async function watchDisk({
  ports,
  folder,
}: TemporaryExportRequest): Promise<Disposable & { readonly signal: AbortSignal }> {
  const full = new AbortController();
  const look = async (): Promise<void> => {
    const { bavail, bsize } = await ports.fs.statfs(folder);
    if (bavail * bsize >= KEEP_FREE_BYTES) return;
    throw new HoldfastError(
      'DISK_FULL',
      `${folder} has ${bavail * bsize} bytes left, allowed from ${KEEP_FREE_BYTES}: restrict the query with --topics, ` +
        '--from-time and --to-time, or set TMPDIR or --keep to a larger disk',
      { facts: { folder, freeBytes: bavail * bsize } },
    );
  };
  await look();
  const timer = ports.clock.every(WATCH_INTERVAL_MS, () => {
    look().catch((error: unknown) => {
      ports.logger.debug('the disk of a temporary export', { reason: describeError(error) });
      full.abort(error);
    });
  });
  return { signal: full.signal, [Symbol.dispose]: () => timer.cancel() };
}
