import type { BatchBuilder, BuilderSlots, PlacedColumn } from './batch.js';
import { generate, type Generated } from './generate-cdr.js';
import { columnsOf, type ColumnShape } from './column.js';
import type { StructNode, TypeNode } from './type-tree.js';

/**
 * Decodes one CDR payload into row `builder.rows` and counts it. Throws an Error that says what does not fit;
 * the row is then not counted. Nothing is allocated for what a length merely announces.
 */
export type CdrDecoder = (payload: Uint8Array) => void;

/** Encapsulations whose layout is that of plain CDR: XCDR1 and XCDR2, big- and little-endian. */
const PLAIN_CDR1 = new Set([0x00, 0x01]);
const PLAIN_CDR2 = new Set([0x06, 0x07]);

/**
 * Compiles a decoder for one version of a message type, writing into the columns of a table that may hold
 * more (the union of several versions): what this version lacks becomes null or empty.
 *
 * @param at the struct column inside the builder's table that the message's fields belong to
 */
export function compileCdr(
  type: StructNode,
  builder: BatchBuilder,
  at: PlacedColumn,
  shape: ColumnShape,
  renamed: ReadonlyMap<string, string> = new Map(),
): CdrDecoder {
  const variants = new Map<number, Generated>();
  const own = columnsOf(type, shape);
  const hasWide = holdsWide(type);
  let wideBytes = 4;
  let buffer: ArrayBufferLike | undefined;
  let view: DataView = new DataView(new ArrayBuffer(0));
  let bytes: Uint8Array = new Uint8Array(0);
  return (payload) => {
    if (payload.byteLength < 4) throw new Error(`a CDR payload of ${payload.byteLength} bytes`);
    const kind = (payload[0]! << 8) | payload[1]!;
    if (!PLAIN_CDR1.has(kind) && !PLAIN_CDR2.has(kind)) {
      throw new Error(`CDR encapsulation 0x${kind.toString(16).padStart(4, '0')} is not decoded`);
    }
    let decode = variants.get(kind);
    if (decode === undefined) {
      const options = { littleEndian: (kind & 1) === 1, widest: PLAIN_CDR2.has(kind) ? 4 : 8 };
      variants.set(kind, (decode = generate(type, own, at, { ...options, renamed })));
    }
    if (payload.buffer !== buffer) {
      ({ buffer } = payload);
      view = new DataView(buffer);
      bytes = new Uint8Array(buffer);
    }
    builder.reserveRow();
    const start = payload.byteOffset + 4;
    const end = payload.byteOffset + payload.byteLength;
    const row = builder.rows;
    if (!hasWide) {
      decode(builder.slots, view, bytes, start, end, row, 4);
    } else {
      wideBytes = decodeWide(decode, builder.slots, view, bytes, start, end, row, wideBytes);
    }
    builder.rows = row + 1;
  };
}

/**
 * How wide a wstring's characters are is not standardised: two bytes in some middlewares, four in others.
 * The width with which the payload ends where it should is the right one. Returns it.
 */
function decodeWide(
  decode: Generated,
  slots: BuilderSlots,
  view: DataView,
  bytes: Uint8Array,
  start: number,
  end: number,
  row: number,
  likely: number,
): number {
  const attempt = (width: number): number | undefined => {
    try {
      return end - decode(slots, view, bytes, start, end, row, width);
    } catch {
      return undefined;
    }
  };
  const left = attempt(likely);
  if (left === 0) return likely;
  const other = 6 - likely;
  const otherLeft = attempt(other);
  if (otherLeft !== undefined && (left === undefined || otherLeft < left)) return other;
  decode(slots, view, bytes, start, end, row, likely);
  return likely;
}

function holdsWide(node: TypeNode): boolean {
  if (node.kind === 'primitive') return node.type === 'wstring';
  return node.kind === 'list' ? holdsWide(node.element) : node.fields.some((field) => holdsWide(field.node));
}
