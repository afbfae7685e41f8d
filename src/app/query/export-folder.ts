import { join, resolve } from 'node:path';
import { readFileIfPresent } from '../../core/durable-files.js';
import { describeError, HoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { MANIFEST_NAME, type ExportManifest } from '../export/export-manifest.js';
import { matches } from '../reading/message-filter.js';
import { sqlText } from './query-errors.js';
import type { NameFilter, PreparedTables, QuerySource } from './query-source.js';
import type { ViewFiles } from './query-session.js';
import type { QueryTable } from './view-plan.js';

/** The manifest of an export that lies in a folder; undefined where there is none. Throws `SOURCE_UNREADABLE`. */
export async function readExportManifest(
  fs: FileSystem,
  folder: string,
): Promise<ExportManifest | undefined> {
  let text: string | undefined;
  try {
    text = (await readFileIfPresent(fs, join(folder, MANIFEST_NAME)))?.toString('utf8');
  } catch (error) {
    const code = systemCode(error);
    // No folder at all, or a file: something else will say what it is.
    if (code === 'ENOTDIR' || code === 'ENOENT') return undefined;
    throw unreadable(folder, describeError(error), error);
  }
  if (text === undefined) return undefined;
  let manifest: Partial<ExportManifest>;
  try {
    manifest = JSON.parse(text) as Partial<ExportManifest>;
  } catch (error) {
    throw unreadable(join(folder, MANIFEST_NAME), 'is not JSON', error);
  }
  if (typeof manifest !== 'object' || manifest === null || !('export_id' in manifest)) return undefined;
  if (!Array.isArray(manifest.topics) || !Array.isArray(manifest.files)) {
    throw unreadable(join(folder, MANIFEST_NAME), 'is no manifest of an export');
  }
  return manifest as ExportManifest;
}

function unreadable(where: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('SOURCE_UNREADABLE', `${where} ${what}`, { cause, facts: { where } });
}

/** An export as Parquet, by its manifest: nothing is read to know what there is. */
export function exportSource(folder: string, manifest: ExportManifest, filter: NameFilter): QuerySource {
  if (manifest.format !== 'parquet') {
    throw unreadable(
      folder,
      `was exported as ${manifest.format}; a query reads exports made with --format parquet`,
    );
  }
  const isAligned = 'alignHz' in (manifest.fingerprint as object);
  const all = isAligned ? alignedTables(manifest) : topicTables(manifest);
  const wanted = all.filter(
    ({ robot, topic }) => matches(filter.robots, robot) && (isAligned || matches(filter.topics, topic)),
  );
  return {
    tables: wanted,
    timeColumns: isAligned ? ['time'] : ['log_time'],
    prepare: () => Promise.resolve(preparedExport(folder, all)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

interface ExportTable extends QueryTable {
  readonly files: readonly string[];
}

function topicTables({ topics }: ExportManifest): ExportTable[] {
  return topics
    .filter(({ sample_count: count }) => count > 0)
    .map(({ robot, topic, message_type: type, sample_count: rows, schema: columns, files }) => {
      return { robot, topic, type, rows, columns, files };
    });
}

/** Wide tables know no topics: one view per robot, and `aligned` for all. */
function alignedTables({ topics, files }: ExportManifest): ExportTable[] {
  const robots = new Map<string, Set<string>>();
  for (const { robot, files: own } of topics) {
    const known = robots.get(robot) ?? new Set<string>();
    robots.set(robot, known);
    for (const path of own) known.add(path);
  }
  const rowsOf = new Map(files.map(({ path, rows }) => [path, rows]));
  return [...robots]
    .filter(([, paths]) => paths.size > 0)
    .map(([robot, paths]) => {
      const rows = [...paths].reduce((sum, path) => sum + (rowsOf.get(path) ?? 0), 0);
      return { robot, topic: robot, type: 'aligned', rows, files: [...paths] };
    });
}

function preparedExport(folder: string, all: readonly ExportTable[]): PreparedTables {
  const root = resolve(folder);
  const holders = new Map<string, ExportTable[]>();
  for (const table of all) {
    for (const path of table.files) {
      const known = holders.get(path);
      if (known === undefined) holders.set(path, [table]);
      else known.push(table);
    }
  }
  return {
    ok: true,
    filesOf: (tables) => {
      const members = new Set(tables.map(wordOf));
      const own = all.filter((table) => members.has(wordOf(table)));
      const paths = [...new Set(own.flatMap(({ files }) => files))].sort();
      // A table of a type holds several topics.
      const isShared = paths.some((path) => holders.get(path)!.some((table) => !members.has(wordOf(table))));
      const files: ViewFiles = { files: paths.map((path) => join(root, path)), hive: false };
      if (!isShared) return files;
      const conditions = own.map(
        ({ robot, topic }) => `(robot = ${sqlText(robot)} AND topic = ${sqlText(topic)})`,
      );
      return { ...files, where: `(${conditions.join(' OR ')})` };
    },
  };
}

const wordOf = ({ robot, topic, type }: QueryTable): string => JSON.stringify([robot, topic, type]);
