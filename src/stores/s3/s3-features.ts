import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { CallOptions, StoreSupport } from '../../core/store.js';
import type { S3Calls } from './s3-calls.js';
import { isNotImplemented, statusOf } from './s3-errors.js';

/**
 * What the store turned out to support. Optimistic at first; each refusal is tried again without the
 * feature, and remembered once that works.
 */
export class S3Features {
  readonly #calls: S3Calls;
  #conditionalPut: boolean;
  #conditionalComplete: boolean;
  #fullObjectChecksum: boolean;
  /** Whether requests carry CRC-32s. */
  sendsCrc32: boolean;

  constructor(calls: S3Calls) {
    const { conditional, checksum } = calls.options;
    this.#calls = calls;
    this.#conditionalPut = conditional;
    this.#conditionalComplete = conditional;
    this.sendsCrc32 = checksum === 'auto' || checksum === 'crc32';
    this.#fullObjectChecksum = this.sendsCrc32;
  }

  get supports(): StoreSupport {
    return {
      parallelParts: true,
      conditionalComplete: this.#conditionalComplete,
      conditionalPut: this.#conditionalPut,
      fullObjectChecksum: this.#fullObjectChecksum,
    };
  }

  /** What the last object that was verified showed. */
  sawFullObjectChecksum(isThere: boolean): void {
    this.#fullObjectChecksum = isThere;
  }

  /** Writes under the store's own condition, or, where it has none (501), after a look. */
  async ifAbsent<T>(
    what: 'put' | 'complete',
    fullKey: string,
    options: CallOptions,
    write: (conditional: boolean) => Promise<T>,
  ): Promise<T> {
    if (what === 'put' ? this.#conditionalPut : this.#conditionalComplete) {
      try {
        return await write(true);
      } catch (error) {
        if (!(isHoldfastError(error) && isNotImplemented(error.cause))) throw error;
      }
    }
    if (await this.#calls.head(fullKey, false, options)) {
      throw new HoldfastError('OBJECT_EXISTS', `${this.#calls.uri} already has ${fullKey}`, {
        facts: { key: fullKey },
      });
    }
    const result = await write(false);
    if (what === 'put') this.#conditionalPut = false;
    else this.#conditionalComplete = false;
    return result;
  }

  /** Sends with checksums; in mode `auto` without, where the store refuses the request that carries them. */
  async withChecksum<T>(send: (withChecksum: boolean) => Promise<T>): Promise<T> {
    if (!this.sendsCrc32) return send(false);
    try {
      return await send(true);
    } catch (error) {
      if (this.#calls.options.checksum !== 'auto' || !isHoldfastError(error, 'STORE_REJECTED')) throw error;
      const status = statusOf(error.cause);
      if (status !== 400 && status !== 501) throw error;
    }
    const result = await send(false);
    this.sendsCrc32 = false;
    this.#fullObjectChecksum = false;
    return result;
  }
}
