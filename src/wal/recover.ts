import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably, moveToTrash } from '../core/durable-files.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import { numberingKey } from '../core/message.js';
import { isSegmentId, segmentNumber, type SegmentId } from '../core/segment-id.js';
import type { SegmentChannel } from './segment-format.js';
import { SegmentReader, type SegmentReport } from './segment-reader.js';
import { emptyHead, readHead, type WalHead } from './wal-head.js';

/** A segment an earlier process left behind, to be sealed. */
export interface LeftSegment {
  readonly id: SegmentId;
  readonly directory: string;
  readonly report: SegmentReport;
  /** Records from here on belong to the next segment, which holds them again; undefined: none do. */
  readonly cutAtSequence?: number;
}

export interface RecoveredWal {
  readonly head: WalHead;
  /** Oldest first. */
  readonly segments: readonly LeftSegment[];
  /** Whether an earlier process ended without ending its segment. */
  readonly unclean: boolean;
}

interface Scan {
  readonly id: SegmentId;
  readonly directory: string;
  readonly report: SegmentReport;
  readonly firstSequence: number | undefined;
  readonly sourceSequences: ReadonlyMap<string, number>;
}

/**
 * Makes the WAL consistent at start. Changes nothing but: creates missing folders, empties the trash,
 * trashes segments in which nothing was ever committed. Everything else is left for sealing, which repeats
 * safely. Idempotent, and safe to be killed anywhere.
 */
export async function recoverWal(fs: FileSystem, folder: DataFolder, logger: Logger): Promise<RecoveredWal> {
  const { wal, sealed, receipts, tombstones, quarantine, trash, lock } = folder;
  for (const path of [wal, sealed, receipts, tombstones, quarantine, trash, lock]) {
    await makeDirectoryDurably(fs, path);
  }
  for (const name of await fs.readdir(trash))
    await fs.rm(join(trash, name), { recursive: true, force: true });

  const scans: Scan[] = [];
  for (const name of (await fs.readdir(wal)).sort()) {
    if (!isSegmentId(name)) {
      logger.warn('ignoring a folder in wal/ that is no segment', { name });
      continue;
    }
    const scan = await scanSegment(fs, name, join(wal, name));
    if (scan.report.state === 'empty') {
      const trashed = await moveToTrash(fs, scan.directory, trash);
      if (trashed) await fs.rm(trashed, { recursive: true, force: true });
    } else scans.push(scan);
  }
  const stored = await readHead(fs, folder.root);
  if (!stored && scans.length > 0) logger.warn('no readable head.json, going by the segments');
  return {
    head: advanceHead(stored ?? emptyHead, scans, await fs.readdir(sealed), await fs.readdir(quarantine)),
    segments: scans.map((scan, index) => toLeft(scan, scans[index + 1])),
    unclean: scans.some((scan) => scan.report.state !== 'clean'),
  };
}

async function scanSegment(fs: FileSystem, id: SegmentId, directory: string): Promise<Scan> {
  const reader = new SegmentReader(fs, directory, false);
  const channels = new Map<number, SegmentChannel>();
  const sourceSequences = new Map<string, number>();
  let firstSequence: number | undefined;
  for await (const entry of reader.entries()) {
    if (entry.kind === 'meta') firstSequence = entry.meta.firstSequence;
    else if (entry.kind === 'channel') channels.set(entry.id, entry.channel);
    else if (entry.kind === 'batch') {
      firstSequence ??= entry.batch.firstSequence;
      noteSourceSequences(entry.batch.columns, channels, sourceSequences);
    } else if (entry.kind === 'gap') {
      const { robot, topic, settledThrough } = entry.gap;
      if (topic !== undefined && settledThrough !== undefined) {
        const key = numberingKey(robot, topic);
        sourceSequences.set(key, Math.max(settledThrough, sourceSequences.get(key) ?? 0));
      }
    }
  }
  return { id, directory, report: reader.report(), firstSequence, sourceSequences };
}

function noteSourceSequences(
  columns: { channelIds: Uint32Array; sourceSequences: Float64Array | null },
  channels: ReadonlyMap<number, SegmentChannel>,
  into: Map<string, number>,
): void {
  if (!columns.sourceSequences) return;
  const last = new Map<number, number>();
  for (let i = 0; i < columns.channelIds.length; i++) {
    const sequence = columns.sourceSequences[i] as number;
    if (sequence >= 0) last.set(columns.channelIds[i] as number, sequence);
  }
  for (const [id, sequence] of last) {
    const channel = channels.get(id);
    if (channel) into.set(numberingKey(channel.robot, channel.topic), sequence);
  }
}

function advanceHead(head: WalHead, scans: readonly Scan[], sealed: string[], quarantine: string[]): WalHead {
  const ids = [...sealed, ...quarantine].map((name) => name.slice(0, 45)).filter(isSegmentId);
  const numbers = [...ids, ...scans.map((scan) => scan.id)].map(segmentNumber);
  const sequences = scans.map((scan) => scan.report.lastSequence + 1);
  const sourceSequences = { ...head.sourceSequences };
  for (const scan of scans) Object.assign(sourceSequences, Object.fromEntries(scan.sourceSequences));
  return {
    version: 1,
    nextNumber: numbers.reduce((next, number) => Math.max(next, number + 1), head.nextNumber),
    nextSequence: sequences.reduce((next, sequence) => Math.max(next, sequence), head.nextSequence),
    sourceSequences,
  };
}

// After a failed write the batch was written again into the next segment, under the same sequences; what
// the failed segment may hold of it was never acknowledged.
function toLeft(scan: Scan, next: Scan | undefined): LeftSegment {
  const { id, directory, report } = scan;
  const overlaps = next?.firstSequence !== undefined && next.firstSequence <= report.lastSequence;
  return { id, directory, report, ...(overlaps ? { cutAtSequence: next.firstSequence as number } : {}) };
}
