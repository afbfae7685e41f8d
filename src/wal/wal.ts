import type { DataFolder } from '../core/data-folder.js';
import { defined } from '../core/defined.js';
import { HoldfastError, isHoldfastError } from '../core/errors.js';
import type { Identity } from '../core/identity.js';
import type { Channel, Message } from '../core/message.js';
import type { SegmentId } from '../core/segment-id.js';
import { SerialQueue } from '../core/serial-queue.js';
import type { Tags } from '../core/tags.js';
import type { Batch } from '../ingest/batch.js';
import { ChannelRegistry } from './channel-registry.js';
import { WaitingClockSteps } from './clock-steps.js';
import { CommitStage } from './commit-stage.js';
import { CommitStats } from './commit-stats.js';
import { DurableLedger, type UnsyncedBatch } from './durability.js';
import { CommitWarnings } from './commit-warnings.js';
import { encodablePart } from './encode-failure.js';
import type { Identities } from './identities.js';
import { IntervalSync } from './interval-sync.js';
import { LatchedSet } from './latched-set.js';
import { SegmentSupply, type OpenSegment } from './open-segment.js';
import type { ClockStep } from './segment-format.js';
import { SegmentHandover } from './segment-handover.js';
import { StallReport } from './stall-report.js';
import type { WalHead } from './wal-head.js';
import type { WalOptions, WalPorts } from './wal-ports.js';

/*
 * The write-ahead log. docs/wal-format.md describes every byte and every crash. The code of wal/ keeps to
 * this:
 *
 * Layout: `wal/<id>/` is one segment, a LevelDB directory that is written once and never opened again.
 * Batches of up to 64 KiB are in its log, larger ones in `blob` beside it. Large payloads may be in object
 * files (object-file.ts), which sealing finishes in place. `head.json` holds the numbers that outlive the
 * segments.
 *
 * Invariants
 * - One writer per data folder. All of its work on the log runs in one queue (#queue), so commits never
 *   overlap.
 * - Sequences are consecutive within a WAL and never given to another record. A failed batch keeps its
 *   sequences and is written again into the next segment; the earlier segment is cut where the later one
 *   begins.
 * - Payloads before reference: bytes in `blob` and in object files are durable before the log refers to them.
 * - In mode `commit`, `commit` resolves after the fsync that covers the batch. Only then is a message
 *   acknowledged.
 * - A failed fsync is never repeated on the same file, because the kernel may have dropped the pages. The
 *   segment is given up instead.
 * - `head.json` records the numbers of a segment before the segment is handed to sealing, which
 *   finally removes it.
 * - Each segment can be read alone: it has the channels, schemas and latched messages that its batches need.
 *
 * Crash windows
 * - While a segment is created: a directory without a first commit. Recovery puts it into the trash.
 * - During a commit: a torn log record, or unreferenced bytes in `blob` and object files. Recovery reports
 *   the segment as unclean, and sealing takes the commits before it.
 * - Between the roll and `head.json`: the segment has its end mark. Recovery updates `head.json` first.
 * - In the modes `interval` and `os`, a power cut also loses the commits since the last fsync
 *   (`maxLossWindowMs`).
 */

const RETRY_MS = 500;

/**
 * The write-ahead log of one data folder: appends batches to the current segment, rolls, and replaces a
 * segment after a failed write. A failed fsync is never repeated: in mode `commit`, the batches that it
 * should have covered are written again.
 */
export class Wal {
  readonly stats = new CommitStats();
  readonly latched: LatchedSet;
  #current: OpenSegment | undefined;
  readonly #supply: SegmentSupply;
  readonly #registry = new ChannelRegistry();
  readonly #stage: CommitStage;
  readonly #ledger: DurableLedger;
  readonly #queue = new SerialQueue();
  #nextSequence: number;
  readonly #clockSteps = new WaitingClockSteps();
  readonly #handover: SegmentHandover;
  readonly #warnings: CommitWarnings;
  readonly #intervalSync: IntervalSync;
  readonly #stall: StallReport;
  #closed = false;
  #tags: Tags = {};

  readonly #folder: DataFolder;
  readonly #identity: Identity;
  #options: WalOptions;
  readonly #ports: WalPorts;

  constructor(folder: DataFolder, head: WalHead, identity: Identity, options: WalOptions, ports: WalPorts) {
    this.#folder = folder;
    this.#identity = identity;
    this.#options = options;
    this.#ports = ports;
    this.#nextSequence = head.nextSequence;
    this.#supply = new SegmentSupply(folder, ports, head.nextNumber);
    this.#ledger = new DurableLedger(head, ports);
    this.latched = new LatchedSet(options.latchedMaxBytes);
    this.#warnings = new CommitWarnings(ports.logger);
    this.#stall = new StallReport(folder, ports);
    this.#intervalSync = new IntervalSync(ports.clock, ports.logger, () =>
      this.#queue.run(() => this.#syncNow()),
    );
    this.#handover = new SegmentHandover(folder.root, ports, () => ({
      nextNumber: this.#supply.nextNumber,
      nextSequence: this.#nextSequence,
      sourceSequences: this.#ledger.settledNumbers(),
      seen: this.identities.toJson(),
    }));
    this.#stage = new CommitStage({
      context: () => ({
        identity: this.#identity,
        tags: this.#tags,
        options: this.#options,
        registry: this.#registry,
        latched: this.latched,
        clockSteps: this.#clockSteps.list,
        startedAt: this.#ports.clock.now(),
        classOf: (channel) => ({
          priority: this.#ports.priorityOf(channel),
          ...defined({ group: this.#ports.groupOf?.(channel) }),
        }),
      }),
      mayWriteAhead: () => this.#options.durability === 'commit' && this.#queue.length <= 1,
    });
  }

  /** Messages made durable since this process started. */
  get durable(): number {
    return this.#ledger.messages;
  }

  /** Their payload bytes. */
  get durableBytes(): number {
    return this.#ledger.bytes;
  }

  /** Longest time from receipt to durability so far, in milliseconds. */
  get maxLossWindowMs(): number {
    return this.#ledger.maxLossWindowMs;
  }

  /** Batches that the operating system has and that are not fsynced yet. */
  get unsynced(): readonly UnsyncedBatch[] {
    return this.#ledger.unsynced;
  }

  /** The open segment, for the status. */
  get open(): { id: SegmentId; bytes: number; ageMs: number } | undefined {
    if (!this.#current) return undefined;
    const { id, writer, startedAt } = this.#current;
    const ageMs = startedAt === undefined ? 0 : Number(this.#ports.clock.monotonic() - startedAt) / 1e6;
    return { id, bytes: writer.bytes, ageMs };
  }

  /** The source number up to which a topic is durable or accounted for, including earlier processes. */
  settledThrough(channel: Channel): number | undefined {
    return this.#ledger.settledThrough(channel.robot, channel.topic);
  }

  /** Which messages with an identity are recorded, or about to be. */
  get identities(): Identities {
    return this.#ledger.identities;
  }

  /** Call it when no later message will refer to this channel object. */
  forget(channel: Channel): void {
    this.#registry.forget(channel);
  }

  /** Applies other limits from now on. The meaning of an acknowledgement cannot change. */
  reconfigure(limits: Omit<WalOptions, 'durability' | 'softwareVersion'>): void {
    this.#options = { ...this.#options, ...limits };
    this.latched.maxBytes = limits.latchedMaxBytes;
    this.#intervalSync.rearm(limits.intervalMs);
  }

  /** Ends the current segment, so that every segment has the tags that held from its start to its end. */
  retag(tags: Tags): Promise<void> {
    return this.#queue.run(async () => {
      try {
        await this.#rollNow();
      } finally {
        this.#tags = tags;
      }
    });
  }

  noteClockStep(step: ClockStep): void {
    this.#clockSteps.add(step);
  }

  /**
   * Writes one batch. Resolves when it is durable (mode `commit`) or when the operating system has it. While
   * the disk refuses, it waits and tries again in new segments; the signal ends the wait with the error.
   * Throws `WAL_CLOSED` after {@link close}.
   */
  commit(batch: Batch, signal?: AbortSignal): Promise<void> {
    return this.#queue.run(() => this.#commitUntilDone(batch, signal));
  }

  /**
   * Announces the batch that will be committed next. During a commit, its payloads are written while that
   * commit is fsynced. Only {@link commit} makes it durable and reports errors.
   */
  writeAhead(batch: Batch): void {
    this.#stage.name(batch);
  }

  /** Ends the current segment if it holds anything, and continues in the next. */
  roll(): Promise<void> {
    return this.#queue.run(async () => {
      await this.#rollNow();
    });
  }

  /** Rolls a segment that has reached its age; called by the recorder's tick. */
  async rollIfOld(): Promise<void> {
    if ((this.open?.ageMs ?? 0) >= this.#options.segmentMaxAgeMs) await this.roll();
    else if (this.#handover.isWaiting) await this.#queue.run(() => this.#handover.retry());
  }

  /**
   * Ends the current work: last sync, end mark, files closed. A process killed from here on was not
   * recording. The next commit, or {@link begin} before it, continues.
   */
  end(): Promise<void> {
    return this.#queue.run(() => this.#endNow());
  }

  /**
   * Call it before anything is received: a kill from here on may lose messages. Throws the error of the disk.
   */
  begin(): Promise<void> {
    return this.#queue.run(() => this.#beginNow());
  }

  /** Like {@link end}, but final. Idempotent. */
  close(): Promise<void> {
    return this.#queue.run(async () => {
      if (this.#closed) return;
      await this.#endNow();
      this.#closed = true;
      await this.#supply.close();
    });
  }

  async #endNow(): Promise<void> {
    if (this.#closed) return;
    this.#intervalSync.cancel();
    const marked = await this.#rollNow();
    this.#stage.forget();
    if (this.#current) await this.#supply.discard(this.#current);
    this.#current = undefined;
    await this.#supply.rest();
    this.latched.clear();
    await this.#handover.end(marked);
  }

  async #beginNow(): Promise<void> {
    if (!this.#closed) await this.#handover.begin();
  }

  async #commitUntilDone(asked: Batch, signal: AbortSignal | undefined): Promise<void> {
    let batch = asked;
    let left: readonly Message[] = [];
    for (;;) {
      if (this.#closed) throw new HoldfastError('WAL_CLOSED', `the WAL in ${this.#folder.root} is closed`);
      try {
        await this.#beginNow();
        // After a batch that was written ahead, only that batch may be committed in the segment.
        if (this.#stage.isAheadOf(batch)) await this.#rollNow();
        if (this.#current?.isSpoilt) await this.#abandonCurrent();
        this.#current ??= await this.#supply.take();
        await this.#appendTo(this.#current, batch);
        break;
      } catch (error) {
        const part = isHoldfastError(error, 'WAL_ENCODE_FAILED')
          ? encodablePart(batch, this.#ports.random)
          : undefined;
        if (part) {
          this.#warnings.invalid(part);
          left = part.left;
          batch = part.batch;
          await this.#abandonCurrent();
          continue;
        }
        this.stats.failed++;
        await this.#stall.failed(error);
        await this.#abandonCurrent();
        if (await this.#mayRetry(signal)) continue;
        // Neither this batch nor the one named after it will be committed.
        this.#stage.forget();
        throw error;
      }
    }
    this.#stall.succeeded();
    // A gap accounts for them and is as durable as a message, so their source need not keep them.
    for (const { ack } of left) ack?.();
    const { writer } = this.#current;
    // The batch that was written ahead is in this segment.
    if (this.#stage.isAhead) return;
    if (writer.contentBytes >= this.#options.segmentMaxBytes || writer.full) await this.#rollNow();
  }

  /** Waits before the next attempt. Returns false if the signal has ended the attempts. */
  async #mayRetry(signal: AbortSignal | undefined): Promise<boolean> {
    if (signal?.aborted) return false;
    return this.#ports.clock.sleep(RETRY_MS, signal).then(
      () => true,
      () => false,
    );
  }

  async #appendTo(current: OpenSegment, batch: Batch): Promise<void> {
    const { clock } = this.#ports;
    const before = clock.monotonic();
    const { plan, staged, nextSequence } = this.#stage.begin(current, batch, this.#nextSequence);
    const sync = this.#options.durability === 'commit';
    try {
      await current.writer.commit(await staged, sync);
    } finally {
      this.#stage.end();
    }
    // Nothing may throw from here on: the batch is written, and an error would write it again.
    this.#clockSteps.taken(plan.extras.clockSteps.length);
    const now = clock.monotonic();
    if (plan.encoded?.clampedTimes) this.#warnings.clamped(plan.encoded.clampedTimes, now);
    current.startedAt ??= now;
    this.#nextSequence = nextSequence;
    for (const message of batch.messages) {
      if (message.channel.latched) this.latched.add(message);
    }
    this.#ledger.written(batch);
    if (sync) {
      this.stats.add(Number(now - before) / 1e6);
      this.#ledger.synced(now);
    } else if (this.#options.durability === 'interval') this.#intervalSync.arm(this.#options.intervalMs);
  }

  async #syncNow(): Promise<void> {
    if (!this.#current || this.unsynced.length === 0) return;
    const before = this.#ports.clock.monotonic();
    try {
      await this.#current.writer.sync();
    } catch (error) {
      this.stats.failed++;
      await this.#stall.failed(error);
      await this.#abandonCurrent();
      throw error;
    }
    const now = this.#ports.clock.monotonic();
    this.stats.add(Number(now - before) / 1e6);
    this.#ledger.synced(now);
  }

  /** Returns false if the segment could not be ended properly. */
  async #rollNow(): Promise<boolean> {
    const current = this.#current;
    if (!current || current.startedAt === undefined) return true;
    this.#current = undefined;
    const marked = await current.writer.close(this.#nextSequence - 1);
    if (marked) this.#ledger.synced(this.#ports.clock.monotonic());
    else this.#ledger.abandon();
    await this.#handOver(current);
    return marked;
  }

  /** Gives up a segment after a failed write. Everything acknowledged in it is kept. */
  async #abandonCurrent(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    if (!current) {
      // Sealing frees space, and the earlier obstacle may be gone.
      if (this.#handover.isWaiting) await this.#handover.retry();
      return;
    }
    // Unsynced batches may or may not survive. They were never acknowledged and do not count as durable.
    this.#ledger.abandon();
    if (current.startedAt === undefined) {
      await this.#supply.discard(current);
      return;
    }
    await current.writer.close(this.#nextSequence - 1);
    this.#handover.cut(current.id, this.#nextSequence);
    await this.#handOver(current);
  }

  #handOver({ id, writer }: OpenSegment): Promise<void> {
    return this.#handover.add({
      id,
      directory: writer.directory,
      cutAtSequence: this.#nextSequence,
      bytes: writer.bytes,
    });
  }
}
