import type { parse } from '@foxglove/rosmsg';

type MessageDefinition = ReturnType<typeof parse>[number];
type MessageDefinitionField = MessageDefinition['definitions'][number];

/** Nesting of types that is followed; a definition that contains itself has no end. */
const MAX_DEPTH = 64;

/** Encapsulations whose layout is that of plain CDR: XCDR1 and XCDR2, big- and little-endian. */
const PLAIN_CDR1 = new Set([0x00, 0x01]);
const PLAIN_CDR2 = new Set([0x06, 0x07]);

const SIZES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
};

/**
 * Walks a CDR payload along its definition without building anything, and throws where a length reaches
 * beyond the payload. A decoder allocates what a length says before it finds out that it lies; after this
 * walk every length is known to be true.
 */
export class CdrBounds {
  readonly #root: readonly MessageDefinitionField[];
  readonly #types: ReadonlyMap<string, readonly MessageDefinitionField[]>;
  #view: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  #littleEndian = true;
  #widest = 8;

  constructor(definitions: readonly MessageDefinition[]) {
    const root = definitions.find(({ definitions: fields }) => !isConstantsOnly(fields));
    if (root === undefined) throw new Error('the definition holds no message');
    this.#root = root.definitions;
    this.#types = new Map(definitions.map((definition) => [definition.name ?? '', definition.definitions]));
  }

  /** Throws an Error saying what does not fit. */
  check(data: Uint8Array): void {
    if (data.byteLength < 4) throw new Error(`a CDR payload of ${data.byteLength} bytes`);
    const kind = (data[0]! << 8) | data[1]!;
    if (!PLAIN_CDR1.has(kind) && !PLAIN_CDR2.has(kind)) {
      throw new Error(`CDR encapsulation 0x${kind.toString(16).padStart(4, '0')} is not decoded`);
    }
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#littleEndian = (kind & 1) === 1;
    this.#widest = PLAIN_CDR2.has(kind) ? 4 : 8;
    this.#at = 4;
    this.#struct(this.#root, 0);
  }

  #struct(fields: readonly MessageDefinitionField[], depth: number): void {
    if (depth > MAX_DEPTH) throw new Error(`types nested deeper than ${MAX_DEPTH}`);
    let empty = true;
    for (const field of fields) {
      if (field.isConstant === true) continue;
      empty = false;
      this.#field(field, depth);
    }
    // An empty message has one byte, as IDL knows no empty struct.
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
    const step = Math.min(alignment, this.#widest);
    const padding = (step - ((this.#at - 4) % step)) % step;
    const end = this.#at + padding + bytes;
    if (end > this.#view.byteLength) {
      throw new Error(`${bytes} bytes at ${this.#at} in a payload of ${this.#view.byteLength}`);
    }
    this.#at = end;
  }
}

function isConstantsOnly(fields: readonly MessageDefinitionField[]): boolean {
  return fields.length > 0 && fields.every((field) => field.isConstant === true);
}
