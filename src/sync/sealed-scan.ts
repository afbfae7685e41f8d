import { join } from 'node:path';
import { defined } from '../core/defined.js';
import { NS_PER_MS, NS_PER_S, type Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { describeError, isHoldfastError, systemCode, type HoldfastError } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import { hasSegmentFile, type Manifest } from '../core/manifest.js';
import { deniedFolder, isDenied } from './denied-folder.js';
import { toBeLookedFor, type ProgressRecord } from './progress-record.js';
import { selects } from '../core/sink.js';
import type { Receipts } from './receipts.js';
import type { SegmentEntry, SegmentTable } from './segment-table.js';
import { parseSealedManifest } from './sealed-manifest.js';
import type { SharedByEngines, SinkSpec } from './sync-sink.js';

export interface ScanPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly folder: DataFolder;
  readonly table: SegmentTable;
  readonly receipts: Receipts;
  readonly sink: SinkSpec;
  readonly shared: SharedByEngines;
  readonly retryParked: boolean;
  /** Names of the segments to send; undefined: all. */
  readonly only: ReadonlySet<string> | undefined;
  readonly onTrouble: (message: string) => void;
  /** The keys this data folder uploads to; they show which unfinished uploads may be its own. */
  readonly onKey: (key: string) => void;
  /** Its window of time was marked: it is sent before the others. */
  readonly isMarked: (entry: SegmentEntry, manifest: Manifest) => boolean;
  /** The upload policy keeps it here. */
  readonly isHeldBack: (entry: SegmentEntry, isMarked: boolean) => boolean;
  readonly onVanished: (entry: SegmentEntry) => void;
}

export type VerifiedRecord = Extract<ProgressRecord, { state: 'verified' }>;

const READ_AT_ONCE = 32;
/** A file system may give two changes within its time step the same modification time. */
const SETTLED_NS = 2n * NS_PER_S;
/** Modification times of network folders can be wrong; list the names at least this often. */
const FULL_LOOK_NS = 30n * NS_PER_S;

/**
 * Watches `sealed/` by polling (change notification fails on network disks and under load). It lists the
 * names only if the directory changed, and reads only new manifests.
 */
export class SealedScan {
  readonly #ports: ScanPorts;
  #storeId: string | undefined;
  #records = new Map<string, ProgressRecord>();
  #receipts = new Set<string>();
  /** Segments found in this step that come first. */
  readonly #marked = new Set<string>();
  #first = true;
  #seenMtime: bigint | undefined;
  #lookedAt = 0n;
  #denied: HoldfastError | undefined;

  constructor(ports: ScanPorts) {
    this.#ports = ports;
  }

  /** Why the last scan was not allowed to read the folder or a file in it. */
  get denied(): HoldfastError | undefined {
    return this.#denied;
  }

  /** Starts over for this store, with the remembered records of it. */
  async reset(storeId: string | undefined, records: Map<string, ProgressRecord>): Promise<void> {
    this.#storeId = storeId;
    this.#records = records;
    this.#receipts = await this.#ports.receipts.list();
    this.#ports.table.clear();
    this.#first = true;
    this.#seenMtime = undefined;
  }

  /** Updates the table from the folder. False if the folder could not be scanned completely. */
  async poll(signal: AbortSignal, force: boolean): Promise<boolean> {
    const { fs, clock, folder } = this.#ports;
    this.#denied = undefined;
    const mtime = await this.#mtime();
    const now = clock.monotonic();
    if (!force && mtime !== undefined && mtime === this.#seenMtime && now - this.#lookedAt < FULL_LOOK_NS) {
      return true;
    }
    let names: string[];
    try {
      names = await fs.readdir(folder.sealed);
    } catch (error) {
      if (isDenied(error)) {
        this.#deny(await deniedFolder(fs, folder.sealed, error));
        return false;
      }
      if (systemCode(error) !== 'ENOENT') {
        this.#ports.onTrouble(`sealed segments cannot be listed: ${describeError(error)}`);
        return false;
      }
      names = [];
    }
    const whole = await this.#compare(names, signal);
    if (!whole) return false;
    const settled = mtime !== undefined && clock.now() - mtime > SETTLED_NS;
    this.#seenMtime = settled ? mtime : undefined;
    this.#lookedAt = now;
    this.#first = false;
    this.#records.clear();
    this.#receipts.clear();
    return true;
  }

  #deny(error: HoldfastError): void {
    this.#denied ??= error;
    this.#ports.onTrouble(error.message);
  }

  async #mtime(): Promise<bigint | undefined> {
    try {
      return (await this.#ports.fs.stat(this.#ports.folder.sealed, { bigint: true })).mtimeMs * NS_PER_MS;
    } catch {
      return undefined;
    }
  }

  async #compare(names: readonly string[], signal: AbortSignal): Promise<boolean> {
    const { table } = this.#ports;
    const files = new Set(names);
    const complete = (name: string): boolean => files.has(`${name}.json`) && hasSegmentFile(files, name);
    for (const entry of [...table.values()]) if (!complete(entry.name)) this.#ports.onVanished(entry);
    const added = names
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length))
      .filter((name) => complete(name) && !table.get(name))
      .sort();
    let whole = true;
    for (let at = 0; at < added.length && !signal.aborted; at += READ_AT_ONCE) {
      const found = await Promise.all(added.slice(at, at + READ_AT_ONCE).map((name) => this.#look(name)));
      for (const entry of found) {
        if (entry === 'unreadable') whole = false;
        else if (entry) table.add(entry);
      }
      table.putFirst(this.#marked);
      this.#marked.clear();
    }
    return whole && !signal.aborted;
  }

  async #look(name: string): Promise<SegmentEntry | 'unreadable' | undefined> {
    const { only } = this.#ports;
    const found = await this.#find(name);
    if (only === undefined || only.has(name)) return found;
    const isWaiting = typeof found === 'object' && found.state === 'pending';
    return isWaiting ? { ...found, state: 'skipped' } : found;
  }

  async #find(name: string): Promise<SegmentEntry | 'unreadable' | undefined> {
    const record = this.#records.get(name);
    // Without a receipt there is no recorded answer of the store: ask again.
    if (record?.state === 'verified' && (!this.#first || (await this.#hasReceipt(name)))) {
      this.#noteKey(record.key);
      return { ...this.#blank(name, '', record.bytes), state: 'verified', record };
    }
    if (record?.state === 'parked' && !this.#ports.retryParked) {
      const { robot, bytes, code, message } = record;
      return { ...this.#blank(name, robot, bytes), state: 'parked', record, alarm: { code, message } };
    }
    try {
      const path = join(this.#ports.folder.sealed, `${name}.json`);
      return await this.#fromManifest(name, parseSealedManifest(await this.#ports.fs.readFile(path), name));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      if (isHoldfastError(error, 'MANIFEST_INVALID')) {
        const alarm = { code: error.code, message: error.message };
        return { ...this.#blank(name, '', 0), state: 'parked', alarm };
      }
      if (isDenied(error)) {
        const path = join(this.#ports.folder.sealed, `${name}.json`);
        this.#deny(await deniedFolder(this.#ports.fs, path, error));
        return 'unreadable';
      }
      this.#ports.onTrouble(`manifest ${name}.json cannot be read: ${describeError(error)}`);
      return 'unreadable';
    }
  }

  /** Tables made of a segment have keys of many forms, so the owner of such unfinished uploads is unknown. */
  #noteKey(key: string): void {
    const { deriver } = this.#ports.sink;
    if (deriver === undefined || deriver.standsForSegment) this.#ports.onKey(key);
  }

  /** If this is the only sink, a file of that name is its receipt; otherwise it must be read. */
  async #hasReceipt(name: string): Promise<boolean> {
    const { shared, receipts } = this.#ports;
    if (!this.#receipts.has(name)) return false;
    if (!shared.several || this.#storeId === undefined) return true;
    return (await receipts.read(name, this.#storeId)) !== undefined;
  }

  async #isOnRecord(name: string): Promise<boolean> {
    if (this.#storeId === undefined || !this.#receipts.has(name)) return false;
    return (await this.#ports.receipts.read(name, this.#storeId)) !== undefined;
  }

  async #fromManifest(name: string, manifest: Manifest): Promise<SegmentEntry> {
    const { sink } = this.#ports;
    if (!selects(sink.selection, manifest)) {
      return { ...this.#blank(name, manifest.robot, manifest.file.bytes), state: 'skipped' };
    }
    this.#noteKey(manifest.key);
    // A receipt without a record: the records were removed. The store is asked before anything is believed.
    const record = this.#records.get(name) ?? ((await this.#isOnRecord(name)) ? toBeLookedFor : undefined);
    const entry: SegmentEntry = {
      ...this.#blank(name, manifest.robot, manifest.file.bytes),
      priority: manifest.segment.priority ?? 'normal',
      ...defined({ firstLogTime: manifest.firstLogTime, lastLogTime: manifest.lastLogTime }),
      ...((manifest.events?.length ?? 0) > 0 ? { hasEvents: true } : {}),
      ...(record && record.state !== 'parked' ? { record } : {}),
    };
    const isMarked = this.#ports.isMarked(entry, manifest);
    if (isMarked) this.#marked.add(name);
    return this.#ports.isHeldBack(entry, isMarked) ? { ...entry, state: 'held' } : entry;
  }

  #blank(name: string, robot: string, bytes: number): SegmentEntry {
    const fresh = !this.#first;
    return { name, robot, bytes, priority: 'normal', fresh, state: 'pending', turns: 0 };
  }
}
