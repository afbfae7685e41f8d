import { join } from 'node:path';
import type { DataFolder } from '../core/data-folder.js';
import { describeError } from '../core/errors.js';
import type { Manifest } from '../core/manifest.js';
import type { SegmentId } from '../core/segment-id.js';
import { writeLimits } from '../core/space-limits.js';
import { Ballast } from './ballast.js';
import { CommitGate } from './commit-gate.js';
import type { RetentionOptions, RetentionPorts, RetentionState } from './retention-options.js';
import {
  ballastRoom,
  describeShortage,
  freeFloor,
  lowWater,
  shortageOf,
  type Shortage,
  type SpaceLimits,
  type SpaceUse,
} from './retention-plan.js';
import { RetentionRecords } from './retention-records.js';
import { EvictionRounds } from './retention-rounds.js';
import { bytesBesideSealed, removeOldestExport } from './retention-usage.js';
import { SealedIndex } from './sealed-index.js';
import { SpaceGauge } from './space-gauge.js';

/** Maximum rounds of one tick, in case evictions free no space on the disk. */
const MAX_ROUNDS = 256;
/** Manifests read per tick while space is not short. */
const READ_PER_TICK = 500;
const S = 1_000_000_000n;
/** Delay before the ballast grows again after a full disk: the writes that it was released for come first. */
const BALLAST_REST_NS = 30n * S;
const PRUNE_AFTER_EVICTIONS = 256;

/**
 * Keeps the disk within its limits, with or without sync. It evicts sealed segments when free space falls
 * below the floor or the data folder passes its quota: verified segments first, others only if the policy
 * allows it. It reserves and releases the ballast, and decides when recording must wait. {@link tick} never
 * rejects.
 */
export class Retention {
  #limits: SpaceLimits;
  readonly #rounds: EvictionRounds;
  readonly #records: RetentionRecords;
  #current: RetentionState;
  #ticking: Promise<RetentionState> | undefined;
  readonly #gauge: SpaceGauge;
  /** The first measurement has ended, even if it failed, so no commit waits for another one. */
  #hasLooked = false;
  #hitFull = false;
  #hitFullAt: bigint | undefined;
  #pressed = false;
  #prunedAtEvictions = -PRUNE_AFTER_EVICTIONS;
  #lastTrouble: string | undefined;
  #published = '';
  readonly #gate = new CommitGate();

  readonly #folder: DataFolder;
  #options: RetentionOptions;
  readonly #ports: RetentionPorts;
  readonly #ballast: Ballast;

  private constructor(
    folder: DataFolder,
    options: RetentionOptions,
    ports: RetentionPorts,
    /** The content of `sealed/`, for the status. */
    readonly index: SealedIndex,
    ballast: Ballast,
  ) {
    this.#folder = folder;
    this.#options = options;
    this.#ports = ports;
    this.#ballast = ballast;
    this.#limits = { ...options, slackBytes: options.segmentMaxBytes };
    this.#gauge = new SpaceGauge(ports.fs, folder.root);
    this.#rounds = new EvictionRounds({ ...ports, folder }, index, options.whenFull, options.confirmMaxAgeMs);
    this.#records = new RetentionRecords({ ...ports, folder }, (name) => index.has(name));
    this.#current = {
      freeBytes: 0,
      totalBytes: 0,
      full: false,
      admits: true,
      detail: '',
      evictedSegments: 0,
      droppedSegments: 0,
      droppedMessages: 0,
    };
  }

  /**
   * Call it before anything is sealed. Removes leftovers of interrupted seals and lists the sealed segments.
   */
  static async open(
    folder: DataFolder,
    options: RetentionOptions,
    ports: RetentionPorts,
  ): Promise<Retention> {
    const { fs, logger } = ports;
    for (const file of await fs.readdir(folder.sealed)) {
      if (!file.endsWith('.tmp')) continue;
      await fs.rm(join(folder.sealed, file), { force: true }).catch((error: unknown) => {
        logger.warn('an unfinished file cannot be removed', { file, error: describeError(error) });
      });
    }
    const index = await SealedIndex.open({ fs, folder, logger });
    const ballast = await Ballast.open(folder, options.ballastBytes, ports);
    return new Retention(folder, options, ports, index, ballast);
  }

  get state(): RetentionState {
    return this.#current;
  }

  /** Present size of the ballast, bytes. */
  get ballastBytes(): number {
    return this.#ballast.bytes;
  }

  /** Applies other limits. Call {@link tick} right after, which uses them. */
  reconfigure(options: RetentionOptions): void {
    this.#options = options;
    this.#limits = { ...options, slackBytes: options.segmentMaxBytes };
    this.#rounds.whenFull = options.whenFull;
    this.#rounds.confirmMaxAgeMs = options.confirmMaxAgeMs;
    void this.#ballast.resize(options.ballastBytes);
  }

  /** Counts a write, so that the free space is known between two measurements. */
  noteWritten(bytes: number): void {
    this.#gauge.noteWritten(bytes);
  }

  /** Free disk space, as far as it is known without a call to the disk; infinite before the first measurement. */
  get freeBytes(): number {
    return this.#gauge.freeBytes;
  }

  /**
   * Bytes that can still be written, including the ballast and the space below the floor, as far as it is
   * known without a call to the disk. Infinite before the first measurement, and under a policy that makes
   * room by itself.
   */
  get writableBytes(): number {
    if (!this.#gauge.isKnown || this.#options.whenFull !== 'stop') return Infinity;
    return this.freeBytes + this.#ballast.bytes;
  }

  /**
   * Whether a write of this size could go below the floor (or, under a policy that evicts, take the space that
   * sealing needs), or no measurement has shown yet whether a limit is reached. If true, call {@link tick}
   * before the write.
   */
  mayPassLimit(bytes: number): boolean {
    if (!this.#gauge.isKnown) return this.#options.whenFull === 'stop' && !this.#hasLooked;
    const isStop = this.#options.whenFull === 'stop';
    const kept = isStop ? freeFloor(this.#limits, this.#current.totalBytes) : this.#sealBytes;
    return this.freeBytes - bytes < kept;
  }

  /** Only a sealed segment can be evicted, so a policy that evicts must leave the space to seal one. */
  get #sealBytes(): number {
    return this.#options.whenFull === 'stop' ? 0 : (this.#ports.sealBytes?.() ?? 0);
  }

  /** Releases the ballast before a write fails, because the space is known to be needed. */
  releaseBallast(): void {
    this.#hitFullAt = this.#ports.clock.monotonic();
    void this.#ballast.release(true);
  }

  /** A segment was sealed. Call it after the WAL folder of the segment is gone. */
  add(manifests: readonly Manifest[]): void {
    for (const manifest of manifests) this.index.add(manifest);
  }

  /**
   * A write found the disk full. Releases the ballast and holds further commits until the next tick has made
   * room. Call {@link tick} right after.
   */
  onDiskFull(): void {
    this.#hitFull = true;
    this.#hitFullAt = this.#ports.clock.monotonic();
    this.#current = { ...this.#current, detail: 'the disk is full' };
    this.#admit(false);
    void this.#ballast.release(true);
  }

  /**
   * Resolves when commits may continue: at once, unless the disk is full. The signal ends the wait too,
   * because messages received before shutdown may use the space below the floor.
   */
  room(signal?: AbortSignal): Promise<void> {
    return this.#gate.pass(signal);
  }

  /**
   * Measures the disk and evicts if necessary. `context`: segments that still have a WAL folder; they may be
   * sealed again, so their objects are kept. A call during another one joins it.
   */
  tick(context: ReadonlySet<SegmentId>): Promise<RetentionState> {
    this.#ticking ??= this.#tickOnce(context).finally(() => (this.#ticking = undefined));
    return this.#ticking;
  }

  /** Resolves when no work is in progress. The ballast stays for the next start. */
  async close(): Promise<void> {
    await this.#ticking;
    await this.#ballast.grow(0);
  }

  async #tickOnce(context: ReadonlySet<SegmentId>): Promise<RetentionState> {
    this.#pressed ||= this.#hitFull;
    this.#hitFull = false;
    try {
      await this.#rounds.finishInterrupted();
      const { use, shortage, isWaiting } = await this.#makeRoom(context);
      if (!shortage) await this.#growBallast(use);
      // While answers of stores are pending, recording uses the space below the limit.
      this.#settle(use, isWaiting ? undefined : shortage);
      if (!shortage) await this.#askAhead(context, use);
      await this.index.readMore(READ_PER_TICK);
      await this.#publishLimits();
      await this.#prune();
      this.#trouble(undefined);
    } catch (error) {
      this.#trouble(describeError(error));
      // A failure of retention must not stop recording: the WAL notices by itself if the disk refuses a
      // write.
      this.#admit(!this.#hitFull);
    }
    this.#hasLooked = true;
    return this.#current;
  }

  /** Evicts until no limit is passed, or until no further segment may be evicted. */
  async #makeRoom(
    context: ReadonlySet<SegmentId>,
  ): Promise<{ use: SpaceUse; shortage: Shortage | undefined; isWaiting: boolean }> {
    for (let round = 0; ; round++) {
      const use = await this.#look();
      // Release it before a write fails, because sync and the sealer need space on the same disk.
      if (use.freeBytes < lowWater(use.totalBytes) && this.#ballast.bytes > 0 && round === 0) {
        this.#hitFullAt = this.#ports.clock.monotonic();
        await this.#ballast.release(true);
        continue;
      }
      const shortage = shortageOf(this.#limits, use, this.#pressed);
      this.#pressed = shortage !== undefined;
      if (!shortage || round >= MAX_ROUNDS) return { use, shortage, isWaiting: false };
      const plan = await this.#rounds.plan(context, shortage.bytes);
      if (plan.verified.length === 0 && (await this.#dropExport())) continue;
      // The ballast counts towards the quota, so it is released before unverified segments are evicted.
      if (shortage.reason === 'quota' && plan.verified.length === 0 && this.#ballast.bytes > 0) {
        await this.#ballast.release(false);
        continue;
      }
      if (plan.verified.length + plan.unverified.length === 0) return { use, shortage, isWaiting: false };
      if ((await this.#rounds.evict(plan, shortage)) === 'waiting') return { use, shortage, isWaiting: true };
    }
  }

  /** Exports are copies, so they are removed before any recording. */
  async #dropExport(): Promise<boolean> {
    const name = await removeOldestExport(this.#ports.fs, this.#folder);
    if (name === undefined) return false;
    this.#ports.logger.warn('removed an export to make space for the recording', { export: name });
    return true;
  }

  /** Publishes the limits for other processes that write copies onto this disk. */
  async #publishLimits(): Promise<void> {
    const words = JSON.stringify(this.#limits);
    if (words === this.#published) return;
    await writeLimits(this.#ports.fs, this.#folder.root, this.#limits);
    this.#published = words;
  }

  /** Close to a limit, the stores are asked in advance, so that no commit waits for their answers later. */
  async #askAhead(context: ReadonlySet<SegmentId>, use: SpaceUse): Promise<void> {
    const near = shortageOf(this.#limits, use, true);
    if (near) await this.#rounds.askAhead(context, near.bytes);
  }

  async #look(): Promise<SpaceUse> {
    const disk = await this.#gauge.measure();
    const hasQuota = this.#options.maxBytes > 0;
    // A quota needs the size of every segment; without a quota, ticks read a few manifests each.
    while (hasQuota && !this.index.complete) await this.index.readMore(READ_PER_TICK);
    return {
      ...disk,
      usedBytes: hasQuota
        ? this.index.bytes + (await bytesBesideSealed(this.#ports.fs, this.#folder)) + this.#ballast.bytes
        : 0,
      owedBytes: this.#ballast.owedBytes,
      sealBytes: this.#sealBytes,
    };
  }

  async #growBallast(use: SpaceUse): Promise<void> {
    const rested =
      this.#hitFullAt === undefined || this.#ports.clock.monotonic() - this.#hitFullAt >= BALLAST_REST_NS;
    if (rested) await this.#ballast.grow(ballastRoom(this.#limits, use));
  }

  #settle(use: SpaceUse, shortage: Shortage | undefined): void {
    const { freeBytes, totalBytes } = use;
    const { segments, droppedSegments, droppedMessages } = this.#rounds.counts;
    const full = shortage !== undefined;
    this.#gauge.settle(freeBytes);
    const wasFull = this.#current.full;
    this.#current = {
      freeBytes,
      totalBytes,
      full,
      admits: this.#current.admits,
      detail: shortage ? describeShortage(shortage, use, this.#limits) : '',
      evictedSegments: segments,
      droppedSegments,
      droppedMessages,
    };
    const { logger } = this.#ports;
    if (full && !wasFull)
      logger.error('disk space is low and no segment may be evicted', { detail: this.#current.detail });
    if (!full && wasFull) logger.info('disk space is sufficient again', { freeBytes });
    // The disk was full again during this tick, so the next tick decides.
    const evicts = this.#options.whenFull !== 'stop' && freeBytes >= use.sealBytes;
    this.#admit(!this.#hitFull && (!full || evicts));
  }

  #admit(admits: boolean): void {
    this.#current = { ...this.#current, admits };
    this.#gate.set(admits);
  }

  async #prune(): Promise<void> {
    const { segments } = this.#rounds.counts;
    if (segments - this.#prunedAtEvictions < PRUNE_AFTER_EVICTIONS || !this.index.complete) return;
    await this.#records.prune();
    this.#prunedAtEvictions = segments;
  }

  #trouble(message: string | undefined): void {
    if (message !== undefined && message !== this.#lastTrouble) {
      this.#ports.logger.warn('retention pass failed, will retry', { error: message });
    }
    this.#lastTrouble = message;
  }
}
