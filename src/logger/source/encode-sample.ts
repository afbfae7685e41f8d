import { LIST_MAX, type MessageDefinition } from '../../core/ros/message-definition.js';
import { RECORD_HEAD_BYTES, RingCounter, type RingWriter } from './ring.js';
import { Code, planOf, type Plan } from './sample-plan.js';

type Source = Readonly<Record<string, unknown>>;

/**
 * Writes samples of one type into a ring as CDR. Everything is copied during the call; it keeps nothing of
 * the sample and allocates nothing. Made for the control loop's own thread.
 */
export class SampleEncoder {
  /** Why the last sample was rejected. */
  problem = '';
  readonly #root: Plan;
  readonly #f64: Float64Array;
  readonly #f32: Float32Array;
  readonly #i32: Int32Array;
  readonly #i16: Int16Array;
  readonly #i64: BigInt64Array;
  readonly #bytes: Uint8Array;
  #receivedUs = 0;
  #notFinite = 0;
  #isBusy = false;

  constructor(
    readonly ring: RingWriter,
    definition: MessageDefinition,
  ) {
    this.#root = planOf(definition);
    this.#f64 = ring.f64;
    this.#i32 = ring.i32;
    this.#bytes = ring.bytes;
    const { buffer, byteOffset, byteLength } = ring.bytes;
    this.#f32 = new Float32Array(buffer, byteOffset, byteLength >> 2);
    this.#i16 = new Int16Array(buffer, byteOffset, byteLength >> 1);
    this.#i64 = new BigInt64Array(buffer, byteOffset, byteLength >> 3);
  }

  /** Queues the sample, or counts why it cannot. Never throws. */
  write(sample: unknown, receivedUs: number): boolean {
    const { ring } = this;
    // A getter of the sample that logs would overwrite the present record.
    if (this.#isBusy) return this.refuse('a sample logged from inside another', receivedUs);
    this.#isBusy = true;
    try {
      if (typeof sample !== 'object' || sample === null) {
        return this.refuse(`a sample is an object, this is ${kindOf(sample)}`, receivedUs);
      }
      const offset = ring.reserve(RECORD_HEAD_BYTES + this.#largest(sample as Source));
      if (offset < 0) {
        ring.drop(receivedUs);
        return false;
      }
      this.#receivedUs = receivedUs;
      this.#notFinite = 0;
      const end = this.#fields(this.#root, sample as Source, offset + RECORD_HEAD_BYTES, undefined);
      if (end < 0) {
        ring.reject(receivedUs);
        return false;
      }
      ring.counters[RingCounter.notFinite]! += this.#notFinite;
      ring.commit(offset, end, receivedUs);
      return true;
    } catch (error) {
      return this.refuse(`reading it threw ${kindOf(error)}`, receivedUs);
    } finally {
      this.#isBusy = false;
    }
  }

  /** Counts a sample that is not read. */
  refuse(problem: string, receivedUs: number): false {
    this.problem = problem;
    this.ring.reject(receivedUs);
    return false;
  }

  /** Maximum size of the body, bytes. */
  #largest(sample: Source): number {
    const { elements, keys, bytes } = this.#root;
    let sum = bytes;
    for (let i = 0; i < elements.length; i++) {
      const element = elements[i];
      if (element !== undefined) sum += 8 + Math.min(sizeOf(sample[keys[i]!]), LIST_MAX) * element.bytes;
    }
    return sum;
  }

  /** Writes the fields from `at` on; returns where they end, or -1 with the problem. */
  #fields(of: Plan, source: Source, at: number, id: string | undefined): number {
    const { codes, keys } = of;
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!;
      if (code === Code.receiveTime) {
        const sec = Math.floor(this.#receivedUs / 1e6);
        at = (at + 3) & ~3;
        this.#i32[at >> 2] = sec;
        this.#i32[(at + 4) >> 2] = (this.#receivedUs - sec * 1e6) * 1e3;
        at += 8;
        continue;
      }
      const value = code === Code.id && id !== undefined ? id : source[keys[i]!];
      if (code === Code.float64) {
        at = (at + 7) & ~7;
        if (typeof value === 'number') {
          // Programs do have NaN and infinities; they are recorded, and counted.
          if (value - value !== 0) this.#notFinite++;
          this.#f64[at >> 3] = value;
        } else if (value === undefined && of.optional[i]!) this.#f64[at >> 3] = NaN;
        else return this.#bad(of, i, 'a number', value);
        at += 8;
        continue;
      }
      at = this.#other(of, i, code, value, at);
      if (at < 0) return -1;
    }
    return at;
  }

  #other(of: Plan, i: number, code: number, value: unknown, at: number): number {
    switch (code) {
      case Code.float32:
        if (typeof value !== 'number') return this.#bad(of, i, 'a number', value);
        if (value - value !== 0) this.#notFinite++;
        at = (at + 3) & ~3;
        this.#f32[at >> 2] = value;
        return at + 4;
      case Code.bool:
        if (typeof value !== 'boolean') return this.#bad(of, i, 'true or false', value);
        this.#bytes[at] = value ? 1 : 0;
        return at + 1;
      case Code.string:
        if (value === undefined && of.optional[i]!) return this.#text(of, i, '', at);
        if (typeof value !== 'string') return this.#bad(of, i, 'a text', value);
        return this.#text(of, i, value, at);
      case Code.id:
        if (typeof value === 'string') return this.#text(of, i, value, at);
        if (!Number.isSafeInteger(value)) return this.#bad(of, i, 'an integer or a text', value);
        if ((value as number) < 0 || (value as number) > 9) return this.#text(of, i, String(value), at);
        // Fleets are small: most names are one digit.
        at = (at + 3) & ~3;
        this.#i32[at >> 2] = 2;
        this.#bytes[at + 4] = 0x30 + (value as number);
        this.#bytes[at + 5] = 0;
        return at + 6;
      case Code.int64:
      case Code.uint64:
        return this.#wide(of, i, code, value, at);
      case Code.list:
        return this.#list(of, i, value, at);
      default:
        return this.#integer(of, i, code, value, at);
    }
  }

  #integer(of: Plan, i: number, code: number, value: unknown, at: number): number {
    const [low, high] = [of.low[i]!, of.high[i]!];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high) {
      return this.#bad(of, i, `an integer from ${low} to ${high}`, value);
    }
    if (code === Code.int8 || code === Code.uint8) {
      this.#bytes[at] = value;
      return at + 1;
    }
    if (code === Code.int16 || code === Code.uint16) {
      at = (at + 1) & ~1;
      this.#i16[at >> 1] = value;
      return at + 2;
    }
    at = (at + 3) & ~3;
    this.#i32[at >> 2] = value;
    return at + 4;
  }

  #wide(of: Plan, i: number, code: number, value: unknown, at: number): number {
    const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value);
    const whole = isWhole ? BigInt(value as number | bigint) : 0n;
    const fits = code === Code.int64 ? BigInt.asIntN(64, whole) : BigInt.asUintN(64, whole);
    if (!isWhole || fits !== whole) return this.#bad(of, i, 'an integer of 64 bits', value);
    at = (at + 7) & ~7;
    this.#i64[at >> 3] = whole;
    return at + 8;
  }

  #list(of: Plan, i: number, value: unknown, at: number): number {
    const element = of.elements[i]!;
    const count = sizeOf(value);
    if (count < 0) return this.#bad(of, i, 'a list, a Map or an object', value);
    if (count > LIST_MAX) {
      this.problem = `${of.names[i]!} has ${count} elements, allowed are ${LIST_MAX}`;
      return -1;
    }
    at = (at + 3) & ~3;
    const lengthAt = at >> 2;
    at += 4;
    this.#i32[lengthAt] = count;
    // Never more elements than were counted: room is reserved for those, and a getter may add to the list.
    if (Array.isArray(value)) {
      for (let k = 0; k < count && at >= 0; k++) at = this.#element(of, i, element, value[k], at, undefined);
      return at;
    }
    const isMap = value instanceof Map;
    const ids: Iterable<unknown> = isMap ? value.keys() : Object.keys(value as Source);
    let left = count;
    for (const id of ids) {
      if (left-- === 0) break;
      const one: unknown = isMap ? value.get(id) : (value as Source)[id as string];
      at = this.#element(of, i, element, one, at, String(id));
      if (at < 0) return -1;
    }
    return left > 0 ? this.#bad(of, i, 'left alone while it is logged', value) : at;
  }

  #element(of: Plan, i: number, element: Plan, one: unknown, at: number, id: string | undefined): number {
    if (typeof one !== 'object' || one === null) return this.#bad(of, i, 'of objects', one);
    return this.#fields(element, one as Source, at, id);
  }

  /** A text in CDR: length, UTF-8, a zero. */
  #text(of: Plan, i: number, value: string, at: number): number {
    const max = of.maxBytes[i]!;
    at = (at + 3) & ~3;
    const lengthAt = at >> 2;
    const from = at + 4;
    const bytes = this.#bytes;
    // A text with more characters cannot have fewer bytes.
    if (value.length > max) return this.#tooLong(of, i, value.length);
    let to = from;
    for (let k = 0; k < value.length; k++) {
      const unit = value.charCodeAt(k);
      if (unit < 0x80) {
        // A zero inside would end the text for readers in C.
        if (unit !== 0) bytes[to++] = unit;
        continue;
      }
      // Anything else is rare, and is copied first, because no encoder writes into shared memory.
      const encoded = Buffer.from(value.replaceAll('\0', ''), 'utf8');
      if (encoded.length > max) return this.#tooLong(of, i, encoded.length);
      for (let b = 0; b < encoded.length; b++) bytes[from + b] = encoded[b]!;
      to = from + encoded.length;
      break;
    }
    bytes[to] = 0;
    this.#i32[lengthAt] = to + 1 - from;
    return to + 1;
  }

  #tooLong(of: Plan, i: number, bytes: number): -1 {
    this.problem = `${of.names[i]!} has ${bytes} bytes, allowed are ${of.maxBytes[i]!}`;
    return -1;
  }

  #bad(of: Plan, i: number, allowed: string, value: unknown): -1 {
    this.problem = `${of.names[i]!} must be ${allowed}, it is ${kindOf(value)}`;
    return -1;
  }
}

/** Number of elements of a list in any of its forms; -1: not a list. */
function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  if (typeof value !== 'object' || value === null) return -1;
  return Object.keys(value).length;
}

/** A description of a value that is never long and never throws. */
function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') {
    return String(value).slice(0, 24);
  }
  if (typeof value === 'string') return `a text of ${value.length} characters`;
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}
