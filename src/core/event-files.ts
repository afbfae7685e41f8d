import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { makeDirectoryDurably, readFileIfPresent, writeFileDurably } from './durable-files.js';
import { systemCode } from './errors.js';
import type { MarkedEvent } from './events.js';
import type { FileSystem } from './file-system.js';

/*
 * `events/<id>.json` in the data folder: one marked event, written durably by the recorder before it answers,
 * read by sync, maybe on another machine. Immutable. The file's form:
 *
 *     {"crc32": <CRC-32 of the JSON of event>, "event": {"version":1,"id":...,"label":...,"at":...,"from":...,"to":...}}
 */

/** Marks kept in a data folder; beyond it the oldest go. */
export const EVENTS_MAX = 1_000;
/** How long a mark is kept after its window, nanoseconds: 30 days. */
export const EVENT_MAX_AGE_NS = 30n * 86_400n * 1_000_000_000n;
/** Names looked at in `events/`: bounds what a strange folder can cost. */
const NAMES_MAX = 10 * EVENTS_MAX;
const VERSION = 1;
const ID = /^[0-9a-f]{32}$/;
const TIME = /^\d{1,19}$/;

export function encodeEvent({ id, label, at, from, to }: MarkedEvent): string {
  const event = { version: VERSION, id, label, at, from, to };
  return `${JSON.stringify({ crc32: crc32(JSON.stringify(event)), event })}\n`;
}

/** The mark in a file of this id, or undefined where it is damaged or no mark. */
export function decodeEvent(text: string, id: string): MarkedEvent | undefined {
  try {
    const file = JSON.parse(text) as { crc32?: unknown; event?: Partial<Record<string, unknown>> };
    const { event } = file;
    if (!event || file.crc32 !== crc32(JSON.stringify(event))) return undefined;
    if (event['version'] !== VERSION || event['id'] !== id) return undefined;
    const { label, at, from, to } = event;
    const isTime = (value: unknown): value is string => typeof value === 'string' && TIME.test(value);
    if (typeof label !== 'string' || !isTime(at) || !isTime(from) || !isTime(to)) return undefined;
    return { id, label, at, from, to };
  } catch {
    // Not JSON: as good as no mark; the caller says so.
    return undefined;
  }
}

/** The ids of the marks there are; none where nothing was ever marked. */
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

/** One mark; undefined where it is gone or damaged. */
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

/** Whether something of these log times (nanoseconds, inclusive) lies in the window. */
export function overlapsEvent({ from, to }: MarkedEvent, first: bigint, last: bigint): boolean {
  return first <= BigInt(to) && last >= BigInt(from);
}
