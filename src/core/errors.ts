import { errorCatalogue, type ErrorCode } from './error-catalogue.js';

/** Facts an error carries as data: the thing, the value, what is allowed. */
export type ErrorFacts = Readonly<Record<string, unknown>>;

export interface HoldfastErrorOptions {
  readonly cause?: unknown;
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

  override readonly name = 'HoldfastError';
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: HoldfastErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
    this.retryable = options.retryable ?? errorCatalogue[code].retryable;
  }

  /** By brand, not by prototype: a second copy of this module (required and imported) is the same class. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/** True for a HoldfastError, of the given code where one is given. */
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
      parts.push(String(at));
      break;
    }
    parts.push(at.message || at.name);
    at = at.cause;
  }
  // Many messages repeat that of their cause; said once is enough.
  return parts.filter((part, index) => !parts.slice(0, index).some((one) => one.includes(part))).join(': ');
}

/** For the end of an exhaustive switch. */
export function assertNever(value: never): never {
  throw new HoldfastError('INTERNAL', `unexpected value ${JSON.stringify(value)}`);
}
