/** The layout of a CDR payload. */
export interface CdrKind {
  /**
   * 1: values of 8 bytes are aligned to 8. 2: they are aligned to 4, and lists of anything but numbers start
   * with a size.
   */
  readonly version: 1 | 2;
  readonly littleEndian: boolean;
  /** How the outermost struct of XCDR2 is encoded: see {@link Layout}. */
  readonly layout: Layout;
}

/**
 * Encoding of a struct in XCDR2. `final`: its members in sequence. `delimited`: the same after the size of
 * the whole (an appendable type). `mutable`: after the size of the whole, each member after its number and
 * size.
 */
export type Layout = 'final' | 'delimited' | 'mutable';

/** Bytes before the message: representation identifier and options. */
export const CDR_HEAD_BYTES = 4;

/** Padding that may follow a message: zeros up to the next multiple of 8. */
const MAX_PADDING = 7;

const kind = (version: 1 | 2, littleEndian: boolean, layout: Layout = 'final'): CdrKind => ({
  version,
  littleEndian,
  layout,
});

/**
 * Representation identifiers that are decoded (DDS-XTypes 1.3, 7.6.3.1.2 for RTPS; 7.4.3.4 has the same
 * formats with the numbers that some writers of plain files use).
 */
const decoded: ReadonlyMap<number, CdrKind> = new Map([
  [0x0000, kind(1, false)],
  [0x0001, kind(1, true)],
  [0x0006, kind(2, false)],
  [0x0007, kind(2, true)],
  [0x0008, kind(2, false, 'delimited')],
  [0x0009, kind(2, true, 'delimited')],
  [0x000a, kind(2, false, 'mutable')],
  [0x000b, kind(2, true, 'mutable')],
  [0x0010, kind(2, false)],
  [0x0011, kind(2, true)],
  [0x0012, kind(2, false, 'mutable')],
  [0x0013, kind(2, true, 'mutable')],
  [0x0014, kind(2, false, 'delimited')],
  [0x0015, kind(2, true, 'delimited')],
]);

/** Identifiers that are recognised but not decoded. */
const refused: ReadonlyMap<number, string> = new Map([
  [0x0002, 'PL_CDR, big-endian: members by number'],
  [0x0003, 'PL_CDR, little-endian: members by number'],
  [0x0004, 'XML'],
]);

/**
 * The layout of a payload by its representation identifier. Throws an Error if the payload is too short to
 * have one, or if the layout is not decoded.
 */
export function cdrKindOf(payload: Uint8Array): CdrKind {
  if (payload.byteLength < CDR_HEAD_BYTES) throw new Error(`a CDR payload of ${payload.byteLength} bytes`);
  const identifier = (payload[0]! << 8) | payload[1]!;
  const known = decoded.get(identifier);
  if (known !== undefined) return known;
  const name = refused.get(identifier);
  const number = `0x${identifier.toString(16).padStart(4, '0')}`;
  throw new Error(`CDR encapsulation ${number}${name === undefined ? '' : ` (${name})`} is not decoded`);
}

/** Whether the layout of a payload of at least {@link CDR_HEAD_BYTES} is decoded. */
export function isDecoded(payload: Uint8Array): boolean {
  return decoded.has((payload[0]! << 8) | payload[1]!);
}

/**
 * The payload of a type without fields: IDL has no empty struct, so it has one byte without meaning. Some
 * writers omit the byte; then it is added.
 */
export function withPlaceholder(payload: Uint8Array): Uint8Array {
  if (payload.byteLength !== CDR_HEAD_BYTES) return payload;
  const padded = new Uint8Array(CDR_HEAD_BYTES + 1);
  padded.set(payload);
  return padded;
}

/**
 * Number of bytes after a message that ends at `end`, unless they are padding: up to 7 zeros, or as many
 * bytes as the options of the payload state. More bytes, or others, mean that the message was written with
 * another definition.
 */
export function bytesLeftOver(payload: Uint8Array, end: number): number {
  const left = payload.byteLength - end;
  if (left <= (payload[3]! & 3)) return 0;
  if (left > MAX_PADDING) return left;
  for (let at = end; at < payload.byteLength; at++) if (payload[at] !== 0) return left;
  return 0;
}

/** The fault of a message with bytes left over. */
export function leftOverReason(bytes: number): string {
  return `${bytes} bytes are left over: it was written with another definition`;
}
