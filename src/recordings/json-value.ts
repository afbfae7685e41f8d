/**
 * A decoded message as JSON text. Values that JSON does not support become text: 64-bit integers are decimal
 * digits (a JavaScript reader would round them), NaN and the infinities are "NaN", "Infinity" and
 * "-Infinity". Byte arrays (uint8[], byte[], char[]) are base64, other arrays lists of numbers.
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
