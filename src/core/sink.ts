import { readFileIfPresent, writeFileDurably } from './durable-files.js';
import type { FileSystem } from './file-system.js';
import type { Manifest } from './manifest.js';
import type { Priority } from './message.js';
import { matches } from './name-pattern.js';
import type { SegmentReceipts, StoreReceipt } from './receipt-file.js';

/** What a sink takes; an absent field takes all. `*` in a name stands for any text. */
export interface SinkSelection {
  readonly robots?: readonly string[];
  readonly priorities?: readonly Priority[];
  /** Only messages of these topics; a segment without any is not taken. */
  readonly topics?: readonly string[];
}

/** A place sync brings every segment to, as the recorder's retention must know it. */
export interface RequiredSink {
  /** The store's URI, credentials removed. */
  readonly uri: string;
  /** Once known. */
  readonly storeId?: string;
  /** What is made of a segment: '' the sealed file itself, else a word that says which derivation. */
  readonly form: string;
  readonly selection: SinkSelection;
}

/**
 * `sinks.json` in the data folder: which sinks must hold a segment before its local copy may go. Written
 * durably by sync before it works, read by retention, which may run without it: the last word of sync holds
 * until sync says otherwise. Where there is no such file (a folder sync never saw, or an older sync), one
 * receipt is enough.
 */
export const SINKS_FILE = 'sinks.json';

interface SinksFile {
  readonly version: 1;
  readonly required: readonly RequiredSink[];
}

/** Whether a sink takes anything of this segment. */
export function selects(selection: SinkSelection, manifest: Manifest): boolean {
  const { robots, priorities, topics } = selection;
  if (!matches(robots, manifest.robot)) return false;
  if (priorities && !priorities.includes(manifest.segment.priority ?? 'normal')) return false;
  return topics === undefined || manifest.channels.some(({ topic }) => matches(topics, topic));
}

/** The sink's own receipt. The store id wins: one store may be spelled in several ways. */
export function isReceiptOf({ uri, storeId, form }: RequiredSink, receipt: StoreReceipt): boolean {
  if ((receipt.form ?? '') !== form) return false;
  return receipt.uri === uri || (storeId !== undefined && receipt.storeId === storeId);
}

/**
 * Whether the local copy may go: every required sink that takes the segment holds it, and at least one store
 * holds all of it. What no store has whole is never "verified", however the sinks are chosen.
 */
export function isHeld(
  manifest: Manifest,
  receipts: SegmentReceipts | undefined,
  required: readonly RequiredSink[] | undefined,
): boolean {
  const stores = receipts?.stores.filter(({ sha256 }) => sha256 === manifest.file.sha256) ?? [];
  if (!stores.some(({ partial }) => partial !== true)) return false;
  return (required ?? []).every(
    (sink) => !selects(sink.selection, manifest) || stores.some((receipt) => isReceiptOf(sink, receipt)),
  );
}

/** The required sinks; undefined where nobody said. Throws an Error where the file cannot be understood. */
export async function readRequiredSinks(
  fs: FileSystem,
  path: string,
): Promise<readonly RequiredSink[] | undefined> {
  const bytes = await readFileIfPresent(fs, path);
  if (!bytes) return undefined;
  const json = JSON.parse(bytes.toString('utf8')) as Partial<SinksFile> | null;
  const required = json?.required;
  const isSink = (sink: Partial<RequiredSink> | null): boolean =>
    typeof sink?.uri === 'string' &&
    typeof sink.form === 'string' &&
    typeof sink.selection === 'object' &&
    sink.selection !== null;
  if (!Array.isArray(required) || !required.every(isSink)) throw new Error(`${path} lists no sinks`);
  return required;
}

/** Writes the list, unless it says the same already. */
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
