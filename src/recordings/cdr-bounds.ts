import type { MessageDefinition, MessageDefinitionField } from '@foxglove/message-definition';
import { numberBytes } from '../core/ros/number-types.js';
import { CDR_HEAD_BYTES } from '../core/ros/cdr-kind.js';

/** Maximum nesting of types; a definition that contains itself has no end. */
const MAX_DEPTH = 64;

const SIZES: Readonly<Record<string, number>> = numberBytes;

/**
 * Walks a payload of plain CDR (XCDR1) along its definition without building values, and throws if a length
 * reaches beyond the payload. A decoder allocates what a length states before it finds out that it is wrong;
 * after this walk every length is known to be right.
 */
export class CdrBounds {
  readonly #root: readonly MessageDefinitionField[];
  readonly #types: ReadonlyMap<string, readonly MessageDefinitionField[]>;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #littleEndian = true;

  /** @param definitions the root first, as returned by `parseDefinition` */
  constructor(definitions: readonly MessageDefinition[]) {
    const [root] = definitions;
    if (root === undefined) throw new Error('the definition holds no message');
    this.#root = root.definitions;
    this.#types = new Map(definitions.map((definition) => [definition.name ?? '', definition.definitions]));
  }

  /** Returns the end of the message. Throws an Error with what does not fit. */
  check(data: Uint8Array, littleEndian: boolean): number {
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#littleEndian = littleEndian;
    this.#at = CDR_HEAD_BYTES;
    this.#struct(this.#root, 0);
    return this.#at;
  }

  #struct(fields: readonly MessageDefinitionField[], depth: number): void {
    if (depth > MAX_DEPTH) throw new Error(`types nested deeper than ${MAX_DEPTH}`);
    let empty = true;
    for (const field of fields) {
      empty = false;
      this.#field(field, depth);
    }
    // An empty message has one byte, because IDL has no empty struct.
    if (empty) this.#skip(1, 1);
  }

  #field(field: MessageDefinitionField, depth: number): void {
    const count = field.isArray === true ? (field.arrayLength ?? this.#length()) : undefined;
    if (field.isComplex === true) {
      const type = this.#types.get(field.type);
      if (type === undefined) throw new Error(`type ${field.type} is not defined`);
      if (count !== undefined) this.#fits(count, 1, field.name);
      for (let i = 0; i < (count ?? 1); i++) this.#struct(type, depth + 1);
      return;
    }
    if (field.type === 'string') {
      if (count !== undefined) this.#fits(count, 4, field.name);
      for (let i = 0; i < (count ?? 1); i++) this.#skip(this.#length(), 1);
      return;
    }
    if (field.type === 'time' || field.type === 'duration') {
      if (count !== undefined) this.#fits(count, 8, field.name);
      if (count !== 0) this.#skip(8 * (count ?? 1), 4);
      return;
    }
    const size = SIZES[field.type];
    if (size === undefined) throw new Error(`type ${field.type} of ${field.name} is not decoded`);
    if (count !== undefined) this.#fits(count, size, field.name);
    if (count !== 0) this.#skip(size * (count ?? 1), size);
  }

  #length(): number {
    this.#skip(4, 4);
    return this.#view.getUint32(this.#at - 4, this.#littleEndian);
  }

  #fits(count: number, size: number, name: string): void {
    const left = this.#view.byteLength - this.#at;
    if (count * size > left)
      throw new Error(`${name} announces ${count} elements where ${left} bytes are left`);
  }

  #skip(bytes: number, alignment: number): void {
    const padding = (alignment - ((this.#at - CDR_HEAD_BYTES) % alignment)) % alignment;
    const end = this.#at + padding + bytes;
    if (end > this.#view.byteLength) {
      throw new Error(`${bytes} bytes at ${this.#at} in a payload of ${this.#view.byteLength}`);
    }
    this.#at = end;
  }
}
