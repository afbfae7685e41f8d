import { McapRecordBuilder, type McapTypes } from '@mcap/core';
import { MESSAGE_PREFIX_BYTES, Op, RECORD_HEADER_BYTES } from '../core/mcap/records.js';

const MESSAGE_HEAD_BYTES = RECORD_HEADER_BYTES + MESSAGE_PREFIX_BYTES;
/** Of a MessageIndex record: opcode, length, channel id and the length of its entries. */
const INDEX_HEAD_BYTES = RECORD_HEADER_BYTES + 6;
const INDEX_ENTRY_BYTES = 16;
const FIRST_BYTES = 64 * 1024;
const FIRST_MESSAGES = 256;

/** The MessageIndex records of a chunk. */
export interface MessageIndexes {
  /** One record per channel, in the order of their first messages, valid until the next message is added. */
  readonly bytes: Uint8Array;
  /** Offset of each channel's record in these bytes. */
  readonly offsets: ReadonlyMap<number, number>;
}

/**
 * Collects the records of one MCAP chunk and their index, in memory that it keeps for the next chunk. It writes the same
 * bytes as `McapChunkBuilder` of `@mcap/core` without an object, a big integer or a copy more per message.
 */
export class ChunkBuilder {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #view = viewOf(this.#bytes);
  #length = 0;
  #messages = 0;
  #startTime = 0n;
  #endTime = 0n;
  /** Row of each channel in this chunk, in the order of their first messages. */
  readonly #rows = new Map<number, number>();
  #counts: number[] = [];
  #lastChannel = -1;
  #lastRow = 0;
  /** Per message: row of its channel, log time, and offset in the records. */
  #messageRows = new Uint16Array(FIRST_MESSAGES);
  #logTimes = new BigUint64Array(FIRST_MESSAGES);
  #offsets = new Float64Array(FIRST_MESSAGES);
  #index = Buffer.alloc(0);

  get messages(): number {
    return this.#messages;
  }

  get byteLength(): number {
    return this.#length;
  }

  /** Log time of the earliest message, nanoseconds since the Unix epoch; 0 without messages. */
  get startTime(): bigint {
    return this.#startTime;
  }

  /** Log time of the latest message. */
  get endTime(): bigint {
    return this.#endTime;
  }

  /** The records so far, valid until the next one is added. */
  get records(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  addSchema(schema: McapTypes.Schema): void {
    const record = new McapRecordBuilder();
    record.writeSchema(schema);
    this.#append(record.buffer);
  }

  addChannel(channel: McapTypes.Channel): void {
    const record = new McapRecordBuilder();
    record.writeChannel(channel);
    this.#append(record.buffer);
  }

  /** Times are nanoseconds since the Unix epoch. Copies `data`. */
  addMessage(
    channelId: number,
    sequence: number,
    logTime: bigint,
    publishTime: bigint,
    data: Uint8Array,
  ): void {
    const at = this.#length;
    this.#reserve(MESSAGE_HEAD_BYTES + data.byteLength);
    const view = this.#view;
    view.setUint8(at, Op.message);
    setLength(view, at + 1, MESSAGE_PREFIX_BYTES + data.byteLength);
    view.setUint16(at + 9, channelId, true);
    view.setUint32(at + 11, sequence, true);
    view.setBigUint64(at + 15, logTime, true);
    view.setBigUint64(at + 23, publishTime, true);
    this.#bytes.set(data, at + MESSAGE_HEAD_BYTES);
    this.#length = at + MESSAGE_HEAD_BYTES + data.byteLength;
    this.#note(channelId, logTime, at);
  }

  /** The indexes of the messages so far. */
  indexes(): MessageIndexes {
    const rows = this.#counts.length;
    const length = rows * INDEX_HEAD_BYTES + this.#messages * INDEX_ENTRY_BYTES;
    if (this.#index.length < length) this.#index = Buffer.allocUnsafeSlow(2 * length);
    const view = viewOf(this.#index);
    const offsets = new Map<number, number>();
    /** Position of the next entry of each row. */
    const next: number[] = [];
    let at = 0;
    for (const [channelId, row] of this.#rows) {
      const entries = (this.#counts[row] as number) * INDEX_ENTRY_BYTES;
      offsets.set(channelId, at);
      view.setUint8(at, Op.messageIndex);
      setLength(view, at + 1, INDEX_HEAD_BYTES - RECORD_HEADER_BYTES + entries);
      view.setUint16(at + 9, channelId, true);
      view.setUint32(at + 11, entries, true);
      next.push(at + INDEX_HEAD_BYTES);
      at += INDEX_HEAD_BYTES + entries;
    }
    for (let i = 0; i < this.#messages; i++) {
      const row = this.#messageRows[i] as number;
      const entry = next[row] as number;
      view.setBigUint64(entry, this.#logTimes[i] as bigint, true);
      setLength(view, entry + 8, this.#offsets[i] as number);
      next[row] = entry + INDEX_ENTRY_BYTES;
    }
    return { bytes: this.#index.subarray(0, length), offsets };
  }

  /** Starts the next chunk. */
  reset(): void {
    this.#length = 0;
    this.#messages = 0;
    this.#startTime = 0n;
    this.#endTime = 0n;
    this.#rows.clear();
    this.#counts = [];
    this.#lastChannel = -1;
  }

  #note(channelId: number, logTime: bigint, offset: number): void {
    const i = this.#messages++;
    if (i === 0 || logTime < this.#startTime) this.#startTime = logTime;
    if (i === 0 || logTime > this.#endTime) this.#endTime = logTime;
    if (i === this.#logTimes.length) this.#growIndex();
    const row = channelId === this.#lastChannel ? this.#lastRow : this.#rowOf(channelId);
    this.#counts[row] = (this.#counts[row] as number) + 1;
    this.#messageRows[i] = row;
    this.#logTimes[i] = logTime;
    this.#offsets[i] = offset;
  }

  #rowOf(channelId: number): number {
    let row = this.#rows.get(channelId);
    if (row === undefined) {
      row = this.#counts.push(0) - 1;
      this.#rows.set(channelId, row);
    }
    this.#lastChannel = channelId;
    this.#lastRow = row;
    return row;
  }

  #append(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.byteLength;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }

  #growIndex(): void {
    const length = 2 * this.#logTimes.length;
    const rows = new Uint16Array(length);
    rows.set(this.#messageRows);
    this.#messageRows = rows;
    const times = new BigUint64Array(length);
    times.set(this.#logTimes);
    this.#logTimes = times;
    const offsets = new Float64Array(length);
    offsets.set(this.#offsets);
    this.#offsets = offsets;
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView =>
  new DataView(buffer, byteOffset, byteLength);

/** A length or offset as MCAP writes it, in 64 bits. */
function setLength(view: DataView, at: number, length: number): void {
  view.setUint32(at, length % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(length / 2 ** 32), true);
}
