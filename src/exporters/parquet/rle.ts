/**
 * Parquet's hybrid of run lengths and bit packing (its "RLE" encoding): runs of eight or more equal values
 * as a length, everything else packed in groups of eight.
 */
export function encodeRle(values: Uint8Array | Uint32Array, count: number, bitWidth: number): Uint8Array {
  const valueBytes = Math.ceil(bitWidth / 8);
  // Packed, a group of 8 takes bitWidth bytes; heads take at most 5 bytes each.
  const out = new Uint8Array(Math.ceil(count / 8) * (bitWidth + 5) + 16 + valueBytes);
  let at = 0;
  const varint = (n: number): void => {
    for (; n > 127; n >>>= 7) out[at++] = (n & 127) | 128;
    out[at++] = n;
  };
  const pack = (from: number, to: number): void => {
    const groups = Math.ceil((to - from) / 8);
    if (groups === 0) return;
    varint((groups << 1) | 1);
    let bits = 0;
    let held = 0;
    for (let i = from; i < from + 8 * groups; i++) {
      const value = i < to ? values[i]! : 0;
      for (let left = bitWidth, rest = value; left > 0;) {
        const take = Math.min(left, 8 - held);
        bits |= (rest & ((1 << take) - 1)) << held;
        rest >>>= take;
        held += take;
        left -= take;
        if (held === 8) {
          out[at++] = bits;
          bits = 0;
          held = 0;
        }
      }
    }
  };
  let packedFrom = 0;
  let i = 0;
  while (i < count) {
    const value = values[i]!;
    let end = i + 1;
    while (end < count && values[end] === value) end++;
    // A packed stretch has whole groups: the run gives it the values to fill the last one.
    const fill = (8 - ((i - packedFrom) % 8)) % 8;
    if (end - i - fill >= 8) {
      pack(packedFrom, i + fill);
      varint((end - i - fill) << 1);
      for (let byte = 0; byte < valueBytes; byte++) out[at++] = (value >>> (8 * byte)) & 255;
      packedFrom = end;
    }
    i = end;
  }
  pack(packedFrom, count);
  return out.subarray(0, at);
}

export function bitWidthOf(max: number): number {
  return max === 0 ? 0 : 32 - Math.clz32(max);
}
