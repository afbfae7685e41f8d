/**
 * Tables of baseline JPEG (ITU-T T.81): the Huffman codes of annex K.3 for luminance, used here for all
 * components, and the headers that declare them.
 */

/** A Huffman code: its number of bits, and the bits. */
export interface HuffmanCode {
  readonly length: number;
  readonly bits: number;
}

const DC_COUNTS = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const DC_VALUES = Uint8Array.from({ length: 12 }, (_, i) => i);
const AC_COUNTS = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125];
const AC_VALUES = Buffer.from(
  '01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a' +
    '3435363738393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a9293' +
    '9495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6' +
    'e7e8e9eaf1f2f3f4f5f6f7f8f9fa',
  'hex',
);

export const dcCodes = codesOf(DC_COUNTS, DC_VALUES);
export const acCodes = codesOf(AC_COUNTS, AC_VALUES);

function codesOf(counts: readonly number[], values: Uint8Array): readonly (HuffmanCode | undefined)[] {
  const codes: (HuffmanCode | undefined)[] = [];
  let bits = 0;
  let at = 0;
  counts.forEach((count, i) => {
    for (let n = 0; n < count; n++) codes[values[at++]!] = { length: i + 1, bits: bits++ };
    bits <<= 1;
  });
  return codes;
}

function segment(marker: number, ...body: readonly number[]): number[] {
  const length = body.length + 2;
  return [0xff, marker, length >> 8, length & 255, ...body];
}

/**
 * Everything before the entropy-coded data of a YCbCr 4:2:0 image: one quantisation table (`dc` for the
 * mean, `ac` for all else), one Huffman table of each class.
 */
export function jpegHeader(width: number, height: number, dc: number, ac: number): Uint8Array {
  const quantisation = [dc, ...Array.from({ length: 63 }, () => ac)];
  const size = [height >> 8, height & 255, width >> 8, width & 255];
  return Uint8Array.from([
    ...[0xff, 0xd8],
    ...segment(0xe0, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0),
    ...segment(0xdb, 0, ...quantisation),
    ...segment(0xc0, 8, ...size, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0),
    ...segment(0xc4, 0x00, ...DC_COUNTS, ...DC_VALUES),
    ...segment(0xc4, 0x10, ...AC_COUNTS, ...AC_VALUES),
    ...segment(0xda, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0),
  ]);
}
