import type { Subscription } from 'rxjs';
import { dataFolder, type DataFolder } from '../core/data-folder.js';
import { makeDirectoryDurably } from '../core/durable-files.js';
import { HoldfastError, describeError, isHoldfastError, systemCode } from '../core/errors.js';
import type { RecorderStatus } from '../core/status.js';
import type { Batch } from '../ingest/batch.js';
import { releaseBallast } from '../seal/ballast.js';
import { makeRoomForStart } from '../seal/retention-start.js';
import { recoverWal, type RecoveredWal } from '../wal/recover.js';
import { acquireRoleLock, type RoleLock } from '../wal/role-lock.js';
import type { RecorderOptions } from './parameters/recorder-options.js';
import { recordingPipeline } from './pipeline.js';
import {
  assembleRecorder,
  retentionOptions,
  type RecorderInput,
  type RecorderParts,
} from './recorder-parts.js';
import { buildRecorderStatus, type RecorderState } from './recorder-status.js';
import { readIdentity } from './system/host-identity.js';
import type { SystemPorts } from './system/ports.js';

/** What a finished recording amounts to. */
export interface RecordSummary {
  readonly received: number;
  readonly durable: number;
  readonly durableBytes: number;
  readonly dropped: number;
  /** Received and neither durable nor dropped: 0 unless the disk refused to the end. */
  readonly undurable: number;
  readonly gaps: number;
  readonly unreadableBytes: number;
  readonly sealedSegments: number;
  readonly waitingSegments: number;
  readonly maxLossWindowMs: number;
  readonly failedSources: readonly { readonly uri: string; readonly error: unknown }[];
}

const TICK_MS = 1000;
/** At the end, how long commits may fail before what is still in memory is given up. */
const CLOSE_PATIENCE_MS = 10_000;

/**
 * The recorder of one data folder: recovers what an earlier process left, records all sources, seals beside
 * it, and keeps the disk within its limits. {@link open} resolves once recording; {@link done} resolves when
 * every source has ended by itself and everything is committed and sealed, or after {@link close}.
 */
export class Recorder implements AsyncDisposable {
  readonly done: Promise<RecordSummary>;
  private state: RecorderState = 'recording';
  private readonly startedAt: bigint;
  private readonly stop = new AbortController();
  private readonly giveUp = new AbortController();
  private gaps = 0;
  private inFlight: Batch | undefined;
  private ticker: NodeJS.Timeout | undefined;
  private rolling: Promise<void> | undefined;
  private subscription: Subscription | undefined;

  private constructor(private readonly parts: RecorderParts) {
    this.startedAt = parts.ports.clock.now();
    this.done = this.run().finally(() => this.release());
    // Whoever awaits `done` sees its error; nobody awaiting must not end the process.
    this.done.catch(() => undefined);
  }

  /**
   * Takes the data folder, recovers, and starts recording.
   * Throws `DATA_FOLDER_BUSY`, `DATA_FOLDER_UNUSABLE` or `DISK_FULL`.
   */
  static async open(
    options: RecorderOptions,
    inputs: readonly RecorderInput[],
    ports: SystemPorts,
  ): Promise<Recorder> {
    const folder = dataFolder(options.data);
    try {
      await makeDirectoryDurably(ports.fs, folder.root);
    } catch (cause) {
      throw new HoldfastError('DATA_FOLDER_UNUSABLE', `cannot use ${options.data} as data folder`, { cause });
    }
    const lock = await takeRole(folder, ports);
    try {
      const identity = await readIdentity(folder.root, ports);
      const recovered = await recoverWithRoom(folder, options, ports);
      if (recovered.segments.length > 0) {
        ports.logger.info('segments of an earlier run will be sealed', {
          segments: recovered.segments.length,
          unclean: recovered.unclean,
        });
      }
      return new Recorder(
        await assembleRecorder({ options, inputs, ports, folder, lock, identity, recovered }),
      );
    } catch (error) {
      await lock.close();
      throw error;
    }
  }

  status(): RecorderStatus {
    return buildRecorderStatus({
      ...this.parts,
      state: this.state,
      startedAt: this.startedAt,
      inFlight: this.inFlight,
    });
  }

  /** Ends the open segment and begins the next. */
  split(): Promise<void> {
    return this.parts.wal.roll();
  }

  /** Refuses messages until {@link resume}; they are counted as gaps of reason `paused`. */
  pause(): void {
    if (this.state === 'recording') this.state = 'paused';
    this.parts.paused = true;
  }

  resume(): void {
    this.parts.paused = false;
    if (this.state === 'paused') this.state = 'recording';
  }

  /** Ends the sources, commits and seals what was taken in, releases everything. Idempotent. */
  async close(): Promise<RecordSummary> {
    this.stop.abort();
    this.parts.stopSources.abort();
    return this.done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async run(): Promise<RecordSummary> {
    const { wal, sealer, ports, recovered } = this.parts;
    for (const { id, directory, cutAtSequence } of recovered.segments) {
      sealer.enqueue({
        id,
        directory,
        recovered: true,
        ...(cutAtSequence === undefined ? {} : { cutAtSequence }),
      });
    }
    this.parts.meters.tick(ports.clock.monotonic());
    this.ticker = setInterval(() => void this.tick(), TICK_MS);
    this.stop.signal.addEventListener('abort', () => {
      this.state = 'draining';
      setTimeout(() => this.giveUp.abort(), CLOSE_PATIENCE_MS).unref();
    });
    let failure: unknown;
    try {
      await this.record();
    } catch (error) {
      failure = error;
      ports.logger.error('commits failed to the end; what was in memory is lost', { error });
    }
    this.state = 'draining';
    await wal.close();
    await sealer.drain();
    const summary = this.summary();
    if (failure !== undefined && summary.undurable === 0) throw failure;
    return summary;
  }

  /** Resolves when all sources have completed and the last batch is committed. */
  private record(): Promise<void> {
    const { sources, buffer, drops, options, ports, wal, flow, meters, retention } = this.parts;
    const commit = async (batch: Batch): Promise<void> => {
      this.inFlight = batch;
      if (!retention.state.admits) await this.waitForRoom();
      await wal.commit(batch, this.giveUp.signal);
      this.inFlight = undefined;
    };
    return new Promise((resolve, reject) => {
      this.subscription = recordingPipeline({
        sources,
        buffer,
        drops,
        // A source that waits at the high mark waits for a commit: that must not wait for more.
        limits: { ...options.batch, maxBytes: Math.min(options.batch.maxBytes, flow.highBytes) },
        clock: ports.clock,
        commit,
      }).subscribe({
        next: (batch) => {
          this.gaps += batch.gaps.length;
          meters.committed(batch);
          flow.update();
        },
        error: reject,
        complete: resolve,
      });
    });
  }

  /** Space is short and nothing may go: commits wait, and what the queues cannot hold is a gap that says why. */
  private async waitForRoom(): Promise<void> {
    const { retention, buffer } = this.parts;
    buffer.stalledBy = 'disk_full';
    this.parts.stalledReason = `disk_full: ${retention.state.detail}`;
    await retention.room(this.stop.signal);
    buffer.stalledBy = undefined;
    this.parts.stalledReason = undefined;
  }

  private async tick(): Promise<void> {
    const { wal, ports, meters, clockWatch, retention, sealer } = this.parts;
    try {
      meters.tick(ports.clock.monotonic());
      const step = clockWatch.check();
      if (step) {
        wal.noteClockStep(step);
        ports.logger.warn('the wall clock jumped', { stepNs: step.stepNs });
      }
      await retention.tick(sealer.unfinished());
      // Not awaited: a roll waits behind a commit, which may be waiting for the room retention makes.
      if (this.state !== 'draining') this.rolling ??= this.rollIfOld();
    } catch (error) {
      ports.logger.warn('periodic work failed, it is tried again', { error });
    }
  }

  private async rollIfOld(): Promise<void> {
    const { wal, ports } = this.parts;
    try {
      await wal.rollIfOld();
    } catch (error) {
      ports.logger.warn('a segment could not be rolled, it is tried again', { error });
    }
    this.rolling = undefined;
  }

  private summary(): RecordSummary {
    const { wal, sealer, sources } = this.parts;
    const { received, dropped } = this.parts.meters.sums();
    return {
      received,
      durable: wal.durable,
      durableBytes: wal.durableBytes,
      dropped,
      undurable: Math.max(0, received - dropped - wal.durable),
      gaps: this.gaps,
      unreadableBytes: sources.reduce((sum, source) => sum + source.unreadableBytes, 0),
      sealedSegments: sealer.sealedObjects,
      waitingSegments: sealer.waiting,
      maxLossWindowMs: wal.maxLossWindowMs,
      failedSources: sources
        .filter((source) => source.failure !== undefined)
        .map((source) => ({ uri: source.uri, error: source.failure })),
    };
  }

  private async release(): Promise<void> {
    const { sealer, worker, retention, lock, ports } = this.parts;
    this.state = 'stopped';
    clearInterval(this.ticker);
    this.subscription?.unsubscribe();
    for (const close of [
      () => sealer.close(),
      () => worker[Symbol.asyncDispose](),
      () => retention.close(),
      () => lock.close(),
    ]) {
      await close().catch((error: unknown) => {
        ports.logger.warn('closing a part failed', { error: describeError(error) });
      });
    }
  }
}

/** Takes the recorder's role; on a disk too full even for that, the ballast is given up first. */
async function takeRole(folder: DataFolder, ports: SystemPorts): Promise<RoleLock> {
  try {
    return await acquireRoleLock(ports.fs, folder, 'recorder');
  } catch (error) {
    if (isHoldfastError(error, 'DATA_FOLDER_BUSY') || !(await releaseBallast(ports.fs, folder))) throw error;
    ports.logger.warn('the disk is full: the ballast was given up to start', { error: describeError(error) });
    return acquireRoleLock(ports.fs, folder, 'recorder');
  }
}

/** Recovery writes a little; on a full disk room is made for it once. */
async function recoverWithRoom(
  folder: DataFolder,
  options: RecorderOptions,
  ports: SystemPorts,
): Promise<RecoveredWal> {
  try {
    return await recoverWal(ports.fs, folder, ports.logger);
  } catch (cause) {
    const code = systemCode(cause);
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    if (!(await makeRoomForStart(folder, retentionOptions(options), ports))) {
      throw new HoldfastError('DISK_FULL', `the disk of ${folder.root} is full and nothing may be evicted`, {
        cause,
      });
    }
    return recoverWal(ports.fs, folder, ports.logger);
  }
}
