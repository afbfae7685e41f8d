import { setMaxListeners } from 'node:events';
import { basename, join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { encryptedKey, type DigestedManifest } from '../core/manifest.js';
import type { EncryptedObject } from '../core/receipt-file.js';
import { scratchName } from '../core/segment-copies.js';
import type { Upload } from '../core/store.js';
import { onAbort } from '../core/on-abort.js';
import { WakeUp } from './wake-up.js';
import { Budget } from './budget.js';
import { DerivedUpload } from './derived-upload.js';
import { readPublishedManifest, type PublishedManifest } from './digest-segment.js';
import { PartBuffers } from './part-buffers.js';
import type { SegmentEntry } from './segment-table.js';
import { judgeRemainder } from './remainder-upload.js';
import { SchemaBook } from './schema-book.js';
import { SendWindow } from './send-window.js';
import { outcomeOf, Settlement } from './settlement.js';
import type { StoreLoopParts, SyncParts } from './sync-parts.js';
import { SegmentUpload, type UploadOutcome } from './upload-segment.js';
import { uploadHooks, type UploadTurn } from './upload-hooks.js';
import type { UploadPorts } from './upload-ports.js';
import { keyWithSuffix } from './upload-state.js';

type Parts = StoreLoopParts &
  Pick<
    SyncParts,
    | 'calls'
    | 'encryption'
    | 'gate'
    | 'memory'
    | 'openUploads'
    | 'progress'
    | 'random'
    | 'shared'
    | 'store'
    | 'tell'
  >;

const IDLE_WAIT_MS = 3_600_000;
/** For sinks that convert segments into files: how many segments are converted ahead of the upload. */
const DERIVED_AT_ONCE = 2;

/** Folder for converted files before they are sent: in `sinks/`, named after the upload state. */
export function scratchFolder({ sync, sinks }: Pick<DataFolder, 'sync' | 'sinks'>): string {
  return join(sinks, scratchName(basename(sync)));
}

interface Turn extends UploadTurn {
  readonly abort: AbortController;
}

/** Takes segments from the table one by one and uploads each until it is settled or must wait. */
export class SegmentSender {
  /** Segments in progress, by name. */
  readonly active = new Map<string, Turn>();
  readonly #parts: Parts;
  readonly #onSettled: () => void;
  readonly #partBytes: number;
  readonly #buffers: PartBuffers;
  readonly #window: SendWindow;
  readonly #segmentSlots: Budget;
  readonly #uploadSlots: Budget;
  readonly #wakeUp = new WakeUp();
  readonly #schemas: SchemaBook;
  readonly #settlement: Settlement;
  #found: Promise<Map<string, Upload>> | undefined;

  /** @param onSettled - Called when a segment is verified, parked or gone. */
  constructor(parts: Parts, onSettled: () => void) {
    const { clock, options, store } = parts;
    this.#parts = parts;
    this.#settlement = new Settlement(parts);
    this.#onSettled = onSettled;
    this.#schemas = new SchemaBook(parts.fs, parts.folder);
    this.#partBytes = Math.max(options.partBytes, store.limits.minPartBytes);
    this.#buffers = new PartBuffers(options.partsInFlight, this.#partBytes);
    // One less than memory holds, because the next part is read meanwhile.
    const onTheirWay = Math.max(1, options.partsInFlight - 1);
    this.#window = new SendWindow(clock, this.#partBytes, onTheirWay * this.#partBytes);
    this.#segmentSlots = new Budget(this.#segmentsInFlight);
    this.#uploadSlots = new Budget(options.uploadsInFlight);
  }

  /** Applies the present options. Uploads in progress continue unchanged. */
  reconfigure(): void {
    const { options } = this.#parts;
    this.#parts.shared.bandwidth.change(options.bandwidthBytesPerS);
    this.#segmentSlots.resize(this.#segmentsInFlight);
    this.#uploadSlots.resize(options.uploadsInFlight);
    this.#limitUploads();
    this.#wakeUp.notify();
  }

  get #segmentsInFlight(): number {
    const { sink, options } = this.#parts;
    return sink.deriver ? Math.min(DERIVED_AT_ONCE, options.segmentsInFlight) : options.segmentsInFlight;
  }

  /** Looks for segments to send. */
  wake(): void {
    this.#wakeUp.notify();
  }

  /** The files of the segment are gone, so its work ends. Returns false if there was no work. */
  abandon(name: string): boolean {
    const turn = this.active.get(name);
    turn?.abort.abort(new Error(`${name} was evicted`));
    return turn !== undefined;
  }

  /** Works until the engine stops, and then rejects. Also rejects on an internal error. */
  async run(): Promise<void> {
    const { lifetime } = this.#parts;
    const running = new Set<Promise<void>>();
    const broken = new AbortController();
    try {
      for (;;) {
        const freeSegment = await this.#segmentSlots.take(1, lifetime);
        broken.signal.throwIfAborted();
        const entry = await this.#nextEntry();
        const freeUpload = await this.#uploadSlot(entry);
        const turn = this.#turn(entry, freeUpload)
          .catch((error: unknown) => broken.abort(error))
          .finally(() => {
            running.delete(turn);
            freeUpload();
            freeSegment();
          });
        running.add(turn);
      }
    } finally {
      await Promise.all(running);
    }
  }

  async #uploadSlot(entry: SegmentEntry): Promise<() => void> {
    if (entry.bytes <= this.#partBytes) return () => undefined;
    this.#limitUploads();
    return this.#uploadSlots.take(1, this.#parts.lifetime);
  }

  // On a slow link, one after the other: the oldest segment arrives sooner, and less is lost when the link
  // drops.
  #limitUploads(): void {
    this.#uploadSlots.limit(Math.max(1, Math.floor(this.#window.bytes / this.#partBytes)));
  }

  async #nextEntry(): Promise<SegmentEntry> {
    const { clock, gate, lifetime, link, table, isTableValid } = this.#parts;
    for (;;) {
      await link.whenOnline(lifetime);
      const entry = isTableValid() ? table.takeNext(clock.monotonic(), gate.admission()) : undefined;
      if (entry) return entry;
      const dueAt = table.nextDueAt;
      const waitMs = dueAt === undefined ? IDLE_WAIT_MS : Number(dueAt - clock.monotonic()) / 1e6;
      await this.#wakeUp.wait(clock, Math.max(1, waitMs), lifetime);
      lifetime.throwIfAborted();
    }
  }

  async #turn(entry: SegmentEntry, onAllRead: () => void): Promise<void> {
    const { clock, lifetime, changed } = this.#parts;
    const abort = new AbortController();
    setMaxListeners(0, abort.signal);
    const unlisten = onAbort(lifetime, () => abort.abort(lifetime.reason));
    const turn: Turn = {
      abort,
      entry,
      sentBytes: 0,
      startedAt: clock.monotonic(),
      continued: false,
      resumed: false,
    };
    this.active.set(entry.name, turn);
    changed();
    let outcome: UploadOutcome;
    try {
      outcome = await this.#upload(entry, turn, onAllRead);
    } catch (error) {
      if (lifetime.aborted) throw error;
      outcome = abort.signal.aborted ? { kind: 'gone' } : outcomeOf(error);
    } finally {
      this.active.delete(entry.name);
      unlisten();
    }
    if (await this.#settlement.settle(turn, outcome)) this.#onSettled();
    this.#wakeUp.notify();
    changed();
  }

  async #upload(entry: SegmentEntry, turn: Turn, onAllRead: () => void): Promise<UploadOutcome> {
    const { fs, folder } = this.#parts;
    const { signal } = turn.abort;
    const plain = await readPublishedManifest(fs, folder, entry, signal);
    const { deriver } = this.#parts.sink;
    // What was encrypted when it was sealed is not encrypted again: nobody here could read it.
    const encryption = plain.manifest.encryption ? undefined : this.#parts.encryption;
    const rest = await this.#published(plain.manifest, signal);
    const published = rest ?? (await encryption?.encrypt(entry.name, plain.manifest, signal)) ?? plain;
    const { manifest } = published;
    if (encryption) await this.#dropPlainUpload(entry, manifest.key);
    const found = deriver ? undefined : await this.#findUpload(entry, manifest);
    turn.continued =
      entry.begunAt === undefined && (found !== undefined || entry.record?.state === 'uploading');
    const job = {
      name: entry.name,
      ...published,
      // The store may have what a deletion left of a segment, although it is new here.
      fresh: this.#isFresh(entry) && plain.manifest.derived === undefined,
      ...(entry.record ? { record: entry.record } : {}),
      ...(found ? { found } : {}),
    };
    const hooks = uploadHooks(
      this.#parts,
      { turn, manifest: plain.manifest, encrypted: encryptedObject(manifest) },
      { onSent: () => this.#limitUploads(), onAllRead },
    );
    if (deriver) {
      const scratch = join(scratchFolder(folder), entry.name);
      return new DerivedUpload(
        this.#uploadPorts(entry),
        this.#parts.counters.writes.measured(deriver, { book: this.#schemas, logger: this.#parts.logger }),
        scratch,
        job,
        hooks,
        signal,
      ).run();
    }
    return new SegmentUpload(this.#uploadPorts(entry), job, hooks, signal).run();
  }

  /** What a deletion has left of a segment, if the store has it already. Throws `SEGMENT_DELETED`, which parks it. */
  #published(manifest: DigestedManifest, signal: AbortSignal): Promise<PublishedManifest | undefined> {
    const { store, calls, sink, encryption } = this.#parts;
    const key = encryption && !manifest.encryption ? encryptedKey(manifest.key) : manifest.key;
    return judgeRemainder({ store, calls }, { ...manifest, key }, sink.deriver, signal);
  }

  /** Parts of the plain file, of a process without recipients, do not stay in the store until the sweep. */
  async #dropPlainUpload({ record }: SegmentEntry, key: string): Promise<void> {
    if (record?.state !== 'uploading' || record.key === keyWithSuffix(key, record.suffix)) return;
    const { store, calls, lifetime } = this.#parts;
    const upload = { key: record.key, uploadId: record.uploadId };
    await calls.call(`abort upload of ${record.key}`, 0, lifetime, (signal) =>
      store.abortUpload(upload, { signal }),
    );
  }

  #uploadPorts(entry: SegmentEntry): UploadPorts {
    const { fs, clock, store, logger, calls, options, folder, gate, identity, lifetime } = this.#parts;
    return {
      fs,
      store,
      logger,
      calls,
      lifetime,
      bandwidth: this.#parts.shared.bandwidth,
      gate: {
        check: (bytes) => gate.check(entry, bytes),
        take: (bytes) => gate.take(entry, bytes),
      },
      buffers: this.#buffers,
      window: this.#window,
      sealed: folder.sealed,
      partBytes: this.#partBytes,
      partsPerUpload: store.supports.parallelParts ? options.partsPerUpload : 1,
      attempts: options.attemptsPerTurn,
      clock,
      checkIdentity: () => identity.check(),
      storeId: () => identity.storeId,
    };
  }

  /**
   * Whether no part of it can be in the store: it was sealed a moment ago, or the intact records do not list
   * it. If a power cut removed the record too, the store's own condition (create only if absent) still holds.
   */
  #isFresh(entry: SegmentEntry): boolean {
    return entry.turns === 0 && !entry.record && (entry.fresh || !this.#parts.progress.rebuilt);
  }

  /** Only a data folder without its records must search the store for unfinished uploads of its own. */
  async #findUpload(entry: SegmentEntry, manifest: DigestedManifest): Promise<Upload | undefined> {
    const { progress, openUploads, lifetime } = this.#parts;
    if (!progress.rebuilt || entry.fresh || entry.record) return undefined;
    if (manifest.file.bytes <= this.#partBytes) return undefined;
    this.#found ??= openUploads.find(lifetime);
    try {
      return (await this.#found).get(manifest.key);
    } catch (error) {
      this.#found = undefined;
      throw error;
    }
  }
}

function encryptedObject({ encryption, file }: DigestedManifest): EncryptedObject | undefined {
  const { bytes, sha256, crc32 } = file;
  return encryption && { bytes, sha256, crc32, keyId: encryption.keyId };
}
