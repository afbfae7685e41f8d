import type { parse } from '@foxglove/rosmsg';
import { HoldfastError } from '../../core/errors.js';

export type MessageDefinition = ReturnType<typeof parse>[number];
type MessageDefinitionField = MessageDefinition['definitions'][number];

/** Encapsulation header: plain CDR, little endian. Alignment counts from its end. */
const HEADER = Buffer.from([0, 1, 0, 0]);
const INITIAL_BYTES = 1024;
const NS_PER_S = 1_000_000_000n;
const UINT32_MAX = 0xffffffff;

/** A message by field name. Times are `bigint` nanoseconds since the Unix epoch; a missing field is zero or empty. */
export type Fields = Readonly<Record<string, unknown>>;

/** Bytes of growing size with CDR's alignment. */
class Output {
  bytes = Buffer.alloc(INITIAL_BYTES);
  at = HEADER.length;

  /** The offset of `size` new bytes, aligned to `align`. */
  take(size: number, align: number): number {
    const start = this.at + ((align - ((this.at - HEADER.length) % align)) % align);
    const end = start + size;
    if (end > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, this.at);
      this.bytes = larger;
    }
    this.at = end;
    return start;
  }
}

type Write = (out: Output, value: unknown) => void;

const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);
const whole = (value: unknown): bigint =>
  typeof value === 'bigint' ? value : BigInt(Math.trunc(number(value)));

const primitives: Readonly<Record<string, Write>> = {
  bool: (out, value) => {
    const at = out.take(1, 1);
    out.bytes[at] = value === true ? 1 : 0;
  },
  uint8: (out, value) => {
    const at = out.take(1, 1);
    out.bytes[at] = number(value);
  },
  uint32: (out, value) => writeUint32(out, number(value)),
  int32: (out, value) => {
    const at = out.take(4, 4);
    out.bytes.writeInt32LE(number(value), at);
  },
  float32: (out, value) => {
    const at = out.take(4, 4);
    out.bytes.writeFloatLE(number(value), at);
  },
  float64: (out, value) => {
    const at = out.take(8, 8);
    out.bytes.writeDoubleLE(number(value), at);
  },
  int64: (out, value) => {
    const at = out.take(8, 8);
    out.bytes.writeBigInt64LE(BigInt.asIntN(64, whole(value)), at);
  },
  uint64: (out, value) => {
    const at = out.take(8, 8);
    out.bytes.writeBigUInt64LE(BigInt.asUintN(64, whole(value)), at);
  },
  string: (out, value) => {
    // A zero inside would end the string for readers in C.
    const text = Buffer.from(typeof value === 'string' ? value.replaceAll('\0', '') : '', 'utf8');
    writeUint32(out, text.length + 1);
    const at = out.take(text.length + 1, 1);
    text.copy(out.bytes, at);
    out.bytes[at + text.length] = 0;
  },
  time: (out, value) => {
    const ns = typeof value === 'bigint' ? value : 0n;
    const at = out.take(8, 4);
    out.bytes.writeInt32LE(Number(BigInt.asIntN(32, ns / NS_PER_S)), at);
    out.bytes.writeUInt32LE(Number(((ns % NS_PER_S) + NS_PER_S) % NS_PER_S), at + 4);
  },
};

function writeUint32(out: Output, value: number): void {
  const at = out.take(4, 4);
  out.bytes.writeUInt32LE(Math.min(UINT32_MAX, Math.max(0, Math.trunc(value))), at);
}

/**
 * Writes messages of one type as CDR, by its definition. The library's writer sizes a string by its
 * characters and cuts off everything beyond ASCII, so this is written here.
 */
export class CdrEncoder {
  readonly #write: Write;

  /** @param definitions - The root definition first, as returned by `parse` of `@foxglove/rosmsg`. */
  constructor(definitions: readonly MessageDefinition[]) {
    const named = new Map(definitions.map((one) => [one.name ?? '', one]));
    const compiled = new Map<MessageDefinition, Write>();
    const compile = (definition: MessageDefinition): Write => {
      const known = compiled.get(definition);
      if (known) return known;
      const fields = definition.definitions
        .filter((field) => field.isConstant !== true)
        .map((field) => [field.name, writerOf(field, (name) => compileNamed(name))] as const);
      const write: Write = (out, value) => {
        for (const [name, one] of fields) one(out, (value as Fields | undefined)?.[name]);
      };
      compiled.set(definition, write);
      return write;
    };
    const compileNamed = (name: string): Write => {
      const definition = named.get(name);
      if (!definition) throw new HoldfastError('INTERNAL', `message definition ${name} is missing`);
      return compile(definition);
    };
    this.#write = compile(definitions[0]!);
  }

  /** The message with its encapsulation header, in bytes of its own. */
  encode(message: Fields): Buffer {
    const out = new Output();
    this.#write(out, message);
    HEADER.copy(out.bytes);
    return Buffer.from(out.bytes.subarray(0, out.at));
  }
}

function writerOf(field: MessageDefinitionField, complex: (name: string) => Write): Write {
  const one = field.isComplex === true ? complex(field.type) : primitives[field.type];
  if (!one) throw new HoldfastError('INTERNAL', `field ${field.name}: type ${field.type} is not written`);
  if (field.isArray !== true) return one;
  const { arrayLength } = field;
  return (out, value) => {
    const values = Array.isArray(value) ? (value as readonly unknown[]) : [];
    if (arrayLength === undefined) writeUint32(out, values.length);
    for (let i = 0; i < (arrayLength ?? values.length); i++) one(out, values[i]);
  };
}
