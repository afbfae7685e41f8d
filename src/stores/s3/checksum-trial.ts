import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import { statusOf } from './s3-errors.js';

/** A refusal may have other reasons; this many in a row, without a success, are attributed to checksums. */
const SUSPECT_AFTER = { part: 3, completion: 2 } as const;

/**
 * Whether new multipart uploads carry checksums, in mode `auto`. They do until the store has refused parts or
 * completions with checksums and has never accepted one. Then they do not, and that stays once an upload
 * without checksums succeeds. If the store refuses those too, checksums were not the reason.
 */
export class ChecksumTrial {
  #state: 'with' | 'trial' | 'without' | 'not-the-reason';
  readonly #refusals = { part: 0, completion: 0 };
  readonly #proven = { part: false, completion: false };

  constructor(mode: 'auto' | 'always' | 'never') {
    this.#state = mode === 'auto' ? 'with' : mode === 'always' ? 'not-the-reason' : 'without';
  }

  /** An upload with checksums was completed. */
  get isProven(): boolean {
    return this.#proven.completion;
  }

  /** An earlier process found that they are refused. */
  recallRefusal(): void {
    this.#state = 'without';
  }

  get carries(): boolean {
    return this.#state === 'with' || this.#state === 'not-the-reason';
  }

  /** Returns whether this is remembered from now on: an upload without checksums has been completed. */
  worked(what: 'part' | 'completion', carried: boolean): boolean {
    this.#refusals[what] = 0;
    if (carried) this.#proven[what] = true;
    if (carried || what === 'part' || this.#state !== 'trial') return false;
    this.#state = 'without';
    return true;
  }

  /** Returns whether an upload with checksums should start again without them. */
  refused(what: 'part' | 'completion', carried: boolean): boolean {
    if (!carried) {
      if (this.#state === 'trial') this.#state = 'not-the-reason';
      return false;
    }
    if (this.#state === 'with' && !this.#proven[what] && ++this.#refusals[what] >= SUSPECT_AFTER[what]) {
      this.#state = 'trial';
    }
    return !this.carries;
  }
}

/** An error that checksums may have caused. */
export function maybeOfChecksums(error: unknown): error is HoldfastError {
  if (!isHoldfastError(error)) return false;
  if (error.code === 'UPLOAD_MISMATCH' || error.code === 'OBJECT_CORRUPT') return true;
  return error.code === 'STORE_BUSY' && statusOf(error.cause) === 500;
}

/** The same error, with advice for a store that accepts no checksums. */
export function withChecksumHint(error: HoldfastError): HoldfastError {
  const hint =
    'the request carried checksums; for a store that does not take them set --s3-checksum when-required';
  const { code, cause, facts, retryable } = error;
  return new HoldfastError(code, `${error.message}; ${hint}`, { cause, facts, retryable });
}
