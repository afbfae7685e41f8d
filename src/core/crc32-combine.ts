/** The polynomial of the CRC-32 of zlib and MCAP, with its bits reversed. */
const POLYNOMIAL = 0xedb88320;
/** x^0, in reversed bits. */
const ONE = 0x80000000;
/** Operators kept by length: payloads of one topic often have one length. */
const MAX_KEPT = 4096;

/** `POWERS[n]` is x^(2^n) modulo the polynomial. */
const POWERS = powers();
const operators = new Map<number, number>();

/**
 * The CRC-32 of two byte strings in sequence, from the CRC-32 of each. It reads no bytes (zlib, `crc32_combine`).
 *
 * @param secondBytes - Length of the second string.
 */
export function crc32Combine(first: number, second: number, secondBytes: number): number {
  let operator = operators.get(secondBytes);
  if (operator === undefined) {
    operator = shiftBy(secondBytes);
    if (operators.size >= MAX_KEPT) operators.clear();
    operators.set(secondBytes, operator);
  }
  return (multiply(operator, first) ^ second) >>> 0;
}

/** x^(8 * bytes) modulo the polynomial. */
function shiftBy(bytes: number): number {
  let product = ONE;
  for (let left = bytes, power = 3; left > 0; left = Math.floor(left / 2), power++) {
    if (left % 2 === 1) product = multiply(POWERS[power % 32] as number, product);
  }
  return product;
}

/** The product of two polynomials modulo the polynomial. */
function multiply(a: number, b: number): number {
  let product = 0;
  let shifted = b;
  for (let bit = 31; bit >= 0; bit--) {
    if ((a >>> bit) & 1) product ^= shifted;
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1;
  }
  return product >>> 0;
}

function powers(): number[] {
  const list = [0x40000000];
  while (list.length < 32) {
    const last = list.at(-1) as number;
    list.push(multiply(last, last));
  }
  return list;
}
