import { createHash } from 'node:crypto';
import { bytesLeftOver, CDR_HEAD_BYTES, type CdrKind, type Layout } from '../../core/ros/cdr-kind.js';
import {
  holdsWide,
  minimumBytes,
  primitiveBytes,
  type Primitive,
  type StructNode,
  type TypeNode,
} from './type-tree.js';

/** A message of XCDR2, rewritten as plain CDR (XCDR1). */
export interface PlainCdr {
  readonly payload: Uint8Array;
  /** Number of bytes after the message, without padding. */
  readonly leftOver: number;
  /** How nested structs are encoded in the given payload. */
  readonly nested: Layout;
}

/**
 * Encoding of a wide text, by what its length counts. `bytes`: the bytes of characters of two bytes
 * (DDS-XTypes 1.3; Cyclone DDS). `count of two`: characters of two bytes. `count of four`: characters of four
 * bytes (rosidl on Fast DDS).
 */
type WideForm = 'bytes' | 'count of two' | 'count of four';

const wideForms: readonly WideForm[] = ['bytes', 'count of two', 'count of four'];
/** For a type without a wide text. */
const anyWideForm: readonly WideForm[] = ['bytes'];

/** How nested structs may be encoded, most likely first, by how the outermost one is. */
const nestedLayouts: Readonly<Record<Layout, readonly Layout[]>> = {
  final: ['final', 'delimited', 'mutable'],
  delimited: ['delimited', 'final', 'mutable'],
  mutable: ['mutable', 'delimited', 'final'],
};

/**
 * Rewrites XCDR2 payloads (DDS-XTypes 1.3, 7.4.3.5) of one type as plain CDR, so that one decoder serves
 * both. A ros2msg definition does not say whether nested structs are final, appendable or mutable. They are
 * taken to be like the outermost one, which the payload describes; if the sizes contradict that, another kind
 * is tried.
 *
 * Members of a mutable struct have numbers, which a ros2msg definition does not contain either. They are the
 * default ones: 0, 1, 2 in the order of the definition, or all of them hashes of the names. A struct with
 * other numbers, in another order or without one of its members is refused, because its values could only be
 * guessed.
 */
export class Xcdr2 {
  readonly #type: StructNode;
  readonly #hasNested: boolean;
  readonly #hasWide: boolean;

  constructor(type: StructNode) {
    this.#type = type;
    this.#hasNested = type.fields.some(({ node }) => holdsStruct(node));
    this.#hasWide = holdsWide(type);
  }

  /** Throws an Error with what does not fit; a value never moves to another field. */
  toPlain(payload: Uint8Array, kind: CdrKind): PlainCdr {
    const ways = this.#hasNested ? nestedLayouts[kind.layout] : [kind.layout];
    let reason: unknown;
    for (const nested of ways) {
      const found: PlainCdr[] = [];
      for (const wide of this.#hasWide ? wideForms : anyWideForm) {
        try {
          found.push(this.#rewritten(payload, kind, nested, wide));
        } catch (error) {
          reason ??= error;
        }
      }
      const [first, ...others] = found;
      if (first === undefined) continue;
      if (others.some((one) => Buffer.compare(one.payload, first.payload) !== 0)) {
        throw new Error('its wide texts can be read with characters of two bytes and of four');
      }
      return first;
    }
    throw reason;
  }

  #rewritten(payload: Uint8Array, kind: CdrKind, nested: Layout, wide: WideForm): PlainCdr {
    const isGuess = this.#hasNested || this.#hasWide;
    const rewriter = new Rewriter(payload, kind.littleEndian, nested, this.#hasNested, wide);
    const leftOver = bytesLeftOver(payload, rewriter.root(this.#type, kind.layout));
    // Leftover bytes may also mean that sizes were read as values, or wide characters with another width.
    if (leftOver > 0 && isGuess) throw new Error(`${leftOver} bytes are left behind the message`);
    return { payload: rewriter.bytes(), leftOver, nested };
  }
}

function holdsStruct(node: TypeNode): boolean {
  if (node.kind === 'list') return holdsStruct(node.element);
  // A time is a struct of two numbers.
  return node.kind === 'struct' || node.type === 'time' || node.type === 'duration';
}

/** A time or a duration. */
export const timeType: StructNode = {
  kind: 'struct',
  fields: [
    { name: 'sec', node: { kind: 'primitive', type: 'int32' } },
    { name: 'nanosec', node: { kind: 'primitive', type: 'uint32' } },
  ],
};

/** The number of a member of a type with hashed numbers (DDS-XTypes 1.3, 7.3.1.2.1.1). */
function memberHash(name: string): number {
  return createHash('md5').update(name).digest().readUInt32LE(0) & 0x0fff_ffff;
}

/** Lists of numbers have no size before them in XCDR2. */
export function isNumber(type: Primitive): boolean {
  return type !== 'string' && type !== 'wstring' && type !== 'time' && type !== 'duration';
}

/** Walks along the definition, reads XCDR2 and writes XCDR1 of the same byte order. */
class Rewriter {
  readonly #view: DataView;
  #at = CDR_HEAD_BYTES;
  #out: Buffer;
  #to = CDR_HEAD_BYTES;

  constructor(
    readonly payload: Uint8Array,
    readonly littleEndian: boolean,
    /** How nested structs are encoded. */
    readonly nested: Layout,
    /**
     * Only the last byte of a text is 0. Without this check, the size of a struct and a text in it could look
     * like a longer text.
     */
    readonly strictTexts: boolean,
    readonly wide: WideForm,
  ) {
    this.#view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#out = Buffer.alloc(payload.byteLength + 64);
    this.#out[1] = littleEndian ? 1 : 0;
  }

  bytes(): Uint8Array {
    return this.#out.subarray(0, this.#to);
  }

  /** Returns the end of the message. */
  root(type: StructNode, layout: Layout): number {
    this.#struct(type, layout);
    return this.#at;
  }

  #struct(type: StructNode, layout: Layout): void {
    if (layout === 'mutable') this.#mutable(type);
    else this.#sized(layout === 'delimited', () => this.#fields(type));
  }

  #value(node: TypeNode): void {
    if (node.kind === 'struct') {
      this.#struct(node, this.nested);
      return;
    }
    if (node.kind === 'list') {
      this.#list(node);
      return;
    }
    if (isNumber(node.type)) {
      this.#numbers(1, primitiveBytes[node.type]);
      return;
    }
    if (node.type === 'string') {
      this.#text();
      return;
    }
    if (node.type === 'wstring') {
      this.#wideText();
      return;
    }
    this.#struct(timeType, this.nested);
  }

  /** Each member has its number and size before it. */
  #mutable(type: StructNode): void {
    const bytes = this.#length();
    this.#expect(bytes);
    const end = this.#at + bytes;
    let hasHashes: boolean | undefined;
    type.fields.forEach(({ name, node }, index) => {
      const { number, start, size } = this.#memberHead(name, end);
      hasHashes ??= number !== 0 || index !== 0;
      const expected = hasHashes ? memberHash(name) : index;
      if (number !== expected) {
        throw new Error(
          `member ${name} has the number ${number}, expected ${expected}: it is another's, or named in IDL`,
        );
      }
      this.#value(node);
      const found = this.#at - start;
      if (found !== size) throw new Error(`member ${name} of ${size} bytes, by its definition ${found}`);
    });
    // IDL has no empty struct: its replacement has a member of one byte, or none.
    if (type.fields.length === 0) {
      this.#at = end;
      this.#reserve(1);
      this.#to += 1;
    }
    if (this.#at !== end)
      throw new Error(`a struct of ${bytes} bytes ends ${end - this.#at} bytes behind its last member`);
  }

  /** EMHEADER1 and NEXTINT (DDS-XTypes 1.3, 7.4.3.4.2). */
  #memberHead(name: string, end: number): { number: number; start: number; size: number } {
    if (this.#at >= end) throw new Error(`member ${name} is not there`);
    const head = this.#length();
    const code = (head >>> 28) & 7;
    const number = head & 0x0fff_ffff;
    if (code < 4) return { number, start: this.#at, size: 1 << code };
    const next = this.#length();
    if (code === 4) return { number, start: this.#at, size: next };
    // The length is the member's own first four bytes.
    this.#at -= 4;
    return { number, start: this.#at, size: 4 + next * (code === 5 ? 1 : code === 6 ? 4 : 8) };
  }

  #fields({ fields }: StructNode): void {
    for (const { node } of fields) this.#value(node);
    // An empty message has one byte, because IDL has no empty struct.
    if (fields.length === 0) this.#numbers(1, 1);
  }

  #list({ element, length }: Extract<TypeNode, { kind: 'list' }>): void {
    const isSequence = length === undefined;
    if (element.kind === 'primitive' && isNumber(element.type)) {
      const count = isSequence ? this.#count(1) : length;
      this.#numbers(count, primitiveBytes[element.type]);
      return;
    }
    this.#sized(true, () => {
      const count = isSequence ? this.#count(minimumBytes(element)) : length;
      for (let i = 0; i < count; i++) this.#value(element);
    });
  }

  /** A number of elements, which implies a number of bytes. */
  #count(elementBytes: number): number {
    const count = this.#length();
    const left = this.payload.byteLength - this.#at;
    if (count * elementBytes > left) throw new Error(`${count} elements where ${left} bytes are left`);
    this.#write(count);
    return count;
  }

  #text(): void {
    const bytes = this.#length();
    this.#expect(bytes);
    this.#write(bytes);
    if (this.strictTexts && bytes > 0 && this.payload.indexOf(0, this.#at) !== this.#at + bytes - 1) {
      throw new Error(`a text of ${bytes} bytes does not end as one`);
    }
    this.#copy(bytes);
  }

  /** Written with four bytes per character, the width that the decoder of plain CDR tries first. */
  #wideText(): void {
    const length = this.#length();
    const width = this.wide === 'count of four' ? 4 : 2;
    const units = this.wide === 'bytes' ? length / 2 : length;
    if (!Number.isInteger(units)) throw new Error(`a wide text of ${length} bytes, which is odd`);
    this.#expect(units * width);
    this.#write(units);
    this.#reserve(4 * units);
    for (let left = units; left > 0; left--) {
      const unit =
        width === 2
          ? this.#view.getUint16(this.#at, this.littleEndian)
          : this.#view.getUint32(this.#at, this.littleEndian);
      if (unit === 0 || unit > 0xffff) throw new Error(`a wide character of 0x${unit.toString(16)}`);
      this.#at += width;
      this.#write(unit);
    }
  }

  /** A value with its size before it: it must be as long as its definition says. */
  #sized(hasSize: boolean, write: () => void): void {
    if (!hasSize) {
      write();
      return;
    }
    const bytes = this.#length();
    const start = this.#at;
    this.#expect(bytes);
    write();
    const found = this.#at - start;
    if (found !== bytes) throw new Error(`a part of ${bytes} bytes, by its definition ${found}`);
  }

  /** Without numbers there is no padding. */
  #numbers(count: number, size: number): void {
    if (count === 0) return;
    this.#align(Math.min(size, 4));
    this.#expect(count * size);
    this.#alignOut(size);
    this.#copy(count * size);
  }

  #length(): number {
    this.#align(4);
    this.#expect(4);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, this.littleEndian);
  }

  #write(length: number): void {
    this.#alignOut(4);
    this.#reserve(4);
    if (this.littleEndian) this.#out.writeUInt32LE(length, this.#to);
    else this.#out.writeUInt32BE(length, this.#to);
    this.#to += 4;
  }

  #copy(bytes: number): void {
    this.#reserve(bytes);
    this.#out.set(this.payload.subarray(this.#at, this.#at + bytes), this.#to);
    this.#at += bytes;
    this.#to += bytes;
  }

  #align(to: number): void {
    this.#at += -(this.#at - CDR_HEAD_BYTES) & (to - 1);
  }

  #alignOut(to: number): void {
    const padding = -(this.#to - CDR_HEAD_BYTES) & (to - 1);
    this.#reserve(padding);
    this.#to += padding;
  }

  #expect(bytes: number): void {
    const left = this.payload.byteLength - this.#at;
    if (bytes > left) throw new Error(`${bytes} bytes where ${Math.max(0, left)} are left`);
  }

  #reserve(bytes: number): void {
    if (this.#to + bytes <= this.#out.byteLength) return;
    const grown = Buffer.alloc(Math.max(this.#to + bytes, 2 * this.#out.byteLength));
    grown.set(this.#out);
    this.#out = grown;
  }
}
