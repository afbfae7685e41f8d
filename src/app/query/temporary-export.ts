import { describeError, HoldfastError } from '../../core/errors.js';
import type { SystemPorts } from '../system/ports.js';
import { version } from '../system/version.js';
import { topicColumns } from '../export/export-manifest.js';
import { robotOf } from '../export/export-groups.js';
import type { ExportOptions } from '../export/export-options.js';
import { inspectSegments } from '../export/inspect.js';
import { FolderPlace } from '../export/output-place.js';
import { parseExportOptions } from '../export/parse-export-options.js';
import { runExport } from '../export/run-export.js';
import type { Problem, Segment } from '../reading/segments.js';
import { exportSource } from './export-folder.js';
import type { QuerySource } from './query-source.js';
import type { QueryTable } from './view-plan.js';

/** The disk is never filled up to less than this: others need it too. */
export const KEEP_FREE_BYTES = 256 * 1024 * 1024;
const WATCH_INTERVAL_MS = 250;

export interface TemporaryExportRequest {
  readonly from: string;
  readonly segments: readonly Segment[];
  /** What was found wrong while they were looked for. */
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

/** Recordings as tables: what a query names is exported as Parquet when it is asked for. */
export async function recordingSource(request: TemporaryExportRequest): Promise<QuerySource> {
  const { segments, signal, filter } = request;
  const options = exportOptions(filter);
  const inspected = await inspectSegments(segments, {
    filter: options.filter,
    // The export says them, if it is of these topics.
    onProblem: () => {},
    onProgress: (done, total) => request.onProgress('planning', done, total),
    signal,
  });
  const schemas = topicColumns(inspected, options);
  const tables = new Map<string, QueryTable>();
  for (const { channels, robot: said } of inspected) {
    for (const { topic, schema } of channels) {
      const robot = robotOf(said, topic, options);
      const key = JSON.stringify([robot, topic, schema.name]);
      if (tables.has(key)) continue;
      tables.set(key, { robot, topic, type: schema.name, columns: schemas.get(key)?.columns ?? [] });
    }
  }
  return {
    tables: [...tables.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)),
    timeColumns: ['log_time'],
    async prepare(wanted) {
      if (wanted.length === 0) return { ok: true, filesOf: () => ({ files: [], hive: false }) };
      const topics = [...new Set(wanted.map(({ topic }) => topic))].sort();
      const { ok, manifest } = await exportTopics(request, topics);
      const prepared = await exportSource(request.folder, manifest, {}).prepare(wanted);
      return { ...prepared, ok };
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
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

/** Aborts before the disk of the folder is full. Throws `DISK_FULL` where it is already. */
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
  const timer = setInterval(() => {
    look().catch((error: unknown) => {
      ports.logger.debug('the disk of a temporary export', { reason: describeError(error) });
      full.abort(error);
    });
  }, WATCH_INTERVAL_MS);
  return { signal: full.signal, [Symbol.dispose]: () => clearInterval(timer) };
}
