import { join } from 'node:path';
import type { Clock } from '../core/clock.js';
import type { DataFolder } from '../core/data-folder.js';
import { HoldfastError, describeError, systemCode } from '../core/errors.js';
import type { FileSystem } from '../core/file-system.js';
import type { GapReason } from '../core/gap.js';
import type { Identity, RandomBytes } from '../core/identity.js';
import type { Logger } from '../core/logger.js';
import { channelKey, numberingKey, type Channel, type Message, type Priority } from '../core/message.js';
import { newSegmentId, type SegmentId } from '../core/segment-id.js';
import type { Batch } from '../ingest/batch.js';
import { encodeMessages } from './batch-encoder.js';
import { CommitStats } from './commit-stats.js';
import { LatchedSet } from './latched-set.js';
import { SEGMENT_FORMAT_VERSION, type ClockStep, type SegmentMeta } from './segment-format.js';
import { SegmentWriter, type CommitExtras } from './segment-writer.js';
import { writeHead, type WalHead } from './wal-head.js';

/**
 * When a commit is durable. `commit`: every commit is fsynced (loss window: one batch age plus one fsync).
 * `interval`: handed to the operating system at once, fsynced every `intervalMs`. `os`: fsynced when a
 * segment rolls; until then the operating system decides. A kill -9 loses nothing handed over; a power cut
 * loses what was not fsynced. Sources are acknowledged only after the fsync in all three.
 */
export type Durability = 'commit' | 'interval' | 'os';

export interface WalOptions {
  readonly durability: Durability;
  /** Milliseconds between fsyncs in mode `interval`. */
  readonly intervalMs: number;
  /** A segment rolls when its bytes on disk pass this. */
  readonly segmentMaxBytes: number;
  /** A segment with content rolls at this age. */
  readonly segmentMaxAgeMs: number;
  readonly latchedMaxBytes: number;
  readonly softwareVersion: string;
}

export interface WalPorts {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly priorityOf: (channel: Channel) => Priority;
  /** A segment was closed and waits to be sealed. */
  readonly onClosed: (segment: ClosedSegment) => void;
  /** Called whenever commits begin to fail (with why) and when they work again (undefined). */
  readonly onStall: (reason: GapReason | undefined, detail: string) => void;
}

/** A segment of this process that takes no more records. */
export interface ClosedSegment {
  readonly id: SegmentId;
  readonly directory: string;
  /** Records from here on were never acknowledged and stand in a later segment. */
  readonly cutAtSequence: number;
  readonly bytes: number;
}

interface Current {
  readonly id: SegmentId;
  readonly number: number;
  readonly writer: SegmentWriter;
  readonly written: Set<number>;
  /** Monotonic nanoseconds of the first commit; undefined: nothing committed yet. */
  startedAt: bigint | undefined;
}

const RETRY_MS = 500;

/**
 * The write-ahead log of one data folder: appends batches to the current segment, rolls, and replaces a
 * segment whose write failed. An fsync that failed is never repeated: what it covered is written anew.
 */
export class Wal {
  readonly stats = new CommitStats();
  readonly latched: LatchedSet;
  /** Messages and payload bytes made durable since this process started. */
  durable = 0;
  durableBytes = 0;
  /** Handed to the operating system and not yet fsynced. */
  unsynced: Batch[] = [];
  /** Largest time from receipt to durability seen, in milliseconds. */
  maxLossWindowMs = 0;
  private current: Current | undefined;
  private spare: Promise<Current | undefined> | undefined;
  private serial: Promise<unknown> = Promise.resolve();
  private nextSequence: number;
  private nextNumber: number;
  private readonly sourceSequences: Map<string, number>;
  private readonly channelIds = new Map<Channel, number>();
  private readonly channelIdsByKey = new Map<string, number>();
  private clockSteps: ClockStep[] = [];
  private syncTimer: NodeJS.Timeout | undefined;
  private stalled = false;
  private closing = false;

  constructor(
    private readonly folder: DataFolder,
    head: WalHead,
    private readonly identity: Identity,
    private readonly options: WalOptions,
    private readonly ports: WalPorts,
  ) {
    this.nextSequence = head.nextSequence;
    this.nextNumber = head.nextNumber;
    this.sourceSequences = new Map(Object.entries(head.sourceSequences));
    this.latched = new LatchedSet(options.latchedMaxBytes);
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
    return this.sourceSequences.get(numberingKey(channel.robot, channel.topic));
  }

  noteClockStep(step: ClockStep): void {
    this.clockSteps.push(step);
  }

  /**
   * Writes one batch; resolves when it is durable (mode `commit`) or handed to the operating system. While
   * the disk refuses, it waits and tries in new segments; the signal ends the waiting with the error.
   */
  commit(batch: Batch, signal?: AbortSignal): Promise<void> {
    return this.exclusively(() => this.commitUntilDone(batch, signal));
  }

  /** Ends the current segment if it holds anything, and goes on in the next. */
  roll(): Promise<void> {
    return this.exclusively(() => this.rollNow());
  }

  /** Rolls a segment that has reached its age; called by the recorder's tick. */
  async rollIfOld(): Promise<void> {
    if ((this.open?.ageMs ?? 0) >= this.options.segmentMaxAgeMs) await this.roll();
  }

  /** Ends everything: last sync, end mark, files closed. Idempotent. */
  close(): Promise<void> {
    return this.exclusively(async () => {
      this.closing = true;
      clearTimeout(this.syncTimer);
      await this.rollNow();
      for (const left of [this.current, await this.spare]) {
        if (!left) continue;
        await left.writer.close(0);
        await this.ports.fs.rm(left.writer.directory, { recursive: true, force: true });
      }
      this.current = undefined;
      this.spare = undefined;
    });
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.serial.then(work);
    this.serial = result.catch(() => undefined);
    return result;
  }

  private async commitUntilDone(batch: Batch, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      try {
        this.current ??= await this.takeSpare();
        await this.appendTo(this.current, batch);
        this.setStalled(undefined, '');
        break;
      } catch (error) {
        this.stats.failed++;
        this.setStalled(stallReason(error), describeError(error));
        await this.abandonCurrent();
        if (signal?.aborted || this.closing) throw error;
        await this.ports.clock.sleep(RETRY_MS, signal).catch(() => {
          throw error;
        });
      }
    }
    const { writer } = this.current;
    if (writer.bytes >= this.options.segmentMaxBytes || writer.full) await this.rollNow();
  }

  private async appendTo(current: Current, batch: Batch): Promise<void> {
    const { clock } = this.ports;
    const before = clock.monotonic();
    const channels: { id: number; channel: Channel & { priority: Priority } }[] = [];
    const idOf = (message: Message): number => {
      const id = this.channelId(message.channel);
      if (!current.written.has(id)) {
        current.written.add(id);
        channels.push({
          id,
          channel: { ...message.channel, priority: this.ports.priorityOf(message.channel) },
        });
      }
      return id;
    };
    const { writer } = current;
    const carriedMessages = current.startedAt === undefined ? this.latched.messages() : [];
    const carried =
      carriedMessages.length > 0
        ? encodeMessages(carriedMessages, idOf, this.nextSequence, writer.lastLink, true)
        : undefined;
    const encoded =
      batch.messages.length > 0
        ? encodeMessages(batch.messages, idOf, this.nextSequence, carried?.link ?? writer.lastLink)
        : undefined;
    const extras: CommitExtras = {
      channels,
      gaps: batch.gaps,
      clockSteps: this.clockSteps,
      ...(current.startedAt === undefined ? { meta: this.metaOf(current) } : {}),
      ...(carried ? { carried } : {}),
    };
    const sync = this.options.durability === 'commit';
    await writer.append(encoded, extras, sync);
    this.clockSteps = [];
    current.startedAt ??= clock.monotonic();
    this.nextSequence += batch.messages.length;
    this.noteWritten(batch);
    if (sync) {
      this.stats.add(Number(clock.monotonic() - before) / 1e6);
      this.markDurable([batch]);
    } else {
      this.unsynced.push(batch);
      if (this.options.durability === 'interval') this.armSync();
    }
  }

  private noteWritten(batch: Batch): void {
    for (const message of batch.messages) {
      if (message.channel.latched) this.latched.add(message);
    }
  }

  private markDurable(batches: readonly Batch[]): void {
    const now = this.ports.clock.monotonic();
    for (const batch of batches) {
      this.durable += batch.messages.length;
      this.durableBytes += batch.bytes;
      if (batch.messages.length > 0) {
        this.maxLossWindowMs = Math.max(this.maxLossWindowMs, Number(now - batch.oldestAt) / 1e6);
      }
      const last = new Map<Channel, number>();
      for (const message of batch.messages) {
        if (message.sourceSequence !== undefined) last.set(message.channel, message.sourceSequence);
        message.ack?.();
      }
      for (const [channel, sequence] of last) this.settle(channel.robot, channel.topic, sequence);
      for (const { robot, topic, settledThrough } of batch.gaps) {
        if (topic !== undefined && settledThrough !== undefined) this.settle(robot, topic, settledThrough);
      }
    }
  }

  private settle(robot: string, topic: string, sequence: number): void {
    const key = numberingKey(robot, topic);
    this.sourceSequences.set(key, Math.max(sequence, this.sourceSequences.get(key) ?? 0));
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
      this.setStalled(stallReason(error), describeError(error));
      await this.abandonCurrent();
      throw error;
    }
    this.stats.add(Number(this.ports.clock.monotonic() - before) / 1e6);
    this.markDurable(this.unsynced.splice(0));
  }

  private async rollNow(): Promise<void> {
    const { current } = this;
    if (!current || current.startedAt === undefined) return;
    this.current = undefined;
    const marked = await current.writer.close(this.nextSequence - 1);
    if (marked) this.markDurable(this.unsynced.splice(0));
    else this.unsynced = [];
    await this.handOver(current);
  }

  /** Gives up a segment whose write failed; everything acknowledged in it stays. */
  private async abandonCurrent(): Promise<void> {
    const { current } = this;
    this.current = undefined;
    if (!current) return;
    // Unsynced batches may or may not survive; they were never acknowledged and are not counted durable.
    this.unsynced = [];
    await current.writer.close(this.nextSequence - 1);
    if (current.startedAt === undefined) {
      await this.ports.fs
        .rm(current.writer.directory, { recursive: true, force: true })
        .catch(() => undefined);
    } else await this.handOver(current);
  }

  private async handOver(closed: Current): Promise<void> {
    const head: WalHead = {
      version: 1,
      nextNumber: this.nextNumber,
      nextSequence: this.nextSequence,
      sourceSequences: Object.fromEntries(this.sourceSequences),
    };
    try {
      await writeHead(this.ports.fs, this.folder.root, head);
    } catch (error) {
      // The segment itself says the same until it is sealed; the next roll writes it again.
      this.ports.logger.warn('cannot write head.json', { error: describeError(error) });
    }
    this.ports.onClosed({
      id: closed.id,
      directory: closed.writer.directory,
      cutAtSequence: this.nextSequence,
      bytes: closed.writer.bytes,
    });
  }

  private async takeSpare(): Promise<Current> {
    const spare = await this.spare;
    this.spare = undefined;
    const current = spare ?? (await this.createSegment());
    // The next one is opened ahead of time, so that rolling costs no directory fsyncs.
    if (!this.closing) {
      this.spare = this.createSegment().catch((error: unknown) => {
        this.ports.logger.warn('cannot open the next segment ahead of time', { error: describeError(error) });
        return undefined;
      });
    }
    return current;
  }

  private async createSegment(): Promise<Current> {
    const number = this.nextNumber++;
    const id = newSegmentId(number, this.ports.random);
    const directory = join(this.folder.wal, id);
    try {
      const writer = await SegmentWriter.create(this.ports.fs, directory);
      return { id, number, writer, written: new Set(), startedAt: undefined };
    } catch (cause) {
      await this.ports.fs.rm(directory, { recursive: true, force: true }).catch(() => undefined);
      throw new HoldfastError('WAL_WRITE_FAILED', `cannot create WAL segment ${id}`, { cause });
    }
  }

  private metaOf(current: Current): SegmentMeta {
    return {
      version: SEGMENT_FORMAT_VERSION,
      id: current.id,
      number: current.number,
      firstSequence: this.nextSequence,
      identity: this.identity,
      startedAt: String(this.ports.clock.now()),
      softwareVersion: this.options.softwareVersion,
    };
  }

  private channelId(channel: Channel): number {
    const known = this.channelIds.get(channel);
    if (known !== undefined) return known;
    const key = channelKey(channel);
    let id = this.channelIdsByKey.get(key);
    if (id === undefined) {
      id = this.channelIdsByKey.size + 1;
      this.channelIdsByKey.set(key, id);
    }
    this.channelIds.set(channel, id);
    return id;
  }

  /** A channel object no message will refer to again. */
  forget(channel: Channel): void {
    this.channelIds.delete(channel);
  }

  private setStalled(reason: GapReason | undefined, detail: string): void {
    const stalled = reason !== undefined;
    if (stalled === this.stalled && !stalled) return;
    this.stalled = stalled;
    this.ports.onStall(reason, detail);
  }
}

function stallReason(error: unknown): GapReason {
  const code = systemCode(error);
  return code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'commit_failed';
}
