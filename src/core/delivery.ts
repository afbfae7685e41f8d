import type { CallOptions } from './store.js';

/**
 * A server that takes data and keeps no objects, such as a time-series database or a message broker. Every method
 * throws HoldfastError with one of the STORE_ codes: `STORE_REJECTED` for a batch that it will never take.
 */
export interface Delivery extends AsyncDisposable {
  /** Identifies the target; credentials removed. */
  readonly uri: string;
  /** Resolves if the server answers. Throws `STORE_OFFLINE`, `STORE_ACCESS_DENIED` or `STORE_BUSY`. */
  probe(options?: CallOptions): Promise<void>;
  /** Resolves once the server has acknowledged the whole batch. Safe to repeat. */
  deliver(batch: Uint8Array, options?: CallOptions): Promise<void>;
}

/** Maximum size of one batch, unless its sink has another, bytes. */
export const BATCH_MAX_BYTES = 4 * 1024 * 1024;

const BATCHES = 'batches/';
const SEGMENTS = 'segments/';
const DIGITS = 6;

/** Begins the keys of markers: each says that all batches of a segment were acknowledged. */
export const MARKERS = SEGMENTS;

/** Key of a batch of a segment. */
export function batchKey(segment: string, number: number): string {
  return `${batchesPrefix(segment)}${String(number).padStart(DIGITS, '0')}`;
}

/** Begins the keys of the batches of a segment. */
export function batchesPrefix(segment: string): string {
  return `${BATCHES}${segment}-`;
}

export function isBatchKey(key: string): boolean {
  return key.startsWith(BATCHES);
}

/** @param segment - Name of the sealed file without `.mcap`. */
export function deliveryMarkerKey(segment: string): string {
  return `${SEGMENTS}${segment}`;
}

/** The segment of a marker's key; undefined: it is no such key. */
export function segmentOfMarker(key: string): string | undefined {
  return key.startsWith(SEGMENTS) ? key.slice(SEGMENTS.length) : undefined;
}
