import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { documentKind } from './documents/document.js';
import { eventMarkSchema } from './documents/folder-schemas.js';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from './durable-files.js';
import { systemCode } from './errors.js';
import type { MarkedEvent } from './marked-event.js';
import type { FileSystem } from './file-system.js';

/*
 * `events/<id>.json` in the data folder holds one marked event. The recorder writes it durably before it
 * answers. Sync reads it, possibly on another machine. The file never changes. Its form:
 *
 *     {"crc32": <CRC-32 of the JSON of event>, "event": {"version":1,"id":...,"label":...,"at":...,"from":...,"to":...}}
 */

/** Maximum number of marks in a data folder; beyond it the oldest are removed. */
export const EVENTS_MAX = 1_000;
/** How long a mark is kept after its window, nanoseconds: 30 days. */
export const EVENT_MAX_AGE_NS = 30n * 86_400n * 1_000_000_000n;
/** Maximum number of names looked at in `events/`, which bounds the cost of a folder with other content. */
const NAMES_MAX = 10 * EVENTS_MAX;
const VERSION = 1;
const ID = /^[0-9a-f]{32}$/;

const eventFiles = documentKind<{ readonly crc32: number; readonly event: MarkedEvent }>(
  'marked event',
  eventMarkSchema,
);

export function encodeEvent({ id, label, at, from, to }: MarkedEvent): string {
  const event = { version: VERSION, id, label, at, from, to };
  return `${JSON.stringify({ crc32: crc32(JSON.stringify(event)), event })}\n`;
}

/** The mark in the file of this id, or undefined if the file is damaged or is not a mark. */
export function decodeEvent(text: string, id: string): MarkedEvent | undefined {
  const file = eventFiles.parseIfValid(text);
  // Damaged, or not a mark: treated as absent. The caller logs it.
  if (file === undefined || file.crc32 !== crc32(JSON.stringify(file.event)) || file.event.id !== id) {
    return undefined;
  }
  const { label, at, from, to } = file.event;
  return { id, label, at, from, to };
}

/** The ids of all marks; empty if no event was ever marked. */
export async function listEvents(fs: FileSystem, folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await fs.readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
  return names
    .slice(0, NAMES_MAX)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .filter((id) => ID.test(id));
}

/** One mark; undefined if the file is missing or damaged. */
export async function readEvent(
  fs: FileSystem,
  folder: string,
  id: string,
): Promise<MarkedEvent | undefined> {
  const bytes = await readFileIfPresent(fs, join(folder, `${id}.json`));
  return bytes && decodeEvent(bytes.toString('utf8'), id);
}

/** Durable when it resolves. */
export async function writeEvent(fs: FileSystem, folder: string, event: MarkedEvent): Promise<void> {
  await makeDirectoryDurably(fs, folder);
  await writeFileDurably(fs, join(folder, `${event.id}.json`), encodeEvent(event));
}
