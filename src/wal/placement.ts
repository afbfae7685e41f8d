import { defined } from '../core/defined.js';
import type { Message, Priority } from '../core/message.js';
import { objectName, type ObjectName } from '../core/object-name.js';
import { ObjectFile, type ObjectEntry } from './object-file.js';

/** What decides, beside its robot, in which object a channel lies. */
export interface ObjectClass {
  readonly priority: Priority;
  /** Absent: none. */
  readonly group?: string;
}

/** Which payloads are written directly into an object file, so that sealing does not copy them. */
export interface InPlaceOptions {
  /** Smaller payloads stay in the batch. */
  readonly minBytes: number;
  /** Sealing writes one object per priority class. */
  readonly splitByPriority: boolean;
}

/**
 * Maximum open object files. Each needs a descriptor and an fdatasync per commit; further robots of a fleet
 * use the blob.
 */
const MAX_FILES = 16;
/**
 * Maximum bytes that one commit puts into one chunk, unless it is a single payload. Readers hold a chunk in
 * memory.
 */
const CHUNK_MAX_BYTES = 16 * 1024 * 1024;
/** Places records of one segment in object files, and tracks the content of these files. */
export class SegmentPlacement {
  readonly #files = new Map<string, ObjectFile>();
  /** Files that are not in the log yet. */
  #unnamed: ObjectFile[] = [];
  readonly #counts: number[] = [];

  /** Counts one message of a channel; returns how many there are in this segment. */
  count(channelId: number): number {
    return (this.#counts[channelId] = (this.#counts[channelId] ?? 0) + 1);
  }

  /**
   * The file for a payload; undefined: the payload stays in the batch.
   *
   * @param library - `library` field of the Header of a new file.
   */
  fileFor(
    message: Message,
    channelId: number,
    { priority, group }: ObjectClass,
    library: string,
    options: InPlaceOptions,
  ): ObjectFile | undefined {
    const { channel, data, sourceSequence = 0 } = message;
    const { minBytes, splitByPriority } = options;
    if (data.byteLength < minBytes) return undefined;
    // Identifying numbers above 2^32 need a separate channel for their upper bits.
    if (channel.numberedIn !== undefined && sourceSequence >= 2 ** 32) return undefined;
    const name = objectName(channel.robot, splitByPriority ? priority : undefined, 0, group);
    const file = this.#files.get(keyOf(name)) ?? this.#open(name, library);
    return file?.hasRoomFor(channelId) === true ? file : undefined;
  }

  /** Files created since the last call. */
  takeUnnamed(): ObjectFile[] {
    const unnamed = this.#unnamed;
    this.#unnamed = [];
    return unnamed;
  }

  #open(name: ObjectName, library: string): ObjectFile | undefined {
    if (this.#files.size >= MAX_FILES) return undefined;
    const { robot, priority, group } = name;
    const entry: ObjectEntry = { robot, library, ...defined({ priority, group }) };
    const file = new ObjectFile(this.#files.size + 1, entry);
    this.#files.set(keyOf(name), file);
    this.#unnamed.push(file);
    return file;
  }
}

/** No suffix has a slash. */
function keyOf({ suffix, group = '' }: ObjectName): string {
  return `${suffix}/${group}`;
}

/** Whether a chunk of this size takes another payload. */
export function fitsChunk(bytes: number, payloadBytes: number): boolean {
  return bytes === 0 || bytes + payloadBytes <= CHUNK_MAX_BYTES;
}
