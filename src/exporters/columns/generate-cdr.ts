import { isWide, type BuilderSlots, type PlacedColumn } from './batch.js';
import { CdrCodeWriter, type GenerateOptions } from './cdr-code-writer.js';
import { unionName, type Column } from './column.js';
import { minimumBytes, primitiveBytes, type Primitive, type StructNode, type TypeNode } from './type-tree.js';

/**
 * Decodes from `p`, at most up to `end`, into row `r`; returns where it stopped. `wide`: bytes per wide
 * character.
 */
export type Generated = (
  S: BuilderSlots,
  view: DataView,
  bytes: Uint8Array,
  p: number,
  end: number,
  r: number,
  wide: number,
) => number;

const getters: Partial<Record<Primitive, string>> = {
  int16: 'getInt16',
  uint16: 'getUint16',
  int32: 'getInt32',
  uint32: 'getUint32',
  float32: 'getFloat32',
  float64: 'getFloat64',
};

/** Fails with the stated and the remaining length. */
function over(wanted: number, left: number): never {
  throw new Error(`${wanted} bytes where ${left} are left`);
}

function overCount(count: number, left: number): never {
  throw new Error(`${count} elements where ${left} bytes are left`);
}

const utf16 = new TextDecoder('utf-16le');
const BYTES_PER_UNIT = 2;

/** A wstring as text; `width` bytes per character, of which two are used. */
function wideText(view: DataView, at: number, count: number, width: number, littleEndian: boolean): string {
  const units = Buffer.alloc(count * BYTES_PER_UNIT);
  for (let i = 0; i < count; i++) {
    const unit =
      width === 2 ? view.getUint16(at + 2 * i, littleEndian) : view.getUint32(at + 4 * i, littleEndian);
    if (unit > 0xffff) throw new Error(`a wide character of 0x${unit.toString(16)}`);
    units.writeUInt16LE(unit, 2 * i);
  }
  return utf16.decode(units);
}

/** The decoder of one type in one byte order. */
export function generate(
  type: StructNode,
  own: Column,
  at: PlacedColumn,
  options: GenerateOptions,
): Generated {
  const writer = new CdrCodeWriter(options);
  writer.emit('const o = p;');
  structCode(writer, type, own, at, 'r', options.renamed);
  const body = `"use strict"; return function (S, view, bytes, p, end, r, wide) {\n${writer.lines.join('\n')}\nreturn p;\n};`;
  const make = new Function('over', 'overCount', 'wideText', body) as (
    ...helpers: readonly unknown[]
  ) => Generated;
  return make(over, overCount, wideText);
}

const NO_NAMES: ReadonlyMap<string, string> = new Map();

/** @param index expression for the index of the value in its scope */
function structCode(
  w: CdrCodeWriter,
  type: StructNode,
  own: Column,
  at: PlacedColumn,
  index: string,
  renamed: ReadonlyMap<string, string> = NO_NAMES,
): void {
  if (own.kind !== 'struct') throw new Error('a struct is no column');
  const columns = new Map(at.children.map((child) => [child.name, child]));
  const known = new Map(at.children.map((child) => [child.name, child.column]));
  const used = new Set<string>();
  if (type.fields.length === 0) {
    // An empty message has one byte, because IDL has no empty struct.
    w.check(1);
    w.emit('p += 1;');
    w.moved(1);
  }
  type.fields.forEach((field, i) => {
    const ownColumn = own.fields[i]!.column;
    const name = unionName(known, renamed.get(field.name) ?? field.name, ownColumn);
    const child = columns.get(name);
    if (child === undefined) throw new Error(`no column ${name}`);
    if (used.has(name)) throw new Error(`two fields would share column ${name}`);
    used.add(name);
    present(w, child, index);
    valueCode(w, field.node, ownColumn, child, index);
  });
  for (const [name, child] of columns) if (!used.has(name)) absent(w, child, index);
}

function present(w: CdrCodeWriter, at: PlacedColumn, index: string): void {
  if (at.column.optional) w.emit(`S.y${at.id}[${index}] = 1;`);
}

/** A value that this version lacks: null if that is allowed, and a placeholder below. */
function absent(w: CdrCodeWriter, at: PlacedColumn, index: string): void {
  // System columns (never optional, not part of the message) are filled elsewhere.
  if (!at.column.optional && at.scope === 0 && isSystem(at)) return;
  if (at.column.optional) w.emit(`S.y${at.id}[${index}] = 0;`);
  placeHolder(w, at, index);
}

function placeHolder(w: CdrCodeWriter, at: PlacedColumn, index: string): void {
  const { column, id } = at;
  if (column.kind === 'list') {
    w.emit(`S.o${id}[${index} + 1] = S.o${id}[${index}];`);
  } else if (column.kind === 'struct') {
    for (const child of at.children) {
      if (child.column.optional) w.emit(`S.y${child.id}[${index}] = 0;`);
      placeHolder(w, child, index);
    }
  } else if (column.constant !== undefined) {
    return;
  } else if (column.type === 'string' || column.type === 'bytes' || column.type === 'json') {
    w.emit(`S.s${id}.empty(${index});`);
  } else if (isWide(column.type)) {
    w.emit(`S.v${id}[2 * (${index})] = 0; S.v${id}[2 * (${index}) + 1] = 0;`);
  } else {
    w.emit(`S.v${id}[${index}] = 0;`);
  }
}

const systemNames = new Set(['log_time', 'publish_time', 'robot', 'topic', 'sequence', 'payload', 'problem']);
const isSystem = (at: PlacedColumn): boolean => systemNames.has(at.name);

function valueCode(w: CdrCodeWriter, node: TypeNode, own: Column, at: PlacedColumn, index: string): void {
  if (node.kind === 'struct') {
    structCode(w, node, own, at, index);
  } else if (node.kind === 'primitive') {
    primitiveCode(w, node.type, at, index);
  } else if (own.kind === 'struct') {
    // A fixed array, one column per element.
    at.children.forEach((child, i) => {
      if (i >= own.fields.length) return;
      present(w, child, index);
      valueCode(w, node.element, own.fields[i]!.column, child, index);
    });
  } else if (own.kind === 'leaf') {
    bytesCode(w, node.length, at, index);
  } else {
    listCode(w, node, own.element, at, index);
  }
}

function primitiveCode(w: CdrCodeWriter, type: Primitive, at: PlacedColumn, index: string): void {
  const le = w.options.littleEndian;
  const v = `S.v${at.id}`;
  switch (type) {
    case 'string': {
      const n = lengthCode(w);
      w.check(n);
      w.emit(`S.s${at.id}.put(${index}, bytes, p, ${n} > 1 ? ${n} - 1 : 0); p += ${n};`);
      w.lost();
      return;
    }
    case 'wstring': {
      const n = lengthCode(w);
      w.check(`${n} * wide`);
      w.emit(`S.s${at.id}.putText(${index}, wideText(view, p, ${n}, wide, ${le})); p += ${n} * wide;`);
      w.movedMultiple(2);
      return;
    }
    case 'time':
    case 'duration': {
      w.align(4);
      w.check(8);
      timeCode(w, v, index);
      w.moved(8);
      return;
    }
    case 'bool':
    case 'int8':
    case 'uint8':
      w.check(1);
      w.emit(`${v}[${index}] = bytes[p]${type === 'bool' ? ' === 0 ? 0 : 1' : ''}; p += 1;`);
      w.moved(1);
      return;
    case 'int64':
    case 'uint64': {
      w.align(8);
      w.check(8);
      wordsCode(w, v, index);
      w.moved(8);
      return;
    }
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'float32':
    case 'float64': {
      const size = primitiveBytes[type];
      w.align(size);
      w.check(size);
      w.emit(`${v}[${index}] = view.${getters[type]!}(p, ${le}); p += ${size};`);
      w.moved(size);
    }
  }
}

/** The two words of a 64-bit integer, low word first. */
function wordsCode(w: CdrCodeWriter, v: string, index: string): void {
  const le = w.options.littleEndian;
  const [low, high] = le ? ['p', 'p + 4'] : ['p + 4', 'p'];
  w.emit(`${v}[2 * (${index})] = view.getInt32(${low}, ${le});`);
  w.emit(`${v}[2 * (${index}) + 1] = view.getInt32(${high}, ${le}); p += 8;`);
}

/** Seconds and nanoseconds as one 64-bit count of nanoseconds, without BigInt: sec * 10^9 in 16-bit halves. */
function timeCode(w: CdrCodeWriter, v: string, index: string): void {
  const le = w.options.littleEndian;
  const [sec, high, low] = [w.name(), w.name(), w.name()];
  w.emit(`const ${sec} = view.getInt32(p, ${le}), ${high} = (${sec} >> 16) * 1e9;`);
  w.emit(
    `const ${low} = (${high} - Math.floor(${high} / 65536) * 65536) * 65536 + (${sec} & 0xffff) * 1e9 + view.getUint32(p + 4, ${le});`,
  );
  w.emit(`${v}[2 * (${index})] = ${low} % 4294967296 | 0;`);
  w.emit(`${v}[2 * (${index}) + 1] = Math.floor(${high} / 65536) + Math.floor(${low} / 4294967296); p += 8;`);
}

/** Reads a length; returns the name of its variable. */
function lengthCode(w: CdrCodeWriter): string {
  const n = w.name();
  w.align(4);
  w.check(4);
  w.emit(`const ${n} = view.getUint32(p, ${w.options.littleEndian}); p += 4;`);
  w.moved(4);
  return n;
}

function bytesCode(w: CdrCodeWriter, length: number | undefined, at: PlacedColumn, index: string): void {
  const n = length === undefined ? lengthCode(w) : String(length);
  w.check(n);
  w.emit(`S.s${at.id}.put(${index}, bytes, p, ${n}); p += ${n};`);
  if (length === undefined) w.lost();
  else w.moved(length);
}

function listCode(
  w: CdrCodeWriter,
  node: Extract<TypeNode, { kind: 'list' }>,
  own: Column,
  at: PlacedColumn,
  index: string,
): void {
  const child = at.children[0]!;
  const n = node.length === undefined ? lengthCode(w) : String(node.length);
  const base = w.name();
  w.emit(`if (${n} * ${minimumBytes(node.element)} > end - p) overCount(${n}, end - p);`);
  w.emit(`const ${base} = S.o${at.id}[${index}];`);
  w.emit(`if (${base} + ${n} > S.c${child.scope}) S.grow(${child.scope}, ${base} + ${n});`);
  const { element } = node;
  const copied = element.kind === 'primitive' ? copyable(element.type) : undefined;
  if (copied !== undefined && element.kind === 'primitive' && !child.column.optional) {
    copyCode(w, element.type, child, n, base);
  } else {
    const k = w.name();
    // The alignment is unknown inside the loop body.
    w.emit(`for (let ${k} = ${base}; ${k} < ${base} + ${n}; ${k}++) {`);
    w.lost();
    present(w, child, k);
    valueCode(w, element, own, child, k);
    w.emit('}');
    w.lost();
  }
  w.emit(`S.o${at.id}[${index} + 1] = ${base} + ${n};`);
}

function copyable(type: Primitive): number | undefined {
  return type in getters || type === 'int8' || type === 'int64' || type === 'uint64'
    ? primitiveBytes[type]
    : undefined;
}

/** A run of numbers: copied as bytes if that is the machine's byte order too, otherwise one by one. */
function copyCode(w: CdrCodeWriter, type: Primitive, at: PlacedColumn, n: string, base: string): void {
  const size = primitiveBytes[type];
  const v = `S.v${at.id}`;
  // Without elements there is no padding.
  w.emit(`if (${n} > 0) {`);
  if (size > 1) w.emit(`p += (o - p) & ${size - 1};`);
  w.check(`${n} * ${size}`);
  const k = w.name();
  if (w.options.littleEndian || size === 1) {
    w.emit(
      `if (${n} > 16) new Uint8Array(${v}.buffer).set(bytes.subarray(p, p + ${n} * ${size}), ${base} * ${size});`,
    );
    w.emit('else');
  }
  w.emit(`for (let ${k} = 0; ${k} < ${n}; ${k}++) {`);
  const le = w.options.littleEndian;
  if (size === 1) {
    w.emit(`${v}[${base} + ${k}] = bytes[p + ${k}];`);
  } else if (size === 8 && type !== 'float64') {
    const [low, high] = le ? [0, 4] : [4, 0];
    w.emit(`${v}[2 * (${base} + ${k})] = view.getInt32(p + 8 * ${k} + ${low}, ${le});`);
    w.emit(`${v}[2 * (${base} + ${k}) + 1] = view.getInt32(p + 8 * ${k} + ${high}, ${le});`);
  } else {
    w.emit(`${v}[${base} + ${k}] = view.${getters[type]!}(p + ${size} * ${k}, ${le});`);
  }
  w.emit('}');
  w.emit(`p += ${n} * ${size};`);
  w.emit('}');
  w.lost();
}

/** Fills every column of a row with null or a placeholder, for a message that cannot be decoded. */
export type FillAbsent = (slots: BuilderSlots, row: number) => void;

export function compileFill(at: PlacedColumn): FillAbsent {
  const w = new CdrCodeWriter({ littleEndian: true, renamed: NO_NAMES });
  for (const child of at.children) absent(w, child, 'r');
  return new Function('S', 'r', w.lines.join('\n')) as FillAbsent;
}
