import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { documentKind } from '../core/documents/document.js';
import { walHeadSchema } from '../core/documents/folder-schemas.js';
import { readStateIfReadable, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { SegmentId } from '../core/segment-id.js';

/**
 * `head.json`: facts that must outlive the WAL segments, written before the directory of a sealed segment is
 * removed. Numbers only grow, so an old head together with the remaining segments is never wrong. The file
 * also has the CRC-32 of its JSON.
 */
export interface WalHead {
  readonly version: 1;
  /** No segment has this number yet. */
  readonly nextNumber: number;
  /** No record has this sequence yet. */
  readonly nextSequence: number;
  /** `numberingKey` -> source number up to which everything is durable or in a gap. */
  readonly sourceSequences: Readonly<Record<string, number>>;
  /** `Channel.numberedIn` -> the numbers in the recording, as `NumberSet` encodes them. */
  readonly seen?: Readonly<Record<string, string>>;
  /**
   * Segments given up after a failed write -> the sequence from which their records, if there are any, were
   * written again into a later segment. Valid once `nextSequence` has passed it.
   */
  readonly cuts?: Readonly<Record<SegmentId, number>>;
  /** The recorder that wrote it ended properly; false or absent while one runs, and after a kill. */
  readonly closed?: boolean;
}

export const emptyHead: WalHead = { version: 1, nextNumber: 1, nextSequence: 1, sourceSequences: {} };

const HEAD_FILE = 'head.json';
const heads = documentKind<{ readonly crc32: number; readonly head: WalHead }>('WAL head', walHeadSchema);

/** The head; undefined if it is missing or damaged. Recovery then uses the segments. */
export async function readHead(fs: FileSystem, root: string): Promise<WalHead | undefined> {
  const bytes = await readStateIfReadable(fs, join(root, HEAD_FILE));
  if (!bytes) return undefined;
  // A damaged head counts as missing: the caller warns and uses the content of the folder.
  const file = heads.parseIfValid(bytes.toString('utf8'));
  // JSON with a changed digit is still valid, and a source number that is too high would hide a loss.
  if (!file || file.crc32 !== crc32(JSON.stringify(file.head))) return undefined;
  const { head } = file;
  return { ...emptyHead, ...head };
}

export async function writeHead(fs: FileSystem, root: string, head: WalHead): Promise<void> {
  const file = { crc32: crc32(JSON.stringify(head)), head };
  await writeFileDurably(fs, join(root, HEAD_FILE), `${JSON.stringify(file)}\n`);
}
