import { documentKind } from './documents/document.js';
import { sinksSchema } from './documents/folder-schemas.js';
import { readFileIfPresent, writeFileDurably } from './durable-files.js';
import type { FileSystem } from './file-system.js';
import type { Manifest } from './manifest.js';
import type { Priority } from './message.js';
import { matches } from './name-pattern.js';
import type { StoreReceipt } from './receipt-file.js';
import { matchesRobot } from './vin.js';

/** The selection of a sink; an absent field selects all. `*` in a name stands for any text. */
export interface SinkSelection {
  /** Names, and VINs in full: a VIN selects the segments whose manifest has it, whatever their robot is called. */
  readonly robots?: readonly string[];
  readonly priorities?: readonly Priority[];
  /** Only messages of these topics; a segment without them is skipped. */
  readonly topics?: readonly string[];
}

/** What a sink sends: sealed files, tables, points of numbers, or single messages. */
export const sinkKinds = ['mcap', 'parquet', 'influx', 'kafka'] as const;

export type SinkKind = (typeof sinkKinds)[number];

/** What goes to a store by itself; the rest stays here until it is requested, or until retention takes it. */
export const uploadPolicies = ['all', 'events', 'requested'] as const;

export type UploadPolicy = (typeof uploadPolicies)[number];

/** A place to which sync uploads every segment, as far as the recorder's retention must know it. */
export interface RequiredSink {
  /** The store's URI, credentials removed. */
  readonly uri: string;
  /** Once known. */
  readonly storeId?: string;
  /** '' for the sealed file itself, otherwise a word for the derivation. */
  readonly form: string;
  readonly selection: SinkSelection;
}

/**
 * `sinks.json` in the data folder: the sinks that must hold a segment before its local copy may be deleted.
 * Sync writes it durably before it works. Retention reads it and may run without sync: the last list holds
 * until sync writes another. If the file does not exist (a folder that sync never saw, or an older sync), one
 * receipt is enough.
 */
export const SINKS_FILE = 'sinks.json';

interface SinksFile {
  readonly version: 1;
  readonly required: readonly RequiredSink[];
}

/** Schema of `sinks.json`. */
export const sinkFiles = documentKind<SinksFile>('list of sinks', sinksSchema);

/** Whether a sink takes any message of this segment. */
export function selects(selection: SinkSelection, manifest: Manifest): boolean {
  const { robots, priorities, topics } = selection;
  if (!matchesRobot(robots, manifest.robot, manifest.vin)) return false;
  if (priorities && !priorities.includes(manifest.segment.priority ?? 'normal')) return false;
  return topics === undefined || manifest.channels.some(({ topic }) => matches(topics, topic));
}

/**
 * The sink's own receipt, found by the id of its present store, because one store may be spelled in several
 * ways. If two required sinks have one id, a copy counts only for the sink through whose URI it was verified.
 */
export function isReceiptOf(
  { uri, storeId, form }: RequiredSink,
  receipt: StoreReceipt,
  required: readonly RequiredSink[],
): boolean {
  if ((receipt.form ?? '') !== form || storeId === undefined || receipt.storeId !== storeId) return false;
  return receipt.uri === uri || !required.some((other) => other.form === form && other.uri === receipt.uri);
}

/** The required sinks; undefined if there is no list. Throws `MANIFEST_INVALID`. */
export async function readRequiredSinks(
  fs: FileSystem,
  path: string,
): Promise<readonly RequiredSink[] | undefined> {
  const bytes = await readFileIfPresent(fs, path);
  if (!bytes) return undefined;
  return sinkFiles.parse(bytes.toString('utf8'), path).required;
}

/** Writes the list, unless it is unchanged. */
export async function writeRequiredSinks(
  fs: FileSystem,
  path: string,
  required: readonly RequiredSink[],
): Promise<void> {
  const content: SinksFile = { version: 1, required };
  const text = `${JSON.stringify(content, null, 1)}\n`;
  const before = await readFileIfPresent(fs, path);
  if (before?.toString('utf8') !== text) await writeFileDurably(fs, path, text);
}
