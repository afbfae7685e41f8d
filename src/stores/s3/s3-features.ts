import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { CallOptions, StoreFindings, StoreSupport } from '../../core/store.js';
import type { S3Calls } from './s3-calls.js';
import { ChecksumTrial } from './checksum-trial.js';
import { isNotImplemented, statusOf } from './s3-errors.js';

/**
 * What the store was found to support. Optimistic at first. Each refused call is tried again without the
 * feature; if that works, it is remembered.
 */
export class S3Features {
  readonly #calls: S3Calls;
  #conditionalPut: boolean;
  #conditionalComplete: boolean;
  #fullObjectChecksum: boolean;
  #sawChecksum = false;
  /** Whether requests carry CRC-32s. */
  sendsCrc32: boolean;
  /** For multipart uploads, which are refused late. */
  readonly uploadChecksums: ChecksumTrial;

  constructor(calls: S3Calls) {
    const { conditional, checksum } = calls.options;
    this.#calls = calls;
    this.#conditionalPut = conditional;
    this.#conditionalComplete = conditional;
    this.sendsCrc32 = checksum === 'auto' || checksum === 'crc32';
    this.#fullObjectChecksum = this.sendsCrc32;
    this.uploadChecksums = new ChecksumTrial(
      checksum === 'auto' ? 'auto' : checksum === 'crc32' ? 'always' : 'never',
    );
  }

  /** The store accepted an upload without checksums after it refused one with them. */
  giveUpChecksums(): void {
    this.sendsCrc32 = false;
    this.#fullObjectChecksum = false;
  }

  /** Whether uploads with checksums are accepted. In modes with a fixed choice, nothing is found out. */
  get checksumsFound(): StoreFindings['checksums'] {
    if (this.uploadChecksums.isProven || this.#sawChecksum) return 'taken';
    return this.#calls.options.checksum === 'auto' && !this.sendsCrc32 ? 'refused' : 'unknown';
  }

  /** The store refused checksums in an earlier process. False: irrelevant in this mode. */
  recallRefusal(): boolean {
    if (this.#calls.options.checksum !== 'auto') return false;
    this.giveUpChecksums();
    this.uploadChecksums.recallRefusal();
    return true;
  }

  get supports(): StoreSupport {
    return {
      parallelParts: true,
      conditionalComplete: this.#conditionalComplete,
      conditionalPut: this.#conditionalPut,
      fullObjectChecksum: this.#fullObjectChecksum,
    };
  }

  /** What the last verified object showed. */
  sawFullObjectChecksum(isThere: boolean): void {
    this.#fullObjectChecksum = isThere;
    this.#sawChecksum = isThere;
  }

  /** Writes under the store's own condition, or, if it has none (501), after a check. */
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

  /** Sends with checksums; in mode `auto` without them, if the store refuses the request with them. */
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
    this.giveUpChecksums();
    return result;
  }
}
