import type { Manifest } from '../core/manifest.js';
import { isSegmentId, segmentNumber } from '../core/segment-id.js';
import type { Findings, Severity } from './findings.js';

/** The WAL of a data folder begins with this sequence. */
const FIRST_SEQUENCE = 1;
const SEGMENT_ID_CHARS = 45;

interface SegmentSequences {
  readonly number: number;
  where: string;
  first: number;
  last: number;
  /** Records of it may be lost: its end was cut off, or it was salvaged from a damaged one. */
  isTorn: boolean;
}

/**
 * WAL sequences are never used twice and leave no hole: a later segment of a data folder begins right after
 * the end of the previous one, and the first with 1. The robots of one segment share its range. Memory: one
 * small entry per segment.
 */
export class SequenceLedger {
  readonly #folders = new Map<string, Map<number, SegmentSequences>>();
  readonly #absent: Severity;
  /** Numbers of segments that are known to be elsewhere: evicted, quarantined, not sealed yet. */
  readonly #elsewhere = new Set<number>();
  readonly #unread = new Set<number>();

  /** @param absent - The severity if some sequences are in no segment; in a store they may still be uploading. */
  constructor(absent: Severity = 'error') {
    this.#absent = absent;
  }

  /** A segment with an object here that does not state its sequences. */
  isUnread(name: string): void {
    const number = numberIn(name);
    if (number !== undefined) this.#unread.add(number);
  }

  /** A segment that is not here, but left a trace. `name` begins with its id; others are skipped. */
  isElsewhere(name: string): void {
    const number = numberIn(name);
    if (number !== undefined) this.#elsewhere.add(number);
  }

  add(where: string, { segment, identity, firstSequence, lastSequence, uncleanEnd }: Manifest): void {
    if (firstSequence === undefined || lastSequence === undefined) return;
    const isTorn = uncleanEnd || segment.salvagedFrom !== undefined;
    let folder = this.#folders.get(identity.dataFolderId);
    if (folder === undefined) {
      folder = new Map();
      this.#folders.set(identity.dataFolderId, folder);
    }
    const known = folder.get(segment.number);
    if (known === undefined) {
      const { number } = segment;
      folder.set(number, { number, where, first: firstSequence, last: lastSequence, isTorn });
      return;
    }
    known.first = Math.min(known.first, firstSequence);
    known.last = Math.max(known.last, lastSequence);
    known.isTorn ||= isTorn;
  }

  check(findings: Findings): void {
    for (const folder of this.#folders.values()) {
      const segments = [...folder.values()].sort((a, b) => a.number - b.number);
      segments.forEach((segment, i) => this.#compare(segments[i - 1], segment, findings));
    }
  }

  #compare(before: SegmentSequences | undefined, segment: SegmentSequences, findings: Findings): void {
    const expected = before === undefined ? FIRST_SEQUENCE : before.last + 1;
    if (before !== undefined && segment.first <= before.last) {
      const allowed = `above ${before.last}, the last of segment ${before.number}`;
      findings.add('error', segment.where, 'first WAL sequence', allowed, segment.first);
    } else if (segment.first > expected && !this.#isExplained(before?.number ?? -1, segment.number)) {
      // A power cut or damage may lose numbered records; a gap in the segment reports that.
      const severity = before?.isTorn === true || segment.isTorn ? 'warning' : this.#absent;
      const missing = `none: sequences ${expected} to ${segment.first - 1} are in no segment`;
      findings.add(severity, segment.where, 'segments before it', 'all, or a trace of them', missing);
    }
  }

  #isExplained(after: number, before: number): boolean {
    // An object of a neighbour counts too: with a priority class of its own, it holds some of its sequences.
    for (const number of this.#elsewhere) if (number >= after && number <= before) return true;
    for (const number of this.#unread) if (number >= after && number <= before) return true;
    return false;
  }
}

function numberIn(name: string): number | undefined {
  const id = name.slice(0, SEGMENT_ID_CHARS);
  return isSegmentId(id) ? segmentNumber(id) : undefined;
}
