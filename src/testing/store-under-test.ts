import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ErrorCode } from '../core/error-catalogue.js';
import { errorCatalogue } from '../core/error-catalogue.js';
import { HoldfastError } from '../core/errors.js';
import type { ObjectDigest, Receipt, Store, Upload } from '../core/store.js';
import { present } from '../core/present.js';
import { bytesOf } from './seeded-bytes.js';

/** One empty store for one test. */
export interface StoreHarness {
  /** Empty. */
  readonly store: Store;
  /** A second adapter on the same backing, as after a restart. */
  reopen(): Promise<Store>;
  /** Flips one bit of a stored object without the adapter; absent if that is not possible. */
  readonly corrupt?: (key: string) => Promise<void>;
  /** Removes the store and its content. */
  close(): Promise<void>;
}

export interface ContractOptions {
  /** Size in bytes of all parts but the last; small if the store allows it. */
  readonly partBytes: number;
  /** Number of parts that needs a second page of `listParts`. */
  readonly manyParts: number;
  /** The store refuses a key below an object (`a` and `a/b`), as a folder does. Default: false. */
  readonly isFolder?: boolean;
  /**
   * A completed upload's id still answers (Swift); harmless as long as the same bytes are sent. Default:
   * false.
   */
  readonly remembersCompleted?: boolean;
  /** It has `sendWhole`. */
  readonly sendsWhole?: boolean;
  /** False: unfinished uploads are not listed without their key (MinIO). Default: true. */
  readonly listsUploads?: boolean;
}

export function digestOf(data: Uint8Array): ObjectDigest {
  return {
    bytes: data.byteLength,
    sha256: createHash('sha256').update(data).digest('hex'),
    crc32: crc32(data),
  };
}

export async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

/** Passes if the call fails with one of these codes, as a HoldfastError with its catalogue's `retryable`. */
export async function assertCode(call: Promise<unknown>, ...codes: ErrorCode[]): Promise<HoldfastError> {
  let failure: HoldfastError | undefined;
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof HoldfastError, `not a HoldfastError: ${String(error)}`);
    assert.ok(codes.includes(error.code), `${error.code} (${error.message}), expected ${codes.join(' or ')}`);
    assert.equal(error.retryable, errorCatalogue[error.code].retryable);
    failure = error;
    return true;
  });
  return failure as HoldfastError;
}

export const ID = '0123456789abcdef0123456789abcdef';
export const OTHER_ID = 'fedcba9876543210fedcba9876543210';
export const KEY = 'robot=r1/date=2026-11-21/hour=08/000000000001-aa.mcap';

/** The store of the running test, opened empty before it and closed after it. */
export class StoreUnderTest {
  readonly #open: () => Promise<StoreHarness>;
  #harness: StoreHarness | undefined;

  constructor(
    readonly options: ContractOptions,
    open: () => Promise<StoreHarness>,
  ) {
    this.#open = open;
  }

  async begin(): Promise<void> {
    this.#harness = await this.#open();
  }

  async end(): Promise<void> {
    await this.#harness?.close();
  }

  get harness(): StoreHarness {
    return present(this.#harness);
  }

  get store(): Store {
    return this.harness.store;
  }

  /** Begins an upload and sends the parts. */
  async send(key: string, parts: readonly Buffer[]): Promise<[Upload, Receipt[]]> {
    const upload = await this.store.createUpload(key);
    const receipts: Receipt[] = [];
    for (const [index, part] of parts.entries()) {
      receipts.push(await this.store.uploadPart(upload, index + 1, part));
    }
    return [upload, receipts];
  }

  /** Full parts and a short last one. */
  partsOf(count: number, seed = 1): Buffer[] {
    return Array.from({ length: count }, (_, index) =>
      bytesOf(index === count - 1 ? 1234 : this.options.partBytes, seed + index),
    );
  }
}
