import { crc32 } from 'node:zlib';
import type { ObjectInfo } from '../../core/store.js';
import type { ManifestSummary } from './manifest-summary.js';

/** Format of the cache; another one is thrown away. */
export const CACHE_VERSION = 1;

/** The text a cache keeps of one manifest: CRC-32, then the object it was read from, then the summary. */
export function encodeCached(info: ObjectInfo, summary: ManifestSummary): string {
  const text = JSON.stringify([info.bytes, info.etag ?? '', summary]);
  return `${crc32(text).toString(16).padStart(8, '0')}${text}`;
}

/**
 * The summary, if it is of this very object. Undefined where the object is another one now, or where the text is
 * damaged: LevelDB does not notice a flipped bit.
 */
export function decodeCached(value: string, info: ObjectInfo): ManifestSummary | undefined {
  const text = value.slice(8);
  if (crc32(text) !== Number.parseInt(value.slice(0, 8), 16)) return undefined;
  const [bytes, etag, summary] = JSON.parse(text) as [number, string, ManifestSummary];
  return bytes === info.bytes && etag === (info.etag ?? '') ? summary : undefined;
}
