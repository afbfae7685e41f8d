/**
 * A decoded message as JSON text. What JSON has no word for is text: 64-bit integers as decimal digits (a
 * JavaScript reader would round them), NaN and the infinities as "NaN", "Infinity" and "-Infinity". Byte
 * arrays (uint8[], byte[], char[]) are base64, other arrays lists of numbers.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, replace);
}

function replace(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  return ArrayBuffer.isView(value) ? arrayOf(value) : value;
}

function arrayOf(view: ArrayBufferView): unknown {
  if (view instanceof Uint8Array || view instanceof Uint8ClampedArray) {
    return Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64');
  }
  return Array.from(view as unknown as ArrayLike<number | bigint>);
}
