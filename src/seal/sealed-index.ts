import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { describeError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import { decodeManifest, encodeManifest, hasSegmentFile, type Manifest } from '../core/manifest.js';
import type { Priority } from '../core/message.js';
import { isSegmentId, segmentNumber, type SegmentId } from '../core/segment-id.js';

/** Length of a segment id, the start of every sealed name. */
const ID_LENGTH = 45;
/** Number of manifests read at the same time. */
const READ_AT_ONCE = 32;

/** Facts of one sealed segment: only those that decide about eviction, because there may be 100,000. */
export interface SealedObject {
  /** Name inside `sealed/` without `.mcap`; begins with the segment's id. */
  readonly name: string;
  readonly robot: string;
  readonly number: number;
  readonly priority: Priority;
  /** MCAP and manifest together. */
  readonly bytes: number;
  /** The damaged WAL segment from which this one was salvaged, if it was. */
  readonly salvagedFrom?: SegmentId;
  /**
   * What is known about its receipts: none exists; a file exists; or it was read, and its stores cannot be
   * asked now. The file is read before anything is deleted.
   */
  receipt: 'none' | 'seen' | 'unanswered';
}

export interface SealedIndexPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly logger: Logger;
}

/**
 * The content of `sealed/`. Names are listed once at the start. {@link readMore} reads manifests in steps,
 * oldest first, so that a folder of 100,000 segments delays nothing. {@link add} reports later segments.
 */
export class SealedIndex {
  /** Bytes of the segments whose manifests were read. */
  bytes = 0;
  #objects = new Map<string, SealedObject>();
  #lastNumber = -1;
  #sorted = true;
  readonly #robots = new Map<string, string>();

  readonly #ports: SealedIndexPorts;
  /** Newest first: read from the end. */
  readonly #unread: string[];

  private constructor(ports: SealedIndexPorts, unread: string[]) {
    this.#ports = ports;
    this.#unread = unread;
  }

  /** Lists the folder; reads no manifest yet. */
  static async open(ports: SealedIndexPorts): Promise<SealedIndex> {
    const files = new Set(await ports.fs.readdir(ports.folder.sealed));
    const names = [...files]
      .filter((file) => file.endsWith('.json') && isSegmentId(file.slice(0, ID_LENGTH)))
      .map((file) => file.slice(0, -'.json'.length))
      .filter((name) => hasSegmentFile(files, name));
    return new SealedIndex(ports, names.sort().reverse());
  }

  /** All sealed segments, including those not read yet. */
  get segments(): number {
    return this.#objects.size + this.#unread.length;
  }

  /** Every manifest was read. */
  get complete(): boolean {
    return this.#unread.length === 0;
  }

  has(name: string): boolean {
    return this.#objects.has(name) || this.#unread.includes(name);
  }

  /** Reads up to `count` more manifests, oldest first. Unreadable ones are left alone and logged. */
  async readMore(count: number): Promise<void> {
    for (let left = count; left > 0 && this.#unread.length > 0; left -= READ_AT_ONCE) {
      const names = this.#unread.splice(-Math.min(left, READ_AT_ONCE)).reverse();
      const found = await Promise.all(names.map((name) => this.#read(name)));
      for (const object of found) if (object && !this.#objects.has(object.name)) this.#insert(object);
    }
  }

  /** A segment was sealed. Adding it twice changes nothing. */
  add(manifest: Manifest): void {
    const name = manifest.file.name.replace(/\.mcap$/, '');
    if (!this.has(name)) this.#insert(this.#describe(manifest, Buffer.byteLength(encodeManifest(manifest))));
  }

  remove(name: string): void {
    const object = this.#objects.get(name);
    if (!object) return;
    this.#objects.delete(name);
    this.bytes -= object.bytes;
  }

  get(name: string): SealedObject | undefined {
    return this.#objects.get(name);
  }

  /** The segments read so far. */
  oldestFirst(): Iterable<SealedObject> {
    if (!this.#sorted) {
      const sorted = [...this.#objects.values()].sort(
        (a, b) => a.number - b.number || (a.name < b.name ? -1 : 1),
      );
      this.#objects = new Map(sorted.map((object) => [object.name, object]));
      this.#sorted = true;
    }
    return this.#objects.values();
  }

  async #read(name: string): Promise<SealedObject | undefined> {
    const { fs, folder, logger } = this.#ports;
    try {
      const bytes = await fs.readFile(join(folder.sealed, `${name}.json`));
      return this.#describe(decodeManifest(bytes.toString('utf8'), `sealed/${name}.json`), bytes.length);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') {
        logger.warn('cannot read a manifest; retention keeps its segment', {
          segment: name,
          error: describeError(error),
        });
      }
      return undefined;
    }
  }

  #describe(manifest: Manifest, manifestBytes: number): SealedObject {
    const { segment, robot, file } = manifest;
    return {
      name: file.name.replace(/\.mcap$/, ''),
      robot: this.#oneString(robot),
      number: segmentNumber(segment.id),
      priority: segment.priority ?? 'normal',
      bytes: file.bytes + manifestBytes,
      ...(segment.salvagedFrom ? { salvagedFrom: segment.salvagedFrom } : {}),
      receipt: 'none',
    };
  }

  #insert(object: SealedObject): void {
    this.#objects.set(object.name, object);
    this.bytes += object.bytes;
    // The map keeps its order of insertion, which is by age except for recovered and salvaged segments.
    if (object.number < this.#lastNumber) this.#sorted = false;
    else this.#lastNumber = object.number;
  }

  /** Each parsed manifest brings its own copy of the same few robot names. */
  #oneString(robot: string): string {
    const known = this.#robots.get(robot);
    if (known === undefined) this.#robots.set(robot, robot);
    return known ?? robot;
  }
}
