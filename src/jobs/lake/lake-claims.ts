import { basename, dirname } from 'node:path/posix';
import type { LakeChange, LakeFile } from '../../core/lake-manifest.js';
import { present } from '../../core/present.js';

/** Writers of table files, as in the footers of their files. */
export const LAKE_WRITER = 'holdfast lake 1';
export const COMPACT_WRITER = 'holdfast compact 1';

/** Names of the files that compactions of a form write. */
export function compactedName(form: string, randomHex: string): string {
  return `compact-${form}-${randomHex}.parquet`;
}

/** Whether a key has the name of a file that a compaction of this form made. */
export function isCompacted(form: string, key: string): boolean {
  const name = basename(key);
  return name.startsWith(`compact-${form}-`) && /^[0-9a-f]{16}\.parquet$/.test(name.slice(form.length + 9));
}

/** A step of a lake's history, and its evidence. */
export interface ChangeVerdict {
  readonly change: LakeChange;
  /** The replaced files as markers or earlier steps list them: it may remove only these. */
  readonly replaced: readonly LakeFile[];
  /** Why the step must not remove anything. */
  readonly fault?: string;
}

/**
 * Decides for every step which files it may remove. A user with write access to a store can write a step of
 * its history, so a step is never trusted. It must be one that a compaction could have made: it merges table
 * files that a marker or an earlier step lists into one new file of their folder, and the counts of rows
 * agree.
 *
 * @param listed - Every file that a marker lists, by key.
 */
export function judgeChanges(
  form: string,
  changes: readonly LakeChange[],
  listed: ReadonlyMap<string, LakeFile>,
): ChangeVerdict[] {
  const known = new Map(listed);
  return changes.map((change) => {
    const replaced = change.replaces.map((key) => known.get(key));
    const fault = faultOf(form, change, replaced);
    for (const file of change.adds) if (fault === undefined) known.set(file.key, file);
    // A deletion removes what it replaced itself: its step gives nobody else the right to.
    if (change.removed !== undefined && fault === undefined) return { change, replaced: [] };
    return fault === undefined
      ? { change, replaced: replaced as LakeFile[] }
      : { change, replaced: [], fault };
  });
}

function faultOf(
  form: string,
  { replaces, adds, duplicates, removed }: LakeChange,
  replaced: readonly (LakeFile | undefined)[],
): string | undefined {
  if (replaces.length === 0 && adds.length === 0) return undefined;
  const stranger = replaces.find((key, index) => replaced[index] === undefined || !key.endsWith('.parquet'));
  if (stranger !== undefined) return `it replaces ${stranger}, which no marker lists as a table file`;
  const [made] = adds;
  const rows = replaced.reduce((sum, file) => sum + present(file).rows, 0);
  if (made === undefined && rows === removed?.rows) return undefined;
  if (made === undefined || adds.length > 1) return `it adds ${adds.length} files, allowed: 1`;
  if (!isCompacted(form, made.key)) return `it adds ${made.key}, which is no name that a compaction gives`;
  const apart = replaced.find(
    (file) => dirname(present(file).key) !== dirname(made.key) || present(file).table !== made.table,
  );
  if (apart !== undefined) return `it puts ${apart.key} into another folder or table: ${made.key}`;
  const kept = made.rows + (removed?.rows ?? 0) + (made.table === 'events' ? duplicates : 0);
  return rows === kept ? undefined : `it replaces ${rows} rows by ${kept}`;
}
