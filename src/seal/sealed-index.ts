import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { describeError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { Logger } from '../core/logger.js';
import { decodeManifest, encodeManifest, type Manifest } from '../core/manifest.js';
import type { Priority } from '../core/message.js';
import { isSegmentId, segmentNumber, type SegmentId } from '../core/segment-id.js';

/** Length of a segment id, with which every sealed name begins. */
const ID_LENGTH = 45;
/** Manifests read at one time. */
const READ_AT_ONCE = 32;

/** What is kept of one sealed segment: enough to decide what goes, no more, since there may be 100,000. */
export interface SealedObject {
  /** Name inside `sealed/` without `.mcap`; begins with the segment's id. */
  readonly name: string;
  readonly robot: string;
  readonly number: number;
  readonly priority: Priority;
  /** MCAP and manifest together. */
  readonly bytes: number;
  /** The WAL segment this one was read out of, where that was damaged. */
  readonly salvagedFrom?: SegmentId;
  /** A receipt file of this name was seen; its content is checked before anything is deleted. */
  receipt: boolean;
}

export interface SealedIndexPorts {
  readonly fs: FileSystem;
  readonly folder: DataFolder;
  readonly logger: Logger;
}

/**
 * What lies in `sealed/`. Names are listed once at the start; manifests are read in steps, oldest first, by
 * {@link readMore}, so that a folder of 100,000 segments delays nothing; later ones are told by {@link add}.
 */
export class SealedIndex {
  /** Bytes of the segments whose manifests were read. */
  bytes = 0;
  private objects = new Map<string, SealedObject>();
  private lastNumber = -1;
  private sorted = true;
  private readonly robots = new Map<string, string>();

  private constructor(
    private readonly ports: SealedIndexPorts,
    /** Newest first: read from the end. */
    private readonly unread: string[],
  ) {}

  /** Lists the folder; reads no manifest yet. */
  static async open(ports: SealedIndexPorts): Promise<SealedIndex> {
    const files = new Set(await ports.fs.readdir(ports.folder.sealed));
    const names = [...files]
      .filter((file) => file.endsWith('.json') && isSegmentId(file.slice(0, ID_LENGTH)))
      .map((file) => file.slice(0, -'.json'.length))
      .filter((name) => files.has(`${name}.mcap`));
    return new SealedIndex(ports, names.sort().reverse());
  }

  /** Sealed segments, those not read yet too. */
  get segments(): number {
    return this.objects.size + this.unread.length;
  }

  /** Every manifest was read. */
  get complete(): boolean {
    return this.unread.length === 0;
  }

  has(name: string): boolean {
    return this.objects.has(name) || this.unread.includes(name);
  }

  /** Reads up to `count` more manifests, oldest first. What cannot be read is left alone, and said. */
  async readMore(count: number): Promise<void> {
    for (let left = count; left > 0 && this.unread.length > 0; left -= READ_AT_ONCE) {
      const names = this.unread.splice(-Math.min(left, READ_AT_ONCE)).reverse();
      const found = await Promise.all(names.map((name) => this.read(name)));
      for (const object of found) if (object && !this.objects.has(object.name)) this.insert(object);
    }
  }

  /** A segment was sealed. Telling it twice changes nothing. */
  add(manifest: Manifest): void {
    const name = manifest.file.name.replace(/\.mcap$/, '');
    if (!this.has(name)) this.insert(this.describe(manifest, Buffer.byteLength(encodeManifest(manifest))));
  }

  remove(name: string): void {
    const object = this.objects.get(name);
    if (!object) return;
    this.objects.delete(name);
    this.bytes -= object.bytes;
  }

  get(name: string): SealedObject | undefined {
    return this.objects.get(name);
  }

  /** Those read so far. */
  oldestFirst(): Iterable<SealedObject> {
    if (!this.sorted) {
      const sorted = [...this.objects.values()].sort(
        (a, b) => a.number - b.number || (a.name < b.name ? -1 : 1),
      );
      this.objects = new Map(sorted.map((object) => [object.name, object]));
      this.sorted = true;
    }
    return this.objects.values();
  }

  private async read(name: string): Promise<SealedObject | undefined> {
    const { fs, folder, logger } = this.ports;
    try {
      const bytes = await fs.readFile(join(folder.sealed, `${name}.json`));
      return this.describe(decodeManifest(bytes.toString('utf8'), `sealed/${name}.json`), bytes.length);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') {
        logger.warn('a manifest cannot be read, retention leaves its segment alone', {
          segment: name,
          error: describeError(error),
        });
      }
      return undefined;
    }
  }

  private describe(manifest: Manifest, manifestBytes: number): SealedObject {
    const { segment, robot, file } = manifest;
    return {
      name: file.name.replace(/\.mcap$/, ''),
      robot: this.oneString(robot),
      number: segmentNumber(segment.id),
      priority: segment.priority ?? 'normal',
      bytes: file.bytes + manifestBytes,
      ...(segment.salvagedFrom ? { salvagedFrom: segment.salvagedFrom } : {}),
      receipt: false,
    };
  }

  private insert(object: SealedObject): void {
    this.objects.set(object.name, object);
    this.bytes += object.bytes;
    // The map keeps its order of insertion, which is by age but for recovered and salvaged segments.
    if (object.number < this.lastNumber) this.sorted = false;
    else this.lastNumber = object.number;
  }

  /** Each parsed manifest brings its own copy of the same few robot names. */
  private oneString(robot: string): string {
    const known = this.robots.get(robot);
    if (known === undefined) this.robots.set(robot, robot);
    return known ?? robot;
  }
}
