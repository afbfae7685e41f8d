import { join, resolve } from 'node:path';
import { systemCode } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { matches } from '../../recordings/message-filter.js';
import type { Problem } from '../../recordings/segments.js';
import type { FileChoice } from './chosen-files.js';
import type { QuerySource } from './query-source.js';
import type { QueryTable } from './view-plan.js';

/** Maximum number of files; a larger lake must be queried in parts. */
export const LAKE_MAX_FILES = 200_000;

interface LakeTable extends QueryTable {
  readonly files: readonly string[];
}

/** Paths of all Parquet files below a folder, relative to it, sorted; hidden folders and files aside. */
export async function parquetFiles(fs: FileSystem, folder: string, signal?: AbortSignal): Promise<string[]> {
  const found: string[] = [];
  const visit = async (below: string): Promise<void> => {
    signal?.throwIfAborted();
    for (const entry of await fs.readdir(join(folder, below), { withFileTypes: true })) {
      if (entry.name.startsWith('.') || found.length > LAKE_MAX_FILES) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) await visit(path);
      else if (entry.isFile() && path.endsWith('.parquet')) found.push(path);
    }
  };
  try {
    await visit('');
  } catch (error) {
    if (!['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) throw error;
  }
  return found.sort();
}

/**
 * A folder of Parquet files without a manifest of an export: a table per `topic=` of Hive paths, otherwise
 * per first folder of the paths (`logs/...` is `logs`), otherwise per file.
 *
 * @param topics - `*` stands for any text; undefined: all.
 */
export function lakeSource(
  folder: string,
  paths: readonly string[],
  choice: FileChoice,
  topics: readonly string[] | undefined,
): QuerySource {
  const tables = new Map<string, { robot: string; topic: string; type: string; files: string[] }>();
  for (const path of paths) {
    const robot = hivePart(path, 'robot') ?? '';
    const topic = hivePart(path, 'topic') ?? plainName(path);
    if (!choice.wants(path, robot) || !matches(topics, topic)) continue;
    const key = JSON.stringify([robot, topic]);
    const known = tables.get(key);
    if (known !== undefined) known.files.push(path);
    else tables.set(key, { robot, topic, type: '', files: [path] });
  }
  const all: LakeTable[] = [...tables.values()];
  const root = resolve(folder);
  return {
    tables: all,
    timeColumns: ['log_time', 'timestamp_ns', 'time'],
    prepare: (wanted) =>
      Promise.resolve({
        ok: true,
        remarks: all.filter((table) => wanted.includes(table)).flatMap((table) => mixed(table.files, choice)),
        filesOf: (wanted: readonly QueryTable[]) => {
          const files = all.filter((table) => wanted.includes(table)).flatMap((table) => table.files);
          const hive = files.every((path) => path.split('/').some((part) => /^[^=]+=/.test(part)));
          return { files: files.map((path) => join(root, path)), hive };
        },
      }),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function mixed(files: readonly string[], choice: FileChoice): readonly Problem[] {
  return files.flatMap((path) => {
    const others = choice.othersIn(path);
    if (others.length === 0) return [];
    return [
      { where: path, reason: `a compaction merged rows of ${others.join(' and ')} into it; they count too` },
    ];
  });
}

function hivePart(path: string, name: string): string | undefined {
  const part = path.split('/').find((one) => one.startsWith(`${name}=`));
  if (part === undefined) return undefined;
  const text = part.slice(name.length + 1);
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function plainName(path: string): string {
  const [first = '', ...rest] = path.split('/');
  return rest.length > 0 && !first.includes('=') ? first : first.replace(/\.parquet$/, '').replace(/=/, '_');
}
