import { crc32 } from 'node:zlib';
import { documentKind } from '../../core/documents/document.js';
import { encryptionSchema } from '../../core/documents/manifest-schema.js';
import { count, flag, object, tagsMember, text, time } from '../../core/documents/schema-parts.js';
import type { ObjectInfo } from '../../core/store.js';
import type { ManifestSummary } from './manifest-summary.js';

/** Format of the cache; another one is discarded. */
export const CACHE_VERSION = 5;

const entries = documentKind<readonly [bytes: number, etag: string, summary: ManifestSummary]>(
  'cached manifest',
  {
    ...{ type: 'array', minItems: 3, maxItems: 3, description: 'a list of three' },
    items: [
      count,
      text,
      object(
        { id: text, robot: text, fileName: text, messages: count, channels: count, gaps: count },
        {
          ...{ vin: text, priority: text, firstLogTime: time, lastLogTime: time },
          ...{
            uncleanEnd: flag,
            tags: tagsMember,
            evicted: flag,
            deleted: flag,
            encryption: encryptionSchema,
          },
        },
      ),
    ],
  },
);

/** The cached text of one manifest: CRC-32, then the object it was read from, then the summary. */
export function encodeCached(info: ObjectInfo, summary: ManifestSummary): string {
  const json = JSON.stringify([info.bytes, info.etag ?? '', summary]);
  return `${crc32(json).toString(16).padStart(8, '0')}${json}`;
}

/**
 * The summary, if it belongs to this very object. Undefined if the object is another one now, or if the text
 * is damaged: LevelDB does not detect a flipped bit.
 */
export function decodeCached(value: string, info: ObjectInfo): ManifestSummary | undefined {
  const json = value.slice(8);
  if (crc32(json) !== Number.parseInt(value.slice(0, 8), 16)) return undefined;
  const entry = entries.parseIfValid(json);
  if (entry === undefined) return undefined;
  const [bytes, etag, summary] = entry;
  return bytes === info.bytes && etag === (info.etag ?? '') ? summary : undefined;
}
