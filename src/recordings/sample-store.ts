import type { Store } from '../core/store.js';
import { storeEntries, type StoreEntry } from './catalogue/store-entries.js';

/** How much of a store is read: a number of objects, or a fraction of all. */
export type SampleSize = { readonly objects: number } | { readonly share: number };

export interface Sample {
  readonly size: SampleSize;
  /** The last key of an earlier sample: this one continues after it, and starts over at the end. */
  readonly after: string | undefined;
  /** Everything up to this key was checked. Must not throw. */
  readonly onPassed: (key: string) => Promise<void>;
}

export const SAMPLE_FORM = 'a number of objects from 1, or a share from 0% (not included) to 100%';

/** `100` or `2.5%`; undefined for anything else. */
export function parseSampleSize(text: string): SampleSize | undefined {
  const [, number, percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text) ?? [];
  const value = Number(number);
  if (percent === '%') return value > 0 && value <= 100 ? { share: value / 100 } : undefined;
  return Number.isSafeInteger(value) && value > 0 ? { objects: value } : undefined;
}

/** The entries of a sample of a store, one after the other. Memory: one page of the list. */
export async function* sampleEntries(
  store: Store,
  { size, after = '', onPassed }: Sample,
  signal?: AbortSignal,
): AsyncGenerator<StoreEntry, void, void> {
  let left = 'objects' in size ? size.objects : await shareOf(store, size.share, signal);
  // From after the last one to the end, then from the beginning to it.
  for (const isInPart of [(key: string) => key > after, (key: string) => key <= after]) {
    for await (const entry of storeEntries(store, signal)) {
      const key = keyOf(entry);
      if (!isInPart(key)) continue;
      if (left <= 0) return;
      if (!entry.other) left--;
      yield entry;
      await onPassed(key);
    }
  }
}

async function shareOf(store: Store, share: number, signal: AbortSignal | undefined): Promise<number> {
  let segments = 0;
  for await (const { other } of storeEntries(store, signal)) if (!other) segments++;
  return Math.max(1, Math.ceil(segments * share));
}

/** `.mcap` follows `.json` of the same name. */
function keyOf({ object, manifest, other }: StoreEntry): string {
  return (object ?? manifest ?? other)?.key ?? '';
}
