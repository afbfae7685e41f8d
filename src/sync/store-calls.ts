import type { Clock } from '../core/clock.js';
import type { ErrorCode } from '../core/error-catalogue.js';
import { HoldfastError, isHoldfastError } from '../core/errors.js';
import { onAbort } from '../core/on-abort.js';
import type { Link } from './link.js';
import { SendingWaits } from './sending-waits.js';

/** Codes that answer about one object: the store works. */
const ANSWERS: ReadonlySet<ErrorCode> = new Set([
  'OBJECT_EXISTS',
  'OBJECT_MISSING',
  'OBJECT_CONFLICT',
  'OBJECT_CORRUPT',
  'UPLOAD_UNKNOWN',
  'UPLOAD_MISMATCH',
  'STORE_REJECTED',
]);

// The slowest link that still counts as alive; with it, a part on a bad radio link may take minutes.
const SLOWEST_BYTES_PER_MS = 16;

/** A store call failed for a reason of the store as a whole, not of this object; try again later. */
export class StoreTrouble extends Error {
  override readonly name = 'StoreTrouble';
  constructor(cause: unknown) {
    super('the store cannot be used now', { cause });
  }
}

export interface StoreCallCounters {
  /** Calls that failed because of the store or the link. */
  errors: number;
}

/**
 * Every call to the store passes through here: it waits for the link, has a time limit, and reports its
 * result.
 */
export class StoreCalls {
  readonly counters: StoreCallCounters = { errors: 0 };
  readonly #clock: Clock;
  #timeoutMs: number;
  readonly #onError: (what: string, error: unknown) => void;
  #link: Link | undefined;

  constructor(clock: Clock, timeoutMs: number, onError: (what: string, error: unknown) => void) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#onError = onError;
  }

  /** For the calls that begin from now on. */
  set timeoutMs(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  attach(link: Link): void {
    this.#link = link;
  }

  /**
   * Runs one call when the link is online. Throws the store's answer about the object (a HoldfastError)
   * unchanged, and everything else as {@link StoreTrouble}, after reporting it to the link. Rejects with the
   * signal's reason, or with `SendingWaits` if the call itself does.
   */
  async call<T>(
    what: string,
    bytes: number,
    signal: AbortSignal,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    await this.#link?.whenOnline(signal);
    try {
      const result = await this.within(what, bytes, signal, run);
      this.#link?.succeeded();
      return result;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof SendingWaits) throw error;
      if (isHoldfastError(error) && ANSWERS.has(error.code)) {
        this.#link?.succeeded();
        throw error;
      }
      this.counters.errors++;
      this.#onError(what, error);
      this.#link?.failed(error);
      throw new StoreTrouble(error);
    }
  }

  /** Only the time limit: `STORE_OFFLINE` if no answer arrives, even from a call that ignores its signal. */
  async within<T>(
    what: string,
    bytes: number,
    signal: AbortSignal,
    run: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const timeoutMs = this.#timeoutMs + bytes / SLOWEST_BYTES_PER_MS;
    const call = new AbortController();
    const timer = new AbortController();
    const unlisten = onAbort(signal, () => call.abort(signal.reason));
    try {
      return await new Promise<T>((resolve, reject) => {
        onAbort(call.signal, () => reject(call.signal.reason as Error));
        this.#clock.sleep(timeoutMs, timer.signal).then(
          () =>
            call.abort(
              new HoldfastError('STORE_OFFLINE', `${what}: no answer from the store in ${timeoutMs} ms`, {
                facts: { what, timeoutMs },
              }),
            ),
          () => undefined,
        );
        run(call.signal).then(resolve, reject);
      });
    } finally {
      timer.abort();
      unlisten();
    }
  }
}
