/*
 * Names in the database of the outbox: samples `s<run><tick>`, catalogues `c<run><version>`, removed pieces
 * `l<run><tick>` and keys `k<run>`, hexadecimal. Samples begin with catalogue and run. Samples behind that, and
 * catalogues, are encrypted if their run has a key (outbox-cipher.ts).
 */
const RUN_DIGITS = 8;
const TICK_DIGITS = 14;
/** Of a sample: version of its catalogue (4 bytes) and run (8), big-endian. */
export const HEAD_BYTES = 12;

/** @param order - Of the run. An infinite tick: behind every sample of the run. */
export function sampleKey(order: number, tick: number): string {
  const end = Number.isFinite(tick) ? tick.toString(16).padStart(TICK_DIGITS, '0') : 'g';
  return `s${order.toString(16).padStart(RUN_DIGITS, '0')}${end}`;
}

export function catalogueKey(order: number, version: number): string {
  return `c${order.toString(16).padStart(RUN_DIGITS, '0')}${version.toString(16).padStart(8, '0')}`;
}

export function keyName(order: number): string {
  return `k${order.toString(16).padStart(RUN_DIGITS, '0')}`;
}

export function orderOf(key: string): number {
  return Number.parseInt(key.slice(1, 1 + RUN_DIGITS), 16);
}

/** The tick of a sample. */
export function tickOf(key: string): number {
  return Number.parseInt(key.slice(1 + RUN_DIGITS), 16);
}

export function headOf(value: Uint8Array): { readonly version: number; readonly run: bigint } {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return { version: view.getUint32(0), run: view.getBigUint64(4) };
}
