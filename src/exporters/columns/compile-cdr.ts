import { bytesLeftOver, CDR_HEAD_BYTES, cdrKindOf, withPlaceholder } from '../../core/ros/cdr-kind.js';
import type { BatchBuilder, PlacedColumn } from './batch.js';
import { generate, type Generated } from './generate-cdr.js';
import { columnsOf, type ColumnShape } from './column.js';
import { holdsWide, type StructNode } from './type-tree.js';
import { Xcdr2 } from './xcdr2.js';

/**
 * Decodes one CDR payload into row `builder.rows` and counts it. Throws an Error with what does not fit; the
 * row then does not count. A length alone never causes an allocation. Returns the number of bytes left over
 * after the message, without padding.
 */
export type CdrDecoder = (payload: Uint8Array) => number;

/**
 * Compiles a decoder for one version of a message type, which writes into the columns of a table that may
 * have more (the union of several versions). Columns that this version lacks become null or empty.
 *
 * @param at the struct column of the builder's table for the message's fields
 */
export function compileCdr(
  type: StructNode,
  builder: BatchBuilder,
  at: PlacedColumn,
  shape: ColumnShape,
  renamed: ReadonlyMap<string, string> = new Map(),
): CdrDecoder {
  const variants = new Map<boolean, Generated>();
  const own = columnsOf(type, shape);
  const wide = holdsWide(type) ? new WideWidth() : undefined;
  let xcdr2: Xcdr2 | undefined;
  let buffer: ArrayBufferLike | undefined;
  let view: DataView = new DataView(new ArrayBuffer(0));
  let bytes: Uint8Array = new Uint8Array(0);
  /** Returns the end of the message in the payload. */
  const decodePlain = (payload: Uint8Array, littleEndian: boolean): number => {
    let decode = variants.get(littleEndian);
    if (decode === undefined) {
      variants.set(littleEndian, (decode = generate(type, own, at, { littleEndian, renamed })));
    }
    if (payload.buffer !== buffer) {
      ({ buffer } = payload);
      view = new DataView(buffer);
      bytes = new Uint8Array(buffer);
    }
    builder.reserveRow();
    const start = payload.byteOffset + CDR_HEAD_BYTES;
    const end = payload.byteOffset + payload.byteLength;
    const row = builder.rows;
    const into = builder.slots;
    const stop =
      wide === undefined
        ? decode(into, view, bytes, start, end, row, 4)
        : wide.decode(end, (width) => decode(into, view, bytes, start, end, row, width));
    builder.rows = row + 1;
    return stop - payload.byteOffset;
  };
  const isEmpty = type.fields.length === 0;
  return (given) => {
    const kind = cdrKindOf(given);
    const payload = isEmpty ? withPlaceholder(given) : given;
    if (kind.version === 1) return bytesLeftOver(payload, decodePlain(payload, kind.littleEndian));
    xcdr2 ??= new Xcdr2(type);
    const { payload: plain, leftOver } = xcdr2.toPlain(payload, kind);
    decodePlain(plain, kind.littleEndian);
    return leftOver;
  };
}

/**
 * The width of a wstring's characters is not standardised: two bytes in some middlewares, four in others. The
 * right width is the one with which the payload ends correctly.
 */
class WideWidth {
  #likely = 4;

  /** @param decode decodes with a width and returns where it stopped */
  decode(end: number, decode: (width: number) => number): number {
    const attempt = (width: number): number | undefined => {
      try {
        return decode(width);
      } catch {
        return undefined;
      }
    };
    const likely = attempt(this.#likely);
    if (likely === end) return end;
    const otherWidth = 6 - this.#likely;
    const other = attempt(otherWidth);
    if (other !== undefined && (likely === undefined || other > likely)) {
      this.#likely = otherWidth;
      return other;
    }
    return decode(this.#likely);
  }
}
