import { isHoldfastError, systemCode } from '../core/errors.js';
import type { SegmentId } from '../core/segment-id.js';

/** After this many failures a segment is sealed sparingly. After as many sparing failures it is set aside. */
const TRIES = 3;

/**
 * Why sealing a segment failed. `disk`: no space. `system`: the operating system refused something else (file
 * descriptors, a read-only disk). Both are retried without a limit. `own`: this sealer cannot handle the
 * segment itself, and the next attempt would fail too.
 */
export type FailureKind = 'disk' | 'system' | 'own';

/** The consequence of a failure: retry, seal sparingly, or set aside. */
export interface SealFailure {
  readonly kind: FailureKind;
  /** Failures of this segment so far. */
  readonly count: number;
  readonly next: 'again' | 'sparing' | 'aside';
}

interface Known {
  /** Failures since the last {@link SealFailures.beginDrain}; they are told apart from earlier ones. */
  isRecent: boolean;
  count: number;
  /** Failures of kind `system` or `own` in the present mode of sealing. */
  tries: number;
  sparing: boolean;
  kind: FailureKind;
}

/** The failures of the segments that are not sealed yet, and the consequence of each. */
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

  /** The segment was sealed, or set aside. */
  forget(id: SegmentId): void {
    this.#known.delete(id);
  }

  isSparing(id: SegmentId): boolean {
    return this.#known.get(id)?.sparing === true;
  }

  /** Failures until now no longer count as refusals. */
  beginDrain(): void {
    for (const known of this.#known.values()) known.isRecent = false;
  }

  /** The system has refused this segment since {@link beginDrain}, so an immediate retry will not help. */
  isRefused(id: SegmentId): boolean {
    const known = this.#known.get(id);
    return known !== undefined && known.isRecent && known.kind !== 'own';
  }
}

function kindOf(error: unknown): FailureKind {
  if (isHoldfastError(error, 'DISK_FULL')) return 'disk';
  // For an error from the worker, the code is a fact.
  const system = systemCode(error) ?? (isHoldfastError(error) ? error.facts['system'] : undefined);
  if (system === 'ENOSPC' || system === 'EDQUOT') return 'disk';
  return system === undefined ? 'own' : 'system';
}
