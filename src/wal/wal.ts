import type { DataFolder } from '../core/data-folder.js';
import { HoldfastError, describeError } from '../core/errors.js';
import type { GapReason } from '../core/gap.js';
import type { Identity } from '../core/identity.js';
import type { Channel } from '../core/message.js';
import type { SegmentId } from '../core/segment-id.js';
import type { Batch } from '../ingest/batch.js';
import { ChannelRegistry } from './channel-registry.js';
import { CommitStage } from './commit-stage.js';
import { CommitStats } from './commit-stats.js';
import { DurableLedger, type UnsyncedBatch } from './durability.js';
import type { Identities } from './identities.js';
import { LatchedSet } from './latched-set.js';
import { SegmentSupply, type OpenSegment } from './open-segment.js';
import type { ClockStep } from './segment-format.js';
import { writeFailureCode } from './write-failure.js';
import { writeHead, type WalHead } from './wal-head.js';
import type { ClosedSegment, WalOptions, WalPorts } from './wal-ports.js';

const RETRY_MS = 500;
/** Remembered in head.json; each is a segment that had taken commits before one failed. */
const MAX_CUTS = 1000;

/**
 * The write-ahead log of one data folder: appends batches to the current segment, rolls, and replaces a
 * segment whose write failed. An fsync that failed is never repeated: in mode `commit` what it covered is
 * written anew.
 */
export class Wal {
  readonly stats = new CommitStats();
  readonly latched: LatchedSet;
  private current: OpenSegment | undefined;
  private readonly supply: SegmentSupply;
  private readonly registry = new ChannelRegistry();
  private readonly stage: CommitStage;
  private readonly ledger: DurableLedger;
  private serial: Promise<unknown> = Promise.resolve();
  /** Tasks in the line of {@link serial}, the one at work included. */
  private tasks = 0;
  private nextSequence: number;
  private clockSteps: ClockStep[] = [];
  /** Closed, and not handed to sealing because head.json could not be written. */
  private readonly closedSegments: ClosedSegment[] = [];
  private readonly cuts = new Map<SegmentId, number>();
  private syncTimer: NodeJS.Timeout | undefined;
  private stalled = false;
  /** The head on disk says that everything was ended properly; to be taken back before the next commit. */
  private ended = false;
  private closed = false;

  constructor(
    private readonly folder: DataFolder,
    head: WalHead,
    private readonly identity: Identity,
    private options: WalOptions,
    private readonly ports: WalPorts,
  ) {
    this.nextSequence = head.nextSequence;
    this.supply = new SegmentSupply(folder, ports, head.nextNumber);
    this.ledger = new DurableLedger(head, ports.logger, ports.onGaps);
    this.latched = new LatchedSet(options.latchedMaxBytes);
    this.stage = new CommitStage({
      context: () => ({
        identity: this.identity,
        options: this.options,
        registry: this.registry,
        latched: this.latched,
        clockSteps: this.clockSteps,
        startedAt: this.ports.clock.now(),
        priorityOf: this.ports.priorityOf,
      }),
      mayWriteAhead: () => this.options.durability === 'commit' && this.tasks <= 1,
    });
  }

  /** Messages made durable since this process started. */
  get durable(): number {
    return this.ledger.messages;
  }

  /** Their payload bytes. */
  get durableBytes(): number {
    return this.ledger.bytes;
  }

  /** Largest time from receipt to durability seen, in milliseconds. */
  get maxLossWindowMs(): number {
    return this.ledger.maxLossWindowMs;
  }

  /** Handed to the operating system and not yet fsynced. */
  get unsynced(): readonly UnsyncedBatch[] {
    return this.ledger.unsynced;
  }

  /** The open segment, for the status. */
  get open(): { id: SegmentId; bytes: number; ageMs: number } | undefined {
    if (!this.current) return undefined;
    const { id, writer, startedAt } = this.current;
    const ageMs = startedAt === undefined ? 0 : Number(this.ports.clock.monotonic() - startedAt) / 1e6;
    return { id, bytes: writer.bytes, ageMs };
  }

  /** The source number up to which a topic is durable or accounted for, also by earlier processes. */
  settledThrough(channel: Channel): number | undefined {
    return this.ledger.settledThrough(channel.robot, channel.topic);
  }

  /** Which messages that carry an identity are recorded, or about to be. */
  get identities(): Identities {
    return this.ledger.identities;
  }

  /** A channel object no message will refer to again. */
  forget(channel: Channel): void {
    this.registry.forget(channel);
  }

  /** Takes over limits for what comes from now on; what an acknowledgement means stays. */
  reconfigure(limits: Omit<WalOptions, 'durability' | 'softwareVersion'>): void {
    this.options = { ...this.options, ...limits };
    this.latched.maxBytes = limits.latchedMaxBytes;
    if (this.syncTimer) {
      clearTimeout(this.syncTimer);
      this.syncTimer = undefined;
      this.armSync();
    }
  }

  noteClockStep(step: ClockStep): void {
    this.clockSteps.push(step);
  }

  /**
   * Writes one batch; resolves when it is durable (mode `commit`) or handed to the operating system. While
   * the disk refuses, it waits and tries in new segments; the signal ends the waiting with the error.
   * Throws `WAL_CLOSED` after {@link close}.
   */
  commit(batch: Batch, signal?: AbortSignal): Promise<void> {
    return this.exclusively(() => this.commitUntilDone(batch, signal));
  }

  /**
   * Names the batch that will be committed next. Where a commit is under way, its payloads are written beside
   * that one's fsync. Only {@link commit} makes it durable, and tells
   * what went wrong.
   */
  writeAhead(batch: Batch): void {
    this.stage.name(batch);
  }

  /** Ends the current segment if it holds anything, and goes on in the next. */
  roll(): Promise<void> {
    return this.exclusively(async () => void (await this.rollNow()));
  }

  /** Rolls a segment that has reached its age; called by the recorder's tick. */
  async rollIfOld(): Promise<void> {
    if ((this.open?.ageMs ?? 0) >= this.options.segmentMaxAgeMs) await this.roll();
    else if (this.closedSegments.length > 0) await this.exclusively(() => this.handOverClosed());
  }

  /**
   * Ends everything for now: last sync, end mark, files closed. A process killed from here on was not
   * recording. The next commit, or {@link begin} before it, goes on.
   */
  end(): Promise<void> {
    return this.exclusively(() => this.endNow());
  }

  /** To be called before anything is received: a kill from here on may lose something. Throws what the disk says. */
  begin(): Promise<void> {
    return this.exclusively(() => this.beginNow());
  }

  /** {@link end} for good. Idempotent. */
  close(): Promise<void> {
    return this.exclusively(async () => {
      if (this.closed) return;
      await this.endNow();
      this.closed = true;
      await this.supply.close();
    });
  }

  private async endNow(): Promise<void> {
    if (this.closed) return;
    clearTimeout(this.syncTimer);
    this.syncTimer = undefined;
    const marked = await this.rollNow();
    this.stage.forget();
    if (this.current) await this.supply.discard(this.current);
    this.current = undefined;
    await this.supply.rest();
    this.latched.clear();
    this.ended = marked;
    await this.handOverClosed();
  }

  private async beginNow(): Promise<void> {
    if (!this.ended || this.closed) return;
    this.ended = false;
    try {
      await writeHead(this.ports.fs, this.folder.root, this.head());
    } catch (error) {
      this.ended = true;
      throw error;
    }
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    this.tasks++;
    const result = this.serial.then(work).finally(() => this.tasks--);
    this.serial = result.catch(() => undefined);
    return result;
  }

  private async commitUntilDone(batch: Batch, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      if (this.closed) throw new HoldfastError('WAL_CLOSED', `the WAL in ${this.folder.root} is closed`);
      try {
        await this.beginNow();
        // Behind what was written ahead only that may be referred to.
        if (this.stage.isAheadOf(batch)) await this.rollNow();
        this.current ??= await this.supply.take();
        await this.appendTo(this.current, batch);
        break;
      } catch (error) {
        this.stats.failed++;
        this.setStalled(await this.stallReason(error), describeError(error));
        await this.abandonCurrent();
        if (signal?.aborted) throw error;
        await this.ports.clock.sleep(RETRY_MS, signal).catch(() => {
          throw error;
        });
      }
    }
    this.setStalled(undefined, '');
    const { writer } = this.current;
    // What is written ahead stands in this segment.
    if (this.stage.isAhead) return;
    if (writer.contentBytes >= this.options.segmentMaxBytes || writer.full) await this.rollNow();
  }

  private async appendTo(current: OpenSegment, batch: Batch): Promise<void> {
    const { clock } = this.ports;
    const before = clock.monotonic();
    const { plan, staged, nextSequence } = this.stage.begin(current, batch, this.nextSequence);
    const sync = this.options.durability === 'commit';
    try {
      await current.writer.commit(await staged, sync);
    } finally {
      this.stage.end();
    }
    // From here on nothing may throw: the batch is written, and would be written again.
    this.clockSteps = this.clockSteps.slice(plan.extras.clockSteps.length);
    const now = clock.monotonic();
    current.startedAt ??= now;
    this.nextSequence = nextSequence;
    for (const message of batch.messages) {
      if (message.channel.latched) this.latched.add(message);
    }
    this.ledger.written(batch);
    if (sync) {
      this.stats.add(Number(now - before) / 1e6);
      this.ledger.synced(now);
    } else if (this.options.durability === 'interval') this.armSync();
  }

  private armSync(): void {
    this.syncTimer ??= setTimeout(() => {
      this.syncTimer = undefined;
      this.exclusively(() => this.syncNow()).catch((error: unknown) => {
        this.ports.logger.error('fsync failed', { error: describeError(error) });
      });
    }, this.options.intervalMs);
  }

  private async syncNow(): Promise<void> {
    if (!this.current || this.unsynced.length === 0) return;
    const before = this.ports.clock.monotonic();
    try {
      await this.current.writer.sync();
    } catch (error) {
      this.stats.failed++;
      this.setStalled(await this.stallReason(error), describeError(error));
      await this.abandonCurrent();
      throw error;
    }
    const now = this.ports.clock.monotonic();
    this.stats.add(Number(now - before) / 1e6);
    this.ledger.synced(now);
  }

  /** False: the segment could not be ended properly. */
  private async rollNow(): Promise<boolean> {
    const { current } = this;
    if (!current || current.startedAt === undefined) return true;
    this.current = undefined;
    const marked = await current.writer.close(this.nextSequence - 1);
    if (marked) this.ledger.synced(this.ports.clock.monotonic());
    else this.ledger.abandon();
    await this.handOver(current);
    return marked;
  }

  /** Gives up a segment whose write failed; everything acknowledged in it stays. */
  private async abandonCurrent(): Promise<void> {
    const { current } = this;
    this.current = undefined;
    if (!current) {
      // Sealing gives space back, and what stands in its way may have passed.
      if (this.closedSegments.length > 0) await this.handOverClosed();
      return;
    }
    // Unsynced batches may or may not survive; they were never acknowledged and are not counted durable.
    this.ledger.abandon();
    if (current.startedAt === undefined) {
      await this.supply.discard(current);
      return;
    }
    await current.writer.close(this.nextSequence - 1);
    this.cuts.set(current.id, this.nextSequence);
    await this.handOver(current);
  }

  private async handOver({ id, writer }: OpenSegment): Promise<void> {
    this.closedSegments.push({
      id,
      directory: writer.directory,
      cutAtSequence: this.nextSequence,
      bytes: writer.bytes,
    });
    await this.handOverClosed();
  }

  /** Sealing ends with removing the segment: what must outlive it has to be durable first. */
  private async handOverClosed(): Promise<void> {
    try {
      await writeHead(this.ports.fs, this.folder.root, this.head());
    } catch (error) {
      this.ports.logger.warn('cannot write head.json, closed segments wait to be sealed', {
        waiting: this.closedSegments.length,
        error: describeError(error),
      });
      return;
    }
    for (const segment of this.closedSegments.splice(0)) this.ports.onClosed(segment);
  }

  private head(): WalHead {
    return {
      version: 1,
      nextNumber: this.supply.nextNumber,
      nextSequence: this.nextSequence,
      sourceSequences: this.ledger.settledNumbers(),
      seen: this.identities.toJson(),
      cuts: Object.fromEntries([...this.cuts].slice(-MAX_CUTS)),
      closed: this.ended,
    };
  }

  private async stallReason(error: unknown): Promise<GapReason> {
    const code = await writeFailureCode(this.ports.fs, this.folder.trash, error);
    return code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'commit_failed';
  }

  private setStalled(reason: GapReason | undefined, detail: string): void {
    const stalled = reason !== undefined;
    if (stalled === this.stalled && !stalled) return;
    this.stalled = stalled;
    this.ports.onStall(reason, detail);
  }
}
