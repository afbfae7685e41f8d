import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { documentKind } from './documents/document.js';
import { tagFileSchema } from './documents/folder-schemas.js';
import { readStateIfReadable, writeFileDurably } from './durable-files.js';
import type { FileSystem } from './file-system.js';
import type { Tags } from './tags.js';

/*
 * `tags.json` in the data folder: the tags that hold, so that they survive a restart. Only the recorder writes it.
 *
 *     {"crc32": <CRC-32 of the JSON of tags>, "tags": {"version":1,"now":{"mission":"m3"},"configured":{}}}
 */

export const TAG_FILE = 'tags.json';

/** The tags that hold, and what the configuration said when they were written. */
export interface StoredTags {
  readonly now: Tags;
  readonly configured: Tags;
}

const tagFiles = documentKind<{ readonly crc32: number; readonly tags: StoredTags }>('tags', tagFileSchema);

/** Durable when it resolves. */
export async function writeTagFile(fs: FileSystem, root: string, stored: StoredTags): Promise<void> {
  const tags = { version: 1, now: stored.now, configured: stored.configured };
  const text = `${JSON.stringify({ crc32: crc32(JSON.stringify(tags)), tags })}\n`;
  await writeFileDurably(fs, join(root, TAG_FILE), text);
}

/** Undefined if there is no such file, or if it is damaged. */
export async function readTagFile(fs: FileSystem, root: string): Promise<StoredTags | undefined> {
  const bytes = await readStateIfReadable(fs, join(root, TAG_FILE));
  const file = tagFiles.parseIfValid(bytes?.toString('utf8'));
  if (file === undefined || file.crc32 !== crc32(JSON.stringify(file.tags))) return undefined;
  return { now: file.tags.now, configured: file.tags.configured };
}
