import type { Manifest } from '../../core/manifest.js';
import type { Findings } from './findings.js';

interface SegmentSequences {
  readonly number: number;
  where: string;
  first: number;
  last: number;
}

/**
 * WAL sequences are never used twice: of one data folder, a later segment begins behind the end of an
 * earlier one. The robots of one segment share its range. One small entry per segment.
 */
export class SequenceLedger {
  readonly #folders = new Map<string, Map<number, SegmentSequences>>();

  add(where: string, { segment, identity, firstSequence, lastSequence }: Manifest): void {
    if (firstSequence === undefined || lastSequence === undefined) return;
    let folder = this.#folders.get(identity.dataFolderId);
    if (folder === undefined) this.#folders.set(identity.dataFolderId, (folder = new Map()));
    const known = folder.get(segment.number);
    if (known === undefined) {
      folder.set(segment.number, { number: segment.number, where, first: firstSequence, last: lastSequence });
      return;
    }
    known.first = Math.min(known.first, firstSequence);
    known.last = Math.max(known.last, lastSequence);
  }

  check(findings: Findings): void {
    for (const folder of this.#folders.values()) {
      const segments = [...folder.values()].sort((a, b) => a.number - b.number);
      segments.forEach((segment, i) => {
        const before = segments[i - 1];
        if (before === undefined || segment.first > before.last) return;
        const expected = `above ${before.last}, the last of segment ${before.number}`;
        findings.add('error', segment.where, 'first WAL sequence', expected, segment.first);
      });
    }
  }
}
