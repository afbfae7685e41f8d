import { HoldfastError, isHoldfastError } from '../core/errors.js';
import type { CallOptions } from '../core/store.js';
import type { ByteRange } from './byte-range.js';
import { ID_KEY, MARK_MAX_BYTES, markKey } from './object-key.js';
import { checkStoreId, ID_MAX_BYTES, parseStoreId } from './store-id.js';

/** The calls of an object store that {@link OwnObjects} needs, by full key. */
export interface ObjectCalls {
  /** Throws `OBJECT_MISSING`. */
  get(fullKey: string, range: ByteRange, options: CallOptions): AsyncIterable<Uint8Array>;
  /** Throws `OBJECT_EXISTS` with `ifAbsent`. */
  put(fullKey: string, data: Buffer, ifAbsent: boolean, options: CallOptions): Promise<unknown>;
}

/** Holdfast's own small objects in an object store: the id object and the marks. */
export class OwnObjects {
  readonly #uri: string;
  readonly #base: string;
  readonly #calls: ObjectCalls;

  /** @param base - Of all keys: the prefix with a slash, or nothing. */
  constructor(uri: string, base: string, calls: ObjectCalls) {
    this.#uri = uri;
    this.#base = base;
    this.#calls = calls;
  }

  async readId(options: CallOptions): Promise<string | undefined> {
    const text = await this.#read(ID_KEY, ID_MAX_BYTES, options);
    return text === undefined ? undefined : parseStoreId(text, this.#uri);
  }

  async createId(id: string, options: CallOptions): Promise<string> {
    checkStoreId(id);
    try {
      await this.#calls.put(this.#base + ID_KEY, Buffer.from(`${id}\n`), true, options);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    }
    const now = await this.readId(options);
    if (now === undefined) throw new HoldfastError('STORE_OFFLINE', `${this.#uri} lost its new id object`);
    return now;
  }

  readMark(name: string, options: CallOptions): Promise<string | undefined> {
    return this.#read(markKey(name), MARK_MAX_BYTES, options);
  }

  async writeMark(name: string, text: string, options: CallOptions): Promise<void> {
    await this.#calls.put(this.#base + markKey(name), Buffer.from(text), false, options);
  }

  async #read(key: string, maxBytes: number, options: CallOptions): Promise<string | undefined> {
    try {
      const chunks: Uint8Array[] = [];
      const range = { start: 0, end: maxBytes };
      for await (const chunk of this.#calls.get(this.#base + key, range, options)) chunks.push(chunk);
      return Buffer.concat(chunks).toString('latin1');
    } catch (error) {
      if (isHoldfastError(error, 'OBJECT_MISSING')) return undefined;
      throw error;
    }
  }
}
