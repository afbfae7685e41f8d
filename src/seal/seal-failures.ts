import { isHoldfastError, systemCode } from '../core/errors.js';
import type { SegmentId } from '../core/segment-id.js';

/** After so many failures a segment is sealed sparingly, and after so many of those it is set aside. */
const TRIES = 3;

/**
 * How sealing a segment failed. `disk`: no room. `system`: something else the operating system refused (file
 * descriptors, a read-only disk); both are tried again for as long as it takes. `own`: the segment itself is
 * more than this sealer can do, and will be so the next time.
 */
export type FailureKind = 'disk' | 'system' | 'own';

/** What follows from a failure: it is tried again, from now on sparingly, or no more. */
export interface SealFailure {
  readonly kind: FailureKind;
  /** Failures of this segment so far. */
  readonly count: number;
  readonly next: 'again' | 'sparing' | 'aside';
}

interface Known {
  /** Since the last {@link SealFailures.beginDrain}, and yet to be told apart from those before. */
  isRecent: boolean;
  count: number;
  /** Of kind `system` or `own`, since it is sealed the way it is. */
  tries: number;
  sparing: boolean;
  kind: FailureKind;
}

/** The failures of the segments that are not sealed yet, and what each of them leads to. */
export class SealFailures {
  readonly #known = new Map<SegmentId, Known>();

  note(id: SegmentId, error: unknown): SealFailure {
    const kind = kindOf(error);
    const before = this.#known.get(id) ?? { count: 0, tries: 0, sparing: false };
    const known: Known = {
      ...before,
      isRecent: true,
      count: before.count + 1,
      tries: kind === 'disk' ? before.tries : before.tries + 1,
      kind,
    };
    this.#known.set(id, known);
    const { count } = known;
    if (known.tries < TRIES) return { kind, count, next: 'again' };
    if (known.sparing) return { kind, count, next: kind === 'own' ? 'aside' : 'again' };
    known.sparing = true;
    known.tries = 0;
    return { kind, count, next: 'sparing' };
  }

  /** It is sealed, or set aside. */
  forget(id: SegmentId): void {
    this.#known.delete(id);
  }

  isSparing(id: SegmentId): boolean {
    return this.#known.get(id)?.sparing === true;
  }

  /** The failures until now do not count as refusals any more. */
  beginDrain(): void {
    for (const known of this.#known.values()) known.isRecent = false;
  }

  /** Since {@link beginDrain} the system has refused to seal this segment: trying at once will not help. */
  isRefused(id: SegmentId): boolean {
    const known = this.#known.get(id);
    return known !== undefined && known.isRecent && known.kind !== 'own';
  }
}

function kindOf(error: unknown): FailureKind {
  if (isHoldfastError(error, 'DISK_FULL')) return 'disk';
  // An error that came out of the worker tells the code as a fact.
  const system = systemCode(error) ?? (isHoldfastError(error) ? error.facts['system'] : undefined);
  if (system === 'ENOSPC' || system === 'EDQUOT') return 'disk';
  return system === undefined ? 'own' : 'system';
}
