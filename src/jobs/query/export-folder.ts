import { join, resolve } from 'node:path';
import { readFileIfPresent } from '../../core/durable-files.js';
import { describeError, HoldfastError, systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { present } from '../../core/present.js';
import { exportManifests, MANIFEST_NAME, type ExportManifest } from '../export/export-manifest.js';
import { matches } from '../../recordings/message-filter.js';
import { robotsOfVins } from '../../recordings/robots-of-vins.js';
import { sqlText } from './query-errors.js';
import type { NameFilter, PreparedTables, QuerySource } from './query-source.js';
import type { ViewFiles } from './query-engine.js';
import type { QueryTable } from './view-plan.js';

/** The manifest of an export in a folder; undefined if the folder has no manifest. Throws `SOURCE_UNREADABLE`. */
export async function readExportManifest(
  fs: FileSystem,
  folder: string,
): Promise<ExportManifest | undefined> {
  let text: string | undefined;
  try {
    text = (await readFileIfPresent(fs, join(folder, MANIFEST_NAME)))?.toString('utf8');
  } catch (error) {
    const code = systemCode(error);
    // Not a folder, or missing: other code reports what it is.
    if (code === 'ENOTDIR' || code === 'ENOENT') return undefined;
    throw unreadable(folder, describeError(error), error);
  }
  if (text === undefined) return undefined;
  // It is the manifest.json of another program, and the folder may still be a lake.
  if (!text.includes('"export_id"')) return undefined;
  const where = join(folder, MANIFEST_NAME);
  try {
    return exportManifests.parse(text, where);
  } catch (error) {
    throw unreadable(where, `is no manifest of an export: ${describeError(error)}`, error);
  }
}

function unreadable(where: string, what: string, cause?: unknown): HoldfastError {
  return new HoldfastError('SOURCE_UNREADABLE', `${where} ${what}`, { cause, facts: { where } });
}

/**
 * An export as Parquet, by its manifest: no file is read to list the topics. Throws `SOURCE_UNREADABLE` if it has
 * another format, or if a vehicle that was chosen by its VIN shares files with another one.
 */
export async function exportSource(
  folder: string,
  manifest: ExportManifest,
  filter: NameFilter,
): Promise<QuerySource> {
  if (manifest.format !== 'parquet') {
    throw unreadable(
      folder,
      `was exported as ${manifest.format}; a query reads exports made with --format parquet`,
    );
  }
  const robots = await robotsIn(folder, manifest, filter.robots);
  const isAligned = 'alignHz' in (manifest.fingerprint as object);
  const all = isAligned ? alignedTables(manifest) : topicTables(manifest);
  const wanted = all.filter(
    ({ robot, topic }) => matches(robots, robot) && (isAligned || matches(filter.topics, topic)),
  );
  return {
    tables: wanted,
    timeColumns: isAligned ? ['time'] : ['log_time'],
    prepare: () => Promise.resolve(preparedExport(folder, all)),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Names for names and VINs. Its files do not say of which vehicle a row is: a robot with several has no VIN here. */
async function robotsIn(
  folder: string,
  { sources }: ExportManifest,
  given: NameFilter['robots'],
): Promise<readonly string[] | undefined> {
  const { robots, vehicles } = await robotsOfVins(given, () => sources);
  for (const [robot, vins] of vehicles ?? []) {
    const others = new Set(sources.flatMap((one) => (one.robot === robot ? (one.vin ?? []) : [])));
    for (const vin of vins) others.delete(vin);
    if (others.size === 0) continue;
    const [mine, theirs] = [[...vins].join(' and '), [...others].join(' and ')];
    throw unreadable(
      folder,
      `has ${robot} as ${mine} and as ${theirs} in the same tables: export it again with --robots ${[...vins].join(' ')}`,
    );
  }
  return robots;
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

/** Wide tables have no topics: one view per robot, and `aligned` for all. */
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
    remarks: [],
    filesOf: (tables) => {
      const members = new Set(tables.map(wordOf));
      const own = all.filter((table) => members.has(wordOf(table)));
      const paths = [...new Set(own.flatMap(({ files }) => files))].sort();
      // A table of a type holds several topics.
      const isShared = paths.some((path) =>
        present(holders.get(path)).some((table) => !members.has(wordOf(table))),
      );
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
