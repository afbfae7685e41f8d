import { describeError } from '../core/errors.js';
import type { Listen, MarkedEvent, RecorderEvent, Unlisten } from '../core/events.js';
import type { Channel, Message } from '../core/message.js';
import type { RecorderStatus, TopicStats } from '../core/status.js';
import { AnomalyWatch } from './anomaly/anomaly-watch.js';
import type { MarkEventRequest } from './recorder-control.js';
import type { RecorderOptions } from './parameters/recorder-options.js';
import { takeDataFolder } from './recorder-folder.js';
import { assembleRecorder, recorderVoice, type RecorderParts, type RecorderVoice } from './recorder-parts.js';
import { reconfigureParts } from './recorder-limits.js';
import { RecorderRun, type RecorderInput } from './recorder-run.js';
import { buildRecorderStatus } from './recorder-status.js';
import { RunTotals, summarize, type RecordSummary } from './recorder-summary.js';
import { topicStats } from './recorder-topics.js';
import type { SystemPorts } from './system/ports.js';

export type { RecorderInput } from './recorder-run.js';
export type { RecordSummary } from './recorder-summary.js';

const TICK_MS = 1000;

/**
 * The recorder of one data folder: takes and recovers it, records sources between {@link start} and
 * {@link stop} (more than once), seals beside it, and keeps the disk within its limits all the time, until
 * {@link close} gives the folder back.
 */
export class Recorder implements AsyncDisposable {
  private readonly startedAt: bigint;
  private readonly ticker: NodeJS.Timeout;
  private readonly anomalies: AnomalyWatch;
  private run: RecorderRun | undefined;
  private readonly earlier = new RunTotals();
  private rolling: Promise<void> | undefined;
  /** Why sources that can wait do. */
  private roomReason: string | undefined;
  private failure: unknown;
  private stopping: Promise<void> | undefined;
  private closing: Promise<RecordSummary> | undefined;
  private readonly finished: Promise<RecordSummary>;
  private finish: (summary: Promise<RecordSummary>) => void = () => undefined;

  private constructor(private readonly parts: RecorderParts) {
    const { ports, sealer, recovered, voice, buffer } = parts;
    this.startedAt = ports.clock.now();
    this.finished = new Promise((resolve) => (this.finish = resolve));
    // Whoever awaits `done` sees its error; nobody awaiting must not end the process.
    this.finished.catch(() => undefined);
    voice.tap.attach(buffer);
    this.anomalies = new AnomalyWatch(parts.options.anomaly, {
      ...ports,
      tap: (listener) => this.tap(listener),
      mark: (request) => this.markEvent(request),
    });
    this.ticker = setInterval(() => void this.tick(), TICK_MS);
    void this.tick();
    if (recovered.segments.length > 0) {
      ports.logger.info('segments of an earlier run will be sealed', {
        segments: recovered.segments.length,
        unclean: recovered.unclean,
      });
    }
    for (const { id, directory, cutAtSequence } of recovered.segments) {
      sealer.enqueue({
        id,
        directory,
        recovered: true,
        ...(cutAtSequence === undefined ? {} : { cutAtSequence }),
      });
    }
  }

  /**
   * Takes the data folder and recovers it; nothing is recorded yet, but what an earlier process left is
   * sealed from here on, so that sync can have it. Throws `DATA_FOLDER_BUSY`, `DATA_FOLDER_UNUSABLE` or
   * `DISK_FULL`.
   */
  static async prepare(
    options: RecorderOptions,
    ports: SystemPorts,
    voice: RecorderVoice = recorderVoice(ports),
  ): Promise<Recorder> {
    const taken = await takeDataFolder(options, ports);
    try {
      return new Recorder(await assembleRecorder({ ...taken, options, ports, voice }));
    } catch (error) {
      await taken.lock.close();
      throw error;
    }
  }

  /**
   * {@link prepare}s and {@link start}s, and closes by itself once every source has ended.
   * Throws what {@link prepare} throws.
   */
  static async open(
    options: RecorderOptions,
    inputs: readonly RecorderInput[],
    ports: SystemPorts,
  ): Promise<Recorder> {
    const recorder = await Recorder.prepare(options, ports);
    await recorder.start(inputs);
    const close = (): void => void recorder.close().catch(() => undefined);
    recorder.ended.then(close, close);
    return recorder;
  }

  /** Resolves, or rejects, with what {@link close} does, whoever calls it. */
  get done(): Promise<RecordSummary> {
    return this.finished;
  }

  /** Resolves when the sources of the last {@link start} have ended and all they gave is committed. */
  get ended(): Promise<void> {
    return this.run?.done ?? Promise.resolve();
  }

  get onEvent(): Listen<RecorderEvent> {
    return this.parts.voice.events.listen;
  }

  /** Every message as it is queued; costs nothing while nobody listens. */
  tap(listener: (message: Message) => void): Unlisten {
    return this.parts.voice.tap.listen(listener);
  }

  /** Nothing is to be recorded for now: a process killed from here on has lost nothing. */
  async rest(): Promise<void> {
    const { wal, recovered, condition } = this.parts;
    // After a kill the sources have yet to say what was lost in it.
    if (!recovered.unclean || this.run) await wal.end();
    condition.enter('inactive');
  }

  /** Opens the sources and records them. Not while an earlier {@link start} still records. */
  async start(inputs: readonly RecorderInput[]): Promise<void> {
    const { wal, recovered, condition, buffer, ports } = this.parts;
    await wal.begin().catch((error: unknown) => {
      // A full disk may be free again before the first message; the commit tries, and says, the same.
      ports.logger.warn('head.json cannot be written, it is tried again', { error: describeError(error) });
    });
    if (this.run) {
      this.earlier.add(this.run);
      // What was missed meanwhile is counted from what is durable.
      for (const queue of buffer.allQueues()) queue.lastSourceSequence = -1;
    }
    condition.enter('recording');
    this.run = new RecorderRun(this.parts, inputs, !this.run && recovered.unclean);
  }

  /**
   * Ends the sources, commits and seals what was taken in; the data folder stays taken. Idempotent. Rejects,
   * with all that done, where commits failed to the end.
   */
  stop(): Promise<void> {
    this.stopping ??= this.stopNow().finally(() => (this.stopping = undefined));
    return this.stopping;
  }

  status(): RecorderStatus {
    const { run } = this;
    return buildRecorderStatus({
      ...this.parts,
      sources: run?.sources ?? [],
      startedAt: this.startedAt,
      inFlight: run?.inFlight ?? [],
      anomalies: this.anomalies.status(),
    });
  }

  topics(): readonly TopicStats[] {
    return topicStats(this.parts.buffer, this.parts.meters);
  }

  /** Channels seen so far. */
  *channels(): Iterable<Channel> {
    for (const { channel } of this.parts.buffer.allQueues()) yield channel;
  }

  /** The latched messages the next segment would begin with. */
  latched(): Iterable<Message> {
    return this.parts.wal.latched.messages();
  }

  /** Takes over live parameters; the others must be as they were. */
  reconfigure(options: RecorderOptions): void {
    reconfigureParts(this.parts, options);
    this.anomalies.reconfigure(options.anomaly);
  }

  /** Ends the open segment and begins the next. */
  split(): Promise<void> {
    return this.parts.wal.roll();
  }

  /** Calls a window around now important: it is sealed once it has passed, and uploaded first. */
  async markEvent(request: MarkEventRequest): Promise<MarkedEvent> {
    const { marks, voice } = this.parts;
    const event = await marks.mark(request);
    voice.events.emit({ kind: 'event-marked', event });
    return event;
  }

  /** Refuses messages until {@link resume}; they are counted as gaps of reason `paused`. */
  pause(): void {
    this.parts.condition.paused = true;
  }

  resume(): void {
    this.parts.condition.paused = false;
  }

  /**
   * {@link stop}s and gives the data folder back. Idempotent. Rejects where commits failed to the end and yet
   * nothing is missing.
   */
  close(): Promise<RecordSummary> {
    if (!this.closing) {
      this.closing = this.closeNow();
      this.finish(this.closing);
    }
    return this.closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async stopNow(): Promise<void> {
    const { condition, sealer } = this.parts;
    await this.endRun();
    await this.rest();
    condition.enter('draining');
    await sealer.drain();
    condition.enter('inactive');
    if (this.failure !== undefined) throw this.failure;
  }

  private async endRun(): Promise<void> {
    const { condition, ports, room, flow } = this.parts;
    const { run } = this;
    condition.enter('draining');
    run?.stop();
    try {
      await run?.done;
    } catch (error) {
      this.failure = error;
      ports.logger.error('commits failed to the end; what was in memory is lost', { error });
    }
    room.ended();
    flow.release();
    condition.paused = false;
  }

  private async closeNow(): Promise<RecordSummary> {
    const { wal, sealer, condition } = this.parts;
    try {
      await this.stopping?.catch(() => undefined);
      await this.endRun();
      await wal.close();
      await sealer.drain();
      if (this.run) this.earlier.add(this.run);
      const summary = summarize(this.parts, this.earlier);
      if (this.failure !== undefined && summary.undurable === 0) throw this.failure;
      return summary;
    } finally {
      await this.release();
      condition.enter('stopped');
    }
  }

  private async tick(): Promise<void> {
    const { wal, ports, meters, clockWatch, retention, sealer, condition } = this.parts;
    try {
      meters.tick(ports.clock.monotonic());
      this.anomalies.tick(condition.state === 'recording');
      const step = clockWatch.check();
      if (step) {
        wal.noteClockStep(step);
        ports.logger.warn('the wall clock jumped', { stepNs: step.stepNs });
      }
      await retention.tick(sealer.unfinished());
      this.lookForRoom();
      // Not awaited: a roll waits behind a commit, which may be waiting for the room retention makes.
      if (condition.state !== 'draining') this.rolling ??= this.rollIfOld();
    } catch (error) {
      ports.logger.warn('periodic work failed, it is tried again', { error });
    }
  }

  /** Lets sources that wait for disk space go on, or says that they wait. */
  private lookForRoom(): void {
    const { flow, room, condition, retention, ports } = this.parts;
    flow.update();
    const isBlocked = flow.isClosed && !room.isLeft;
    const told = condition.stalledReason;
    if (isBlocked && told === undefined) {
      this.roomReason = `disk_full: ${retention.freeBytes} bytes are free, no more than what is in memory may need`;
      condition.stalledReason = this.roomReason;
      ports.logger.warn('sources that can wait do, for disk space', { freeBytes: retention.freeBytes });
    } else if (!isBlocked && told !== undefined && told === this.roomReason) {
      condition.stalledReason = undefined;
      ports.logger.info('there is room on the disk again', { freeBytes: retention.freeBytes });
    }
  }

  private async rollIfOld(): Promise<void> {
    const { wal, ports, marks } = this.parts;
    try {
      if (marks.hasPassed()) await wal.roll();
      else await wal.rollIfOld();
    } catch (error) {
      ports.logger.warn('a segment could not be rolled, it is tried again', { error });
    }
    this.rolling = undefined;
  }

  private async release(): Promise<void> {
    const { sealer, worker, retention, lock, ports, voice } = this.parts;
    clearInterval(this.ticker);
    this.anomalies[Symbol.dispose]();
    voice.tap.attach(undefined);
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
