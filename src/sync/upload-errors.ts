import { defined } from '../core/defined.js';
import { HoldfastError, isHoldfastError } from '../core/errors.js';
import { StoreTrouble } from './store-calls.js';
import { isActive, type ActivePhase, type UploadEventKind, type UploadState } from './upload-state.js';

// Each of these sends the segment again; a permanent refusal must not fill the link.
const RESTARTS_MAX = 3;
const CORRUPTIONS_MAX = 3;
const SUFFIX_MAX = 8;

/** A permanent refusal by the store or the file system. */
export const PARKING: ReadonlySet<string> = new Set([
  'STORE_REJECTED',
  'SEGMENT_CORRUPT',
  'MANIFEST_INVALID',
  'IDENTITY_MISSING',
  'TRANSFORM_FAILED',
  'SEGMENT_DELETED',
]);

const REFUSALS: ReadonlySet<string> = new Set([
  'OBJECT_CONFLICT',
  'OBJECT_CORRUPT',
  'OBJECT_EXISTS',
  'UPLOAD_MISMATCH',
  'UPLOAD_UNKNOWN',
]);

/** The store answered and refused: 500 is an answer too, if other calls succeed. */
export function isRefusal(error: unknown): boolean {
  const cause = error instanceof StoreTrouble ? error.cause : error;
  if (!isHoldfastError(cause)) return false;
  return REFUSALS.has(cause.code) || (cause.code === 'STORE_BUSY' && cause.facts['status'] === 500);
}

/** The event that an error means in its phase; `undefined`: none, the phase is tried again. */
export function eventOf(phase: ActivePhase, error: unknown, restarts: number): UploadEventKind | undefined {
  if (error instanceof StoreTrouble) {
    if (phase === 'sending') return 'unsure';
    return phase === 'uploading' ? 'interrupted' : undefined;
  }
  if (!isHoldfastError(error)) return undefined;
  const conditional = phase === 'sending' || phase === 'completing';
  if (conditional && error.code === 'OBJECT_EXISTS') return 'exists';
  if (conditional && error.code === 'OBJECT_CONFLICT') return 'conflict';
  const inParts = phase === 'resuming' || phase === 'uploading' || phase === 'completing';
  if (inParts && error.code === 'UPLOAD_UNKNOWN') return 'upload-unknown';
  // The list may have been wrong once; the second time, the upload itself is.
  if (phase === 'completing' && error.code === 'UPLOAD_MISMATCH') {
    return restarts < 2 ? 'parts-refused' : 'conflict';
  }
  if (phase === 'sending' && error.code === 'OBJECT_CORRUPT') return 'unsure';
  if (phase === 'uploading' && error.code === 'OBJECT_CORRUPT') return 'interrupted';
  if (phase === 'verifying' && error.code === 'OBJECT_MISSING') return 'missing';
  if (phase === 'verifying' && error.code === 'OBJECT_CORRUPT') return 'corrupt';
  return undefined;
}

/** Why an upload must not begin again; `undefined`: it may begin again. */
export function overLimit(state: UploadState, key: string, lastRefusal: unknown): HoldfastError | undefined {
  if (!isActive(state.phase)) return undefined;
  if (state.corruptions >= CORRUPTIONS_MAX) {
    return new HoldfastError(
      'OBJECT_CORRUPT',
      `${key} was sent ${state.corruptions} times and the store holds other bytes each time`,
      { retryable: false, facts: { key, times: state.corruptions } },
    );
  }
  if (state.suffix > SUFFIX_MAX) {
    return new HoldfastError('OBJECT_EXISTS', `${key} and all keys before it hold other bytes`, {
      facts: { key },
    });
  }
  if (state.restarts <= RESTARTS_MAX) return undefined;
  // The store was asked each time. Otherwise the upload would not have started again.
  const why = isHoldfastError(lastRefusal, 'OBJECT_EXISTS')
    ? ': the store says that it exists, and it does not; for a store without conditional writes set --s3-conditional false'
    : '';
  return new HoldfastError(
    'OBJECT_CONFLICT',
    `${key} had to be started again ${state.restarts} times${why}`,
    {
      ...defined({ cause: lastRefusal }),
      facts: { key, restarts: state.restarts },
    },
  );
}
