import { join } from 'node:path';
import { defined } from '../core/defined.js';
import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { moveToTrash, syncDirectory, writeFileDurably } from '../core/durable-files.js';
import { describeError } from '../core/errors.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { FileSystem } from '../core/file-system.js';
import type { FoxgloveOptions } from '../core/foxglove-record.js';
import type { Identity } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import type { Manifest } from '../core/manifest.js';
import type { SegmentId } from '../core/segment-id.js';
import type { Recipient } from '../encryption/wrapped-key.js';
import { FAST_ZSTD_LEVEL, type Compression } from './compression.js';
import type { SealResult } from './seal-segment.js';
import type { SealRequest } from './seal-request.js';
import { SealFailures } from './seal-failures.js';
import type { WalKeys } from '../wal/segment-cipher.js';
import { SetAside, type UnsealedSegment } from './set-aside.js';

/** A closed WAL segment in the queue. */
export interface WaitingSegment {
  readonly id: SegmentId;
  readonly directory: string;
  readonly cutAtSequence?: number;
  /**
   * Size on disk, which is also the most that sealing may need until the segment is removed. Absent: unknown.
   */
  readonly bytes?: number;
  /** Left by an earlier process: every payload is checked before anything is written. */
  readonly recovered: boolean;
}

export interface SealerOptions {
  readonly compression: Compression;
  readonly level: number;
  readonly chunkBytes: number;
  /** With `auto`, payloads that were written in place may be copied and compressed. Default: `always`. */
  readonly inPlace?: 'auto' | 'always' | 'never';
  /** The most of these payloads that are compressed, bytes per second of log time of a segment. Default: 0. */
  readonly compressMaxBytesPerS?: number;
  readonly splitByPriority: boolean;
  readonly softwareVersion: string;
  readonly nodeVersion: string;
  /** ROS distribution of this machine; absent: none. */
  readonly rosDistro?: string;
  /** For segments that are encrypted in the WAL. Default: none. */
  readonly walKeys?: WalKeys;
  /** What every object tells Foxglove. Default: nothing. */
  readonly foxglove?: FoxgloveOptions;
  /** Encrypts the objects for these; default: none, they are plain. */
  readonly recipients?: readonly Recipient[];
}

/** What can be changed while it runs. */
export type SealCodec = Pick<
  SealerOptions,
  'compression' | 'level' | 'chunkBytes' | 'inPlace' | 'compressMaxBytesPerS'
>;

export interface SealerPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly identity: Identity;
  readonly seal: (request: SealRequest) => Promise<SealResult>;
  readonly onSealed: (manifests: readonly Manifest[], result: SealResult) => void;
  /** All marked events; default: none. */
  readonly events?: () => readonly MarkedEvent[];
  /** A seal failed because the disk is full. */
  readonly onDiskFull?: () => void;
}

/**
 * With this many segments in the queue, zstd uses its fastest level. No compression would be slower, because
 * more bytes would be summed, hashed and written.
 */
const BEHIND_AT = 3;
const RETRY_BASE_MS = 1000;
const RETRY_CAP_MS = 30_000;

/**
 * Seals closed segments one after the other, oldest first, while recording continues. A failed segment waits
 * on disk and is tried again, after the others. After three failures it is sealed sparingly (slower, with
 * little memory and few files). If that fails too, it is set aside in `wal/` until the next start.
 */
export class Sealer {
  readonly #line: WaitingSegment[] = [];
  readonly #failures = new SealFailures();
  readonly #aside = new Map<SegmentId, WaitingSegment>();
  readonly #setAside: SetAside;
  #working: Promise<void> | undefined;
  #active: WaitingSegment | undefined;
  #pace: 'normal' | 'fast' = 'normal';
  #held = false;
  #isLeaving = false;
  readonly #stopping = new AbortController();
  /** Ends the pause after a failure. */
  #pause = new AbortController();
  sealedObjects = 0;
  sealedBytes = 0;
  lastSealedAt: bigint | undefined;
  lastError: string | undefined;

  readonly #folder: DataFolder;
  #options: SealerOptions;
  readonly #ports: SealerPorts;

  constructor(folder: DataFolder, options: SealerOptions, ports: SealerPorts) {
    this.#folder = folder;
    this.#options = options;
    this.#ports = ports;
    this.#setAside = new SetAside({ ...ports, folder });
  }

  /** Loads which of these segments an earlier process could not seal. Call it before they are enqueued. */
  async recall(waiting: Iterable<SegmentId>): Promise<void> {
    const ids = new Set(waiting);
    await this.#setAside.load((id) => ids.has(id));
  }

  /** Applies to segments whose seal begins from now on. */
  reconfigure(codec: SealCodec): void {
    this.#options = { ...this.#options, ...codec };
  }

  /** Closed segments that are not sealed yet. */
  get waiting(): number {
    return this.#line.length + this.#aside.size + (this.#active ? 1 : 0);
  }

  /**
   * Of these, the segments that could not be sealed in any way, now or by an earlier process. Each start
   * tries them again, and they count until they are sealed.
   */
  get setAside(): number {
    return this.#setAside.size;
  }

  /** The segment that was set aside first. */
  get firstSetAside(): UnsealedSegment | undefined {
    return this.#setAside.first;
  }

  /** Size of the largest queued or current segment: disk space that sealing may use for a while. */
  get largestBytes(): number {
    return [...this.#line, ...(this.#active ? [this.#active] : [])].reduce(
      (most, { bytes = 0 }) => Math.max(most, bytes),
      0,
    );
  }

  /** Begins no further segment until {@link resume}, because the disk space is needed for something else. */
  hold(): void {
    this.#held = true;
  }

  resume(): void {
    this.#held = false;
    if (this.#line.length > 0 && !this.#stopping.signal.aborted) this.#working ??= this.#work();
  }

  /** Segments that still have their WAL folder: retention leaves their objects alone. */
  unfinished(): Set<SegmentId> {
    const ids = [...this.#aside.keys(), ...this.#line.map(({ id }) => id)];
    return new Set(this.#active ? [...ids, this.#active.id] : ids);
  }

  enqueue(segment: WaitingSegment): void {
    this.#line.push(segment);
    this.#pause.abort();
    if (!this.#stopping.signal.aborted && !this.#held) this.#working ??= this.#work();
  }

  /**
   * Resolves when the queue is empty, when the system has refused every remaining segment at least once since
   * the call (a full disk must not delay shutdown for ever; the next start seals them), or when the signal
   * aborts.
   */
  async drain(signal?: AbortSignal): Promise<void> {
    this.#failures.beginDrain();
    this.#pause.abort();
    while (this.#working && !this.#allFailed() && signal?.aborted !== true)
      await Promise.race([this.#working, this.#ports.clock.sleep(20)]);
  }

  /**
   * Begins no further segment. A failure of the current segment does not count, because its worker is about
   * to be ended and the next start seals it. Call {@link close} afterwards.
   */
  leave(): void {
    this.#isLeaving = true;
    this.#stopping.abort();
  }

  /** Stops after the current segment. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#working;
  }

  /** No queued segment is likely to succeed now. */
  #allFailed(): boolean {
    const left = [...this.#line, ...(this.#active ? [this.#active] : [])];
    return left.length > 0 && left.every(({ id }) => this.#failures.isRefused(id));
  }

  async #work(): Promise<void> {
    for (;;) {
      const segment = this.#held ? undefined : this.#line.shift();
      if (!segment) break;
      this.#active = segment;
      try {
        await this.#sealOne(segment);
        this.#failures.forget(segment.id);
        await this.#setAside.delete(segment.id);
        this.lastError = undefined;
      } catch (error) {
        if (this.#isLeaving) this.#line.unshift(segment);
        else await this.#failed(segment, error);
      }
      this.#active = undefined;
      if (this.#stopping.signal.aborted) break;
    }
    this.#working = undefined;
  }

  async #failed(segment: WaitingSegment, error: unknown): Promise<void> {
    const { kind, count, next } = this.#failures.note(segment.id, error);
    this.lastError = describeError(error);
    this.#ports.logger.error('cannot seal a segment', {
      segment: segment.id,
      attempt: count,
      error: this.lastError,
    });
    if (kind === 'disk') this.#ports.onDiskFull?.();
    this.#active = undefined;
    if (next === 'aside') {
      await this.#setAsideNow(segment, this.lastError);
      return;
    }
    if (next === 'sparing') {
      this.#ports.logger.warn('sealing a segment again with less memory', { segment: segment.id });
    }
    this.#line.push(segment);
    // Other segments come first; the sealer pauses only if all fail.
    if (!this.#allFailed()) return;
    const pauseMs = Math.min(RETRY_CAP_MS, RETRY_BASE_MS * 2 ** Math.min(count - 1, 10));
    this.#pause = new AbortController();
    const woken = AbortSignal.any([this.#stopping.signal, this.#pause.signal]);
    await this.#ports.clock.sleep(pauseMs, woken).catch(() => undefined);
  }

  /** The segment stays in `wal/`, and its objects are kept. */
  async #setAsideNow(segment: WaitingSegment, error: string): Promise<void> {
    this.#failures.forget(segment.id);
    this.#aside.set(segment.id, segment);
    this.#ports.logger.error('a segment cannot be sealed; it stays in wal/ and the next start tries again', {
      segment: segment.id,
      error,
    });
    await this.#setAside.add(segment.id, this.#ports.clock.now(), error);
  }

  async #sealOne(segment: WaitingSegment): Promise<void> {
    const folder = this.#folder;
    const ports = this.#ports;
    const { splitByPriority, chunkBytes, softwareVersion, nodeVersion, rosDistro, recipients } =
      this.#options;
    const { walKeys, foxglove } = this.#options;
    const result = await ports.seal({
      id: segment.id,
      directory: segment.directory,
      sealedFolder: folder.sealed,
      ...defined({ cutAtSequence: segment.cutAtSequence }),
      ...this.#codec(),
      chunkBytes,
      splitByPriority,
      verifyPayloads: segment.recovered,
      ...(this.#failures.isSparing(segment.id) ? { sparing: true } : {}),
      softwareVersion,
      nodeVersion,
      ...defined({ rosDistro, recipients, walKeys, foxglove }),
      sealedAt: ports.clock.now(),
      identity: ports.identity,
      events: ports.events?.() ?? [],
    });
    // An unreadable commit may have been complete, so the segment is kept and reported.
    const unread = result.manifests.length === 0 && result.report.tornBytes > 0;
    if (result.salvagedAs || unread) await this.#quarantine(segment, result);
    else await this.#discard(segment);
    this.sealedObjects += result.manifests.length;
    this.sealedBytes += result.manifests.reduce((sum, { file }) => sum + file.bytes, 0);
    this.lastSealedAt = ports.clock.now();
    try {
      ports.onSealed(result.manifests, result);
    } catch (error) {
      ports.logger.error('a listener failed on a sealed segment', { error: describeError(error) });
    }
  }

  /** Only after every object and manifest is durable. */
  async #discard(segment: WaitingSegment): Promise<void> {
    const { fs, logger } = this.#ports;
    const trashed = await moveToTrash(fs, segment.directory, this.#folder.trash);
    if (!trashed) return;
    await fs.rm(trashed, { recursive: true, force: true }).catch((error: unknown) => {
      // It is not a segment any more; recovery empties the trash.
      logger.warn('cannot empty the trash', { path: trashed, error: describeError(error) });
    });
  }

  async #quarantine(segment: WaitingSegment, result: SealResult): Promise<void> {
    const { fs, logger, clock } = this.#ports;
    const target = join(this.#folder.quarantine, segment.id);
    const report = { quarantinedAt: String(clock.now()), salvagedAs: result.salvagedAs, ...result.report };
    await writeFileDurably(fs, `${target}.json`, `${JSON.stringify(report, null, 1)}\n`);
    await fs.rename(segment.directory, target);
    logger.error('quarantined a damaged segment and sealed its readable records', {
      segment: segment.id,
      salvagedAs: result.salvagedAs,
      faults: result.report.faults.length + result.report.faultsLeftOut,
      missingRecords: result.report.missingRecords,
      tornBytes: result.report.tornBytes,
    });
    await this.#syncFolders();
  }

  // After the rename nothing is left to seal, so a failure here must not queue the segment again.
  async #syncFolders(): Promise<void> {
    const { fs, logger } = this.#ports;
    try {
      await syncDirectory(fs, this.#folder.quarantine);
      await syncDirectory(fs, this.#folder.wal);
    } catch (error) {
      logger.warn('a quarantined segment may reappear after a power cut', { error: describeError(error) });
    }
  }

  #codec(): Pick<SealRequest, 'compression' | 'level' | 'compressMaxBytesPerS'> {
    const { compression, level, inPlace, compressMaxBytesPerS = 0 } = this.#options;
    const behind = this.#line.length + (this.#active ? 1 : 0);
    const pace = behind >= BEHIND_AT ? 'fast' : 'normal';
    if (pace !== this.#pace) {
      this.#pace = pace;
      this.#ports.logger.warn('the sealing rate changed', { pace, waitingSegments: behind });
    }
    // Nothing is quicker than to leave payloads as they lie.
    if (pace === 'fast') {
      return { compression, level: compression === 'zstd' ? Math.min(level, FAST_ZSTD_LEVEL) : level };
    }
    return { compression, level, ...(inPlace === 'auto' ? { compressMaxBytesPerS } : {}) };
  }
}
