import { errorCatalogue, type ErrorCode } from './error-catalogue.js';
import { plainText } from './plain-text.js';

/** Facts of an error as data: the thing, the value, what is allowed. */
export type ErrorFacts = Readonly<Record<string, unknown>>;

/** Options of a {@link HoldfastError}. */
export interface HoldfastErrorOptions {
  /** The error that caused it. */
  readonly cause?: unknown;
  /** The thing, the value and what is allowed, as data. */
  readonly facts?: ErrorFacts;
  /** Overrides the catalogue: whether trying again later can succeed. */
  readonly retryable?: boolean;
}

const brand = Symbol.for('holdfast.error');

/** The one error class. `code` is stable and listed in docs/errors.md. */
export class HoldfastError extends Error {
  get [brand](): true {
    return true;
  }

  /** The same for all errors of this class. */
  override readonly name = 'HoldfastError';
  /** Stable; docs/errors.md lists all of them. */
  readonly code: ErrorCode;
  /** The thing, the value and what is allowed, as data. */
  readonly facts: ErrorFacts;
  /** The same call may succeed later. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
    this.retryable = options.retryable ?? errorCatalogue[code].retryable;
  }

  /**
   * Checked by brand, not by prototype: a second copy of this module (one required, one imported) has another
   * prototype.
   */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** True for a HoldfastError; with `code`, only for that code. */
export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  return error instanceof HoldfastError && (code === undefined || error.code === code);
}

/** The system error code (`ENOSPC`, `ECONNRESET`, ...) of an error or of anything in its cause chain. */
export function systemCode(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const code = (at as NodeJS.ErrnoException).code;
    if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) return code;
  }
  return undefined;
}

/** One line for a person: the message and those of its causes. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (let at = error, depth = 0; at !== undefined && depth < 8; depth++) {
    if (!(at instanceof Error)) {
      parts.push(plainText(at));
      break;
    }
    parts.push(at.message || at.name);
    at = at.cause;
  }
  // Many messages repeat the message of their cause; one mention is enough.
  return parts.filter((part, index) => !parts.slice(0, index).some((one) => one.includes(part))).join(': ');
}

/** For the end of an exhaustive switch. */
export function assertNever(value: never): never {
  throw new HoldfastError('INTERNAL', `unexpected value ${JSON.stringify(value)}`);
}
