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

/** Rounds of one tick: bounds it where the disk gives nothing back. */
const MAX_ROUNDS = 256;
/** Manifests read per tick when nothing presses. */
const READ_PER_TICK = 500;
const S = 1_000_000_000n;
/** After a full disk the ballast is not taken back sooner: what it was released for must be written first. */
const BALLAST_REST_NS = 30n * S;
const PRUNE_AFTER_EVICTIONS = 256;

/**
 * Keeps the disk within its limits, whether sync runs or not: evicts sealed segments when free space falls
 * below the floor or the data folder passes its quota, verified ones first, others only by policy; reserves
 * and releases the ballast; and says when recording must wait. {@link tick} never rejects.
 */
export class Retention {
  #limits: SpaceLimits;
  readonly #rounds: EvictionRounds;
  readonly #records: RetentionRecords;
  #current: RetentionState;
  #ticking: Promise<RetentionState> | undefined;
  readonly #gauge: SpaceGauge;
  /** The first look has ended, even if it failed: then nothing waits for another one. */
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
    /** What lies in `sealed/`, for the status. */
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

  /** Before anything is sealed: removes what interrupted seals left, lists what there is. */
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

  /** Bytes the ballast holds now. */
  get ballastBytes(): number {
    return this.#ballast.bytes;
  }

  /** Takes over other limits; call {@link tick} right after, which goes by them. */
  reconfigure(options: RetentionOptions): void {
    this.#options = options;
    this.#limits = { ...options, slackBytes: options.segmentMaxBytes };
    this.#rounds.whenFull = options.whenFull;
    this.#rounds.confirmMaxAgeMs = options.confirmMaxAgeMs;
    void this.#ballast.resize(options.ballastBytes);
  }

  /** Receives every write, so that what is left is known between two looks at the disk. */
  noteWritten(bytes: number): void {
    this.#gauge.noteWritten(bytes);
  }

  /** Free disk space, as far as it is known without a call to the disk; infinite before the first measurement. */
  get freeBytes(): number {
    return this.#gauge.freeBytes;
  }

  /**
   * Bytes that can still be written, the ballast and what lies below the floor included, as far as is known
   * without looking. Infinite before the first look, and under a policy that makes room as it goes.
   */
  get writableBytes(): number {
    if (!this.#gauge.isKnown || this.#options.whenFull !== 'stop') return Infinity;
    return this.freeBytes + this.#ballast.bytes;
  }

  /**
   * Writing so much might go below the floor, or nobody has looked yet whether a limit is reached already: call
   * {@link tick}, which looks, before.
   */
  mayPassLimit(bytes: number): boolean {
    if (this.#options.whenFull !== 'stop') return false;
    if (!this.#gauge.isKnown) return !this.#hasLooked;
    return this.freeBytes - bytes < freeFloor(this.#limits, this.#current.totalBytes);
  }

  /** Gives the ballast up ahead of an error: the space is known to be needed now. */
  releaseBallast(): void {
    this.#hitFullAt = this.#ports.clock.monotonic();
    void this.#ballast.release(true);
  }

  /** A segment was sealed: call it after its WAL folder is gone. */
  add(manifests: readonly Manifest[]): void {
    for (const manifest of manifests) this.index.add(manifest);
  }

  /**
   * A write found the disk full. Releases the ballast and holds further commits until the next tick has seen
   * to it; call {@link tick} right after.
   */
  onDiskFull(): void {
    this.#hitFull = true;
    this.#hitFullAt = this.#ports.clock.monotonic();
    this.#current = { ...this.#current, detail: 'the disk is full' };
    this.#admit(false);
    void this.#ballast.release(true);
  }

  /**
   * Resolves when commits may continue: at once, except while full. The signal ends the waiting too: what was
   * taken in before the end may use the space below the floor.
   */
  room(signal?: AbortSignal): Promise<void> {
    return this.#gate.pass(signal);
  }

  /**
   * Looks at the disk and does what is due. `context`: segments that still have a WAL folder; their objects
   * may be sealed again and are left alone. Never two at once: a call during one joins it.
   */
  tick(context: ReadonlySet<SegmentId>): Promise<RetentionState> {
    this.#ticking ??= this.#tickOnce(context).finally(() => (this.#ticking = undefined));
    return this.#ticking;
  }

  /** Resolves when nothing is in work any more. The ballast stays for the next start. */
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
      // While answers of stores are about to come, recording uses what lies below the limit.
      this.#settle(use, isWaiting ? undefined : shortage);
      if (!shortage) await this.#askAhead(context, use);
      await this.index.readMore(READ_PER_TICK);
      await this.#publishLimits();
      await this.#prune();
      this.#trouble(undefined);
    } catch (error) {
      this.#trouble(describeError(error));
      // Retention's own trouble must not stop recording: the WAL finds out by itself what the disk takes.
      this.#admit(!this.#hitFull);
    }
    this.#hasLooked = true;
    return this.#current;
  }

  /** Evicts until nothing is short any more, or nothing more may go. */
  async #makeRoom(
    context: ReadonlySet<SegmentId>,
  ): Promise<{ use: SpaceUse; shortage: Shortage | undefined; isWaiting: boolean }> {
    for (let round = 0; ; round++) {
      const use = await this.#look();
      // Before anything fails: sync and the sealer, who share this disk, are about to need the space.
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
      // The ballast counts in the quota; it goes before data that is nowhere else.
      if (shortage.reason === 'quota' && plan.verified.length === 0 && this.#ballast.bytes > 0) {
        await this.#ballast.release(false);
        continue;
      }
      if (plan.verified.length + plan.unverified.length === 0) return { use, shortage, isWaiting: false };
      if ((await this.#rounds.evict(plan, shortage)) === 'waiting') return { use, shortage, isWaiting: true };
    }
  }

  /** Copies never cost a recording. */
  async #dropExport(): Promise<boolean> {
    const name = await removeOldestExport(this.#ports.fs, this.#folder);
    if (name === undefined) return false;
    this.#ports.logger.warn('removed an export to make space for the recording', { export: name });
    return true;
  }

  /** Tells those who write copies onto this disk what to keep free. */
  async #publishLimits(): Promise<void> {
    const words = JSON.stringify(this.#limits);
    if (words === this.#published) return;
    await writeLimits(this.#ports.fs, this.#folder.root, this.#limits);
    this.#published = words;
  }

  /** Close to a limit the stores are asked beforehand, so that no commit waits for them when it is reached. */
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
    // Full again while this tick was at work: the next one sees to it.
    this.#admit(!this.#hitFull && (!full || this.#options.whenFull !== 'stop'));
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
