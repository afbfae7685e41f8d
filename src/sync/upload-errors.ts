import { HoldfastError, isHoldfastError } from '../core/errors.js';
import { StoreTrouble } from './store-calls.js';
import { isActive, type ActivePhase, type UploadEventKind, type UploadState } from './upload-state.js';

const RESTARTS_MAX = 6;
const CORRUPTIONS_MAX = 3;
const SUFFIX_MAX = 8;

/** The store, or the file, says no for good. */
export const PARKING: ReadonlySet<string> = new Set([
  'STORE_REJECTED',
  'SEGMENT_CORRUPT',
  'MANIFEST_INVALID',
]);

/** What an error means to the phase it happened in; `undefined`: nothing, the phase is tried again. */
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
  // The list may have been wrong once; a second time the upload itself is.
  if (phase === 'completing' && error.code === 'UPLOAD_MISMATCH') {
    return restarts < 2 ? 'parts-refused' : 'conflict';
  }
  if (phase === 'sending' && error.code === 'OBJECT_CORRUPT') return 'unsure';
  if (phase === 'uploading' && error.code === 'OBJECT_CORRUPT') return 'interrupted';
  if (phase === 'verifying' && error.code === 'OBJECT_MISSING') return 'missing';
  if (phase === 'verifying' && error.code === 'OBJECT_CORRUPT') return 'corrupt';
  return undefined;
}

/** Why an upload must not be begun once more; `undefined`: it may. */
export function overLimit(state: UploadState, key: string): HoldfastError | undefined {
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
  return new HoldfastError('OBJECT_CONFLICT', `${key} had to be begun anew ${state.restarts} times`, {
    facts: { key, restarts: state.restarts },
  });
}
