import fc from 'fast-check';
import { primitives, primitiveBytes, type Primitive } from '../../src/exporters/columns/type-tree.js';

/** A generated field type: a primitive or a nested type, alone, as fixed array, or as sequence. */
export interface GeneratedField {
  readonly base: Primitive | GeneratedType;
  readonly array: undefined | number | 'sequence' | 'bounded';
}
export type GeneratedType = readonly GeneratedField[];

/** A message of a generated type: one value per field. */
export type GeneratedValue = readonly unknown[];

const BOUND = 5;

export function generatedType(
  depth: number,
  among: readonly Primitive[] = primitives,
): fc.Arbitrary<GeneratedType> {
  return fc.array(generatedField(depth, among), { maxLength: 6 });
}

function generatedField(depth: number, among: readonly Primitive[]): fc.Arbitrary<GeneratedField> {
  const primitive: fc.Arbitrary<Primitive | GeneratedType> = fc.constantFrom(...among);
  const base =
    depth === 0
      ? primitive
      : fc.oneof(
          { weight: 4, arbitrary: primitive },
          { weight: 1, arbitrary: fc.array(generatedField(depth - 1, among), { maxLength: 4 }) },
        );
  const array = fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 20 }) },
    { weight: 1, arbitrary: fc.constantFrom('sequence' as const, 'bounded' as const) },
  );
  return fc.record({ base, array });
}

export function generatedValue(type: GeneratedType): fc.Arbitrary<GeneratedValue> {
  return fc.tuple(...type.map(fieldValue));
}

function fieldValue({ base, array }: GeneratedField): fc.Arbitrary<unknown> {
  const one = typeof base === 'string' ? primitiveValue(base) : generatedValue(base);
  if (array === undefined) return one;
  if (typeof array === 'number') return fc.array(one, { minLength: array, maxLength: array });
  return fc.array(one, { maxLength: array === 'bounded' ? BOUND : 24 });
}

function primitiveValue(type: Primitive): fc.Arbitrary<unknown> {
  const bits = 8 * primitiveBytes[type];
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'int8':
    case 'int16':
    case 'int32':
      return fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
    case 'uint8':
    case 'uint16':
    case 'uint32':
      return fc.integer({ min: 0, max: 2 ** bits - 1 });
    case 'int64':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'uint64':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case 'float32':
      return fc.float();
    case 'float64':
      return fc.double();
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replaceAll('\ufeff', ''));
    case 'wstring':
      return fc.string({ unit: 'grapheme', maxLength: 12 }).map((text) => text.replaceAll('\ufeff', ''));
    case 'time':
    case 'duration':
      return fc.record({
        sec: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        nanosec: fc.integer({ min: 0, max: 999_999_999 }),
      });
  }
}

const rosNames: Partial<Record<Primitive, string>> = {
  time: 'builtin_interfaces/Time',
  duration: 'builtin_interfaces/Duration',
};

/** The ros2msg definition of a generated type; fields are called f0, f1, ... */
export function definitionOf(type: GeneratedType): string {
  const sections: string[] = [];
  const lines = (fields: GeneratedType, path: string): string => {
    const text = fields.map(({ base, array }, index) => {
      let name: string;
      if (typeof base === 'string') {
        name = rosNames[base] ?? base;
      } else {
        const inner = `T${path}x${index}`;
        name = `gen/${inner}`;
        sections.push(`MSG: gen/${inner}\n${lines(base, `${path}x${index}`)}`);
      }
      const brackets =
        array === undefined
          ? ''
          : typeof array === 'number'
            ? `[${array}]`
            : array === 'sequence'
              ? '[]'
              : `[<=${BOUND}]`;
      return `${name}${brackets} f${index}`;
    });
    return text.join('\n');
  };
  const root = lines(type, '');
  const separator = `\n${'='.repeat(80)}\n`;
  return [
    root,
    ...sections,
    'MSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec',
    'MSG: builtin_interfaces/Duration\nint32 sec\nuint32 nanosec',
  ].join(separator);
}

export interface CdrOptions {
  readonly littleEndian: boolean;
  /** `final` and `appendable`: XCDR2 of types that are all so. */
  readonly layout: 'xcdr1' | 'final' | 'appendable';
  readonly wideBytes: 2 | 4;
}

/** Encodes a message the straightforward way, to be compared with. */
export function encodeCdr(type: GeneratedType, value: GeneratedValue, options: CdrOptions): Uint8Array {
  const { littleEndian: le, layout, wideBytes } = options;
  const xcdr2 = layout !== 'xcdr1';
  const identifier = { xcdr1: 0, final: 6, appendable: 8 }[layout];
  const out: number[] = [0, identifier + (le ? 1 : 0), 0, 0];
  const align = (bytes: number): void => {
    while ((out.length - 4) % Math.min(bytes, xcdr2 ? 4 : 8) !== 0) out.push(0);
  };
  const scratch = new DataView(new ArrayBuffer(8));
  const put = (bytes: number, set: () => void): void => {
    align(bytes);
    set();
    for (let i = 0; i < bytes; i++) out.push(scratch.getUint8(i));
  };
  const u32 = (n: number): void => put(4, () => scratch.setUint32(0, n, le));
  /** XCDR2 puts its size in front of a list of anything but numbers, and of an appendable struct. */
  const sized = (hasSize: boolean, write: () => void): void => {
    if (!hasSize) {
      write();
      return;
    }
    u32(0);
    const at = out.length;
    write();
    scratch.setUint32(0, out.length - at, le);
    for (let i = 0; i < 4; i++) out[at - 4 + i] = scratch.getUint8(i);
  };
  const primitive = (kind: Primitive, one: unknown): void => {
    switch (kind) {
      case 'bool':
        out.push(one === true ? 1 : 0);
        return;
      case 'int8':
      case 'uint8': {
        put(1, () => scratch.setUint8(0, one as number));
        return;
      }
      case 'int16':
      case 'uint16': {
        put(2, () => scratch.setUint16(0, one as number, le));
        return;
      }
      case 'int32':
      case 'uint32': {
        u32(one as number);
        return;
      }
      case 'int64':
      case 'uint64': {
        put(8, () => scratch.setBigUint64(0, BigInt.asUintN(64, one as bigint), le));
        return;
      }
      case 'float32': {
        put(4, () => scratch.setFloat32(0, one as number, le));
        return;
      }
      case 'float64': {
        put(8, () => scratch.setFloat64(0, one as number, le));
        return;
      }
      case 'string': {
        const bytes = Buffer.from(one as string);
        u32(bytes.length + 1);
        out.push(...bytes, 0);
        return;
      }
      case 'wstring': {
        const text = one as string;
        u32(text.length);
        for (let i = 0; i < text.length; i++) {
          scratch.setUint32(0, 0, le);
          if (wideBytes === 2) scratch.setUint16(0, text.charCodeAt(i), le);
          else scratch.setUint32(0, text.charCodeAt(i), le);
          for (let k = 0; k < wideBytes; k++) out.push(scratch.getUint8(k));
        }
        return;
      }
      case 'time':
      case 'duration': {
        const { sec, nanosec } = one as { sec: number; nanosec: number };
        sized(layout === 'appendable', () => {
          u32(sec);
          u32(nanosec);
        });
      }
    }
  };
  const struct = (fields: GeneratedType, values: GeneratedValue): void =>
    sized(layout === 'appendable', () => {
      if (fields.length === 0) out.push(0);
      fields.forEach(({ base, array }, index) => {
        const one = (item: unknown): void =>
          typeof base === 'string' ? primitive(base, item) : struct(base, item as GeneratedValue);
        if (array === undefined) {
          one(values[index]);
          return;
        }
        const list = values[index] as unknown[];
        const isNumber = typeof base === 'string' && !['string', 'time', 'duration'].includes(base);
        sized(xcdr2 && !isNumber, () => {
          if (typeof array !== 'number') u32(list.length);
          list.forEach(one);
        });
      });
    });
  struct(type, value);
  return Uint8Array.from(out);
}

/** What a column reader gives for a generated message. */
export function expectedValue(type: GeneratedType, value: GeneratedValue): Record<string, unknown> {
  const one = (base: Primitive | GeneratedType, item: unknown): unknown => {
    if (typeof base !== 'string') return expectedValue(base, item as GeneratedValue);
    if (base === 'time' || base === 'duration') {
      const { sec, nanosec } = item as { sec: number; nanosec: number };
      return BigInt(sec) * 1_000_000_000n + BigInt(nanosec);
    }
    return item;
  };
  return Object.fromEntries(
    type.map(({ base, array }, index) => {
      const item = value[index];
      if (array === undefined) return [`f${index}`, one(base, item)];
      if (base === 'uint8') return [`f${index}`, Uint8Array.from(item as number[])];
      return [`f${index}`, (item as unknown[]).map((each) => one(base, each))];
    }),
  );
}
