import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { readFileIfPresent, writeFileDurably } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { SegmentId } from '../core/segment-id.js';

/**
 * `head.json`: what must outlive the WAL segments themselves, written before a sealed segment's directory
 * goes. Numbers only ever grow, so an old head together with the segments still there is never wrong. In the
 * file it stands beside the CRC-32 of its own JSON.
 */
export interface WalHead {
  readonly version: 1;
  /** No segment has this number yet. */
  readonly nextNumber: number;
  /** No record has this sequence yet. */
  readonly nextSequence: number;
  /** `numberingKey` -> source number up to which everything is durable or accounted for by a gap. */
  readonly sourceSequences: Readonly<Record<string, number>>;
  /** `Channel.numberedIn` -> the numbers in the recording, as `NumberSet` encodes them. */
  readonly seen?: Readonly<Record<string, string>>;
  /**
   * Segments given up after a failed write -> the sequence from which on their records, if any got there,
   * were written again into a later segment. Holds once `nextSequence` has passed it.
   */
  readonly cuts?: Readonly<Record<SegmentId, number>>;
  /** The recorder that wrote it ended properly; false or absent while one runs, and after a kill. */
  readonly closed?: boolean;
}

export const emptyHead: WalHead = { version: 1, nextNumber: 1, nextSequence: 1, sourceSequences: {} };

const HEAD_FILE = 'head.json';

/** The head, or undefined where it is absent or damaged: recovery then goes by the segments. */
export async function readHead(fs: FileSystem, root: string): Promise<WalHead | undefined> {
  const bytes = await readFileIfPresent(fs, join(root, HEAD_FILE));
  if (!bytes) return undefined;
  let file: { head?: Partial<WalHead>; crc32?: unknown } | null;
  try {
    file = JSON.parse(bytes.toString('utf8')) as typeof file;
  } catch {
    // A damaged head is the same as none: the caller warns and goes by what the folder holds.
    return undefined;
  }
  const head = file?.head;
  // A changed digit is still JSON, and a source number that is too high would hide a loss.
  if (!head || file?.crc32 !== crc32(JSON.stringify(head)) || head.version !== 1) return undefined;
  return { ...emptyHead, ...head };
}

export async function writeHead(fs: FileSystem, root: string, head: WalHead): Promise<void> {
  const file = { crc32: crc32(JSON.stringify(head)), head };
  await writeFileDurably(fs, join(root, HEAD_FILE), `${JSON.stringify(file)}\n`);
}
