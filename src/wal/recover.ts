import { dirname, join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably, moveToTrash, syncDirectory, syncFile } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import { isSegmentKey, manifestKey } from '../core/manifest.js';
import { numberingKey } from '../core/message.js';
import { SeenNumbers } from '../core/seen-numbers.js';
import { isSegmentId, segmentNumber, type SegmentId } from '../core/segment-id.js';
import { objectFileNumber } from './object-file.js';
import type { WalKeys } from './segment-cipher.js';
import { BLOB_FILE, type SegmentChannel } from './segment-format.js';
import { SegmentReader, type SegmentReport } from './segment-reader.js';
import { emptyHead, readHead, writeHead, type WalHead } from './wal-head.js';

/** A segment of an earlier process that must be sealed. */
export interface LeftSegment {
  readonly id: SegmentId;
  readonly directory: string;
  readonly report: SegmentReport;
  /** Records from here on also stand in the next segment and belong to it; undefined: none do. */
  readonly cutAtSequence?: number;
}

export interface RecoveredWal {
  readonly head: WalHead;
  /** Oldest first. */
  readonly segments: readonly LeftSegment[];
  /** Whether an earlier process stopped without ending its segment. */
  readonly unclean: boolean;
}

interface Scan {
  readonly id: SegmentId;
  readonly directory: string;
  readonly report: SegmentReport;
  readonly firstSequence: number | undefined;
  readonly sourceSequences: ReadonlyMap<string, number>;
  readonly seen: SeenNumbers;
}

/**
 * Makes the WAL consistent at start. It creates missing folders, empties the trash, removes unfinished files,
 * moves segments without any write into the trash, and updates `head.json`, so that segments may be sealed
 * and removed. It changes nothing else: sealing does the rest and can be repeated. Idempotent, and safe
 * against a kill at any point. Throws `IDENTITY_MISSING` if a segment is encrypted and none of the keys fits:
 * without its last sequence nothing can be recorded after it.
 */
export async function recoverWal(
  fs: FileSystem,
  folder: DataFolder,
  logger: Logger,
  keys: WalKeys = [],
): Promise<RecoveredWal> {
  await prepareFolders(fs, folder);
  const scans: Scan[] = [];
  let empty = 0;
  for (const name of (await fs.readdir(folder.wal)).sort()) {
    if (!isSegmentId(name)) {
      logger.warn('ignoring a folder in wal/ that is not a segment', { name });
      continue;
    }
    await syncSegment(fs, join(folder.wal, name), logger);
    const scan = await scanSegment(fs, name, join(folder.wal, name), keys);
    if (scan.report.state === 'empty') {
      const trashed = await moveToTrash(fs, scan.directory, folder.trash);
      if (trashed) await fs.rm(trashed, { recursive: true, force: true });
      empty++;
    } else scans.push(scan);
  }
  const stored = await readHead(fs, folder.root);
  if (!stored && scans.length > 0)
    logger.warn('head.json is missing or unreadable; recovering from the segments');
  const ended = stored ? stored.closed === true : empty === 0;
  const head = advanceHead(
    stored ?? emptyHead,
    scans,
    await fs.readdir(folder.sealed),
    await fs.readdir(folder.quarantine),
  );
  await writeHead(fs, folder.root, head);
  return {
    head,
    segments: scans.map((scan, index) => toLeft(scan, scans.slice(index + 1), head)),
    unclean: !ended || scans.some((scan) => scan.report.state !== 'clean'),
  };
}

async function prepareFolders(fs: FileSystem, folder: DataFolder): Promise<void> {
  const { root, wal, sealed, receipts, tombstones, quarantine, trash, lock } = folder;
  for (const path of [wal, sealed, receipts, tombstones, quarantine, trash, lock]) {
    await makeDirectoryDurably(fs, path);
  }
  // An earlier process may have been killed after it created or renamed something and before that was durable.
  // What is seen from here on must also be there after a power cut.
  for (const path of [wal, sealed, receipts, tombstones, quarantine, trash]) await syncDirectory(fs, path);
  await syncDirectory(fs, root);
  await syncDirectory(fs, dirname(root)).catch(() => undefined);
  for (const name of await fs.readdir(trash))
    await fs.rm(join(trash, name), { recursive: true, force: true });
  await removeUnfinished(fs, folder);
}

/** Leftovers of an interrupted seal. Only the recorder writes here, and none is running. */
async function removeUnfinished(fs: FileSystem, { wal, sealed, quarantine }: DataFolder): Promise<void> {
  const unsealed = new Set(await fs.readdir(wal));
  for (const path of [sealed, quarantine]) {
    const names = new Set(await fs.readdir(path));
    for (const name of names) {
      // Without a manifest, the object was never finished. Its segment is still there, so it is made again.
      const lonely = isSegmentKey(name) && !names.has(manifestKey(name)) && unsealed.has(name.slice(0, 45));
      if (name.endsWith('.tmp') || (path === sealed && lonely))
        await fs.rm(join(path, name), { force: true });
    }
  }
}

/**
 * A killed recorder may have left bytes only in the page cache. Sealing must find the same bytes after a
 * power cut as before it; otherwise a segment could be sealed twice with different content.
 */
async function syncSegment(fs: FileSystem, directory: string, logger: Logger): Promise<void> {
  try {
    for (const name of await fs.readdir(directory)) {
      if (/\.log$/.test(name) || name === BLOB_FILE || objectFileNumber(name).length > 0)
        await syncFile(fs, join(directory, name));
    }
    await syncDirectory(fs, directory);
  } catch (error) {
    logger.warn('cannot fsync a segment of an earlier run', { directory, error: describeError(error) });
  }
}

async function scanSegment(fs: FileSystem, id: SegmentId, directory: string, keys: WalKeys): Promise<Scan> {
  const reader = new SegmentReader(fs, directory, false, undefined, keys);
  const channels = new Map<number, SegmentChannel>();
  const sourceSequences = new Map<string, number>();
  const seen = new SeenNumbers();
  let firstSequence: number | undefined;
  for await (const entry of reader.entries()) {
    if (entry.kind === 'meta') firstSequence = entry.meta.firstSequence;
    else if (entry.kind === 'channel') channels.set(entry.id, entry.channel);
    else if (entry.kind === 'batch') {
      firstSequence ??= entry.batch.firstSequence;
      noteSourceSequences(entry.batch.columns, channels, sourceSequences, seen);
    } else if (entry.kind === 'gap') {
      const { robot, topic, settledThrough } = entry.gap;
      if (topic !== undefined && settledThrough !== undefined) {
        raise(sourceSequences, numberingKey(robot, topic), settledThrough);
      }
    }
  }
  return { id, directory, report: reader.report(), firstSequence, sourceSequences, seen };
}

function noteSourceSequences(
  columns: { channelIds: Uint32Array; sourceSequences: Float64Array | null },
  channels: ReadonlyMap<number, SegmentChannel>,
  into: Map<string, number>,
  seen: SeenNumbers,
): void {
  if (!columns.sourceSequences) return;
  const last = new Map<number, number>();
  const identified = new Map<string, number[]>();
  for (let i = 0; i < columns.channelIds.length; i++) {
    const sequence = columns.sourceSequences[i] as number;
    if (sequence < 0) continue;
    const id = columns.channelIds[i] as number;
    const numbering = channels.get(id)?.numberedIn;
    if (numbering === undefined) last.set(id, sequence);
    else {
      const numbers = identified.get(numbering);
      if (numbers) numbers.push(sequence);
      else identified.set(numbering, [sequence]);
    }
  }
  for (const [numbering, numbers] of identified) seen.addAll(numbering, numbers);
  for (const [id, sequence] of last) {
    const channel = channels.get(id);
    if (channel) raise(into, numberingKey(channel.robot, channel.topic), sequence);
  }
}

function advanceHead(head: WalHead, scans: readonly Scan[], sealed: string[], quarantine: string[]): WalHead {
  const ids = new Set(scans.map((scan) => scan.id));
  const gone = [...sealed, ...quarantine].map((name) => name.slice(0, 45)).filter(isSegmentId);
  const numbers = [...ids, ...gone].map(segmentNumber);
  const sequences = scans.map((scan) => scan.report.lastSequence + 1);
  const sourceSequences = new Map(Object.entries(head.sourceSequences));
  const seen = new SeenNumbers(head.seen);
  for (const scan of scans) {
    for (const [key, sequence] of scan.sourceSequences) raise(sourceSequences, key, sequence);
    seen.merge(scan.seen);
  }
  return {
    version: 1,
    nextNumber: numbers.reduce((next, number) => Math.max(next, number + 1), head.nextNumber),
    nextSequence: sequences.reduce((next, sequence) => Math.max(next, sequence), head.nextSequence),
    sourceSequences: Object.fromEntries(sourceSequences),
    seen: seen.toJson(),
    // If the batch was never written again, the failed segment has its only copy.
    cuts: Object.fromEntries(
      Object.entries(head.cuts ?? {}).filter(([id, cut]) => ids.has(id) && cut < head.nextSequence),
    ),
    closed: false,
  };
}

// A segment that waited longer than a later one must not lower the numbers.
function raise(numbers: Map<string, number>, key: string, sequence: number): void {
  numbers.set(key, Math.max(sequence, numbers.get(key) ?? 0));
}

// After a failed write, the batch was written again into the next segment with the same sequences. Its part
// in the failed segment was never acknowledged.
function toLeft({ id, directory, report }: Scan, later: readonly Scan[], head: WalHead): LeftSegment {
  const next = later.find(({ firstSequence }) => firstSequence !== undefined)?.firstSequence ?? Infinity;
  const cut = Math.min(next, head.cuts?.[id] ?? Infinity);
  return { id, directory, report, ...(cut <= report.lastSequence ? { cutAtSequence: cut } : {}) };
}
