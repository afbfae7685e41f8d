import { Reader } from 'protobufjs/minimal.js';

/** Bytes that are not what the protocol allows. */
export class WireFault extends Error {
  override readonly name = 'WireFault';
}

/** How to read the fields of a message, by number: the expected wire type and the reader. */
export type FieldReaders = Readonly<
  Record<number, readonly [wireType: number, read: (reader: Reader) => unknown]>
>;

const text = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads the fields of a message and skips unknown ones. The last value of a field counts. Throws a WireFault for
 * a wrong wire type, and a RangeError or TypeError of the decoders for bytes that are cut off.
 */
export function readFields(bytes: Uint8Array, readers: FieldReaders): void {
  const reader = Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const [number, wireType] = [tag >>> 3, tag & 7];
    if (number === 0) throw new WireFault('a field has number 0');
    const known = readers[number];
    if (known === undefined) {
      reader.skipType(wireType);
      continue;
    }
    if (wireType !== known[0])
      throw new WireFault(`field ${number} has wire type ${wireType}, not ${known[0]}`);
    known[1](reader);
  }
}

/** Reads a string. Throws a TypeError if it is not UTF-8. */
export function utf8(reader: Reader): string {
  return text.decode(reader.bytes());
}
