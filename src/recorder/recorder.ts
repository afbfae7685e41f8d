import { defined } from '../core/defined.js';
import { describeError } from '../core/errors.js';
import type { RecorderEvent } from '../core/events.js';
import type { MarkedEvent } from '../core/marked-event.js';
import type { TagChanges, Tags } from '../core/tags.js';
import type { Listen, Unlisten } from '../core/listen.js';
import type { Channel, Message } from '../core/message.js';
import type { SourceAlert } from '../core/source.js';
import type { RecorderStatus, TopicStats } from '../core/status.js';
import type { TransformRule } from '../core/transform/rule.js';
import { AnomalyWatch } from './anomaly/anomaly-watch.js';
import type { MarkEventRequest } from './recorder-control.js';
import type { RecorderOptions } from '../settings/recorder-options.js';
import { takeDataFolder, unusable } from './recorder-folder.js';
import {
  assembleRecorder,
  recorderListeners,
  type RecorderParts,
  type RecorderListeners,
} from './recorder-parts.js';
import { reconfigureParts } from './reconfigure-parts.js';
import { RecorderRun, type RecorderInput } from './recorder-run.js';
import { buildRecorderStatus } from './recorder-status.js';
import { RunTotals, summarize, type RecordSummary } from './recorder-summary.js';
import { topicStats } from './recorder-topics.js';
import { RecorderUpkeep } from './recorder-upkeep.js';
import type { SystemPorts } from '../host/ports.js';

export type { RecorderInput } from './recorder-run.js';
export type { RecordSummary } from './recorder-summary.js';

/**
 * The recorder of one data folder. It takes and recovers the folder, records sources between {@link start}
 * and {@link stop} (any number of times), and seals meanwhile. It keeps the disk within its limits until
 * {@link close} releases the folder.
 */
export class Recorder implements AsyncDisposable {
  readonly #startedAt: bigint;
  readonly #upkeep: RecorderUpkeep;
  readonly #anomalies: AnomalyWatch;
  #run: RecorderRun | undefined;
  readonly #earlier = new RunTotals();
  #failure: unknown;
  #stopping: Promise<void> | undefined;
  #closing: Promise<RecordSummary> | undefined;
  /** Aborts the wait for sealing. */
  readonly #hurry = new AbortController();
  readonly #finished: Promise<RecordSummary>;
  #finish: (summary: Promise<RecordSummary>) => void = () => undefined;

  readonly #parts: RecorderParts;

  private constructor(parts: RecorderParts) {
    this.#parts = parts;
    const { ports, sealer, recovered, listeners, buffer, conditions } = parts;
    this.#startedAt = ports.clock.now();
    this.#finished = new Promise((resolve) => (this.#finish = resolve));
    // A caller that awaits `done` sees its error. Without one, the error must not end the process.
    this.#finished.catch(() => undefined);
    listeners.tap.attach(buffer);
    this.#anomalies = new AnomalyWatch(parts.options.anomaly, {
      ...ports,
      tap: (listener) => this.tap(listener),
      mark: (request) => this.markEvent(request),
      mayShow: (topic) => conditions.mayShow(topic),
    });
    // A caller that awaits `done` sees the error.
    this.#upkeep = new RecorderUpkeep(parts, this.#anomalies, () => void this.close().catch(() => undefined));
    this.#upkeep.start();
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
        ...defined({ cutAtSequence }),
      });
    }
  }

  /**
   * Takes the data folder and recovers it. Nothing is recorded yet, but segments of an earlier process are
   * sealed from now on, so that sync can upload them. Throws `DATA_FOLDER_BUSY`, `DATA_FOLDER_UNUSABLE` or
   * `DISK_FULL`.
   */
  static async prepare(
    options: RecorderOptions,
    ports: SystemPorts,
    listeners: RecorderListeners = recorderListeners(ports),
  ): Promise<Recorder> {
    const taken = await takeDataFolder(options, ports);
    try {
      const parts = await assembleRecorder({ ...taken, options, ports, listeners });
      await parts.sealer.recall(parts.recovered.segments.map(({ id }) => id));
      return new Recorder(parts);
    } catch (error) {
      await taken.lock.close();
      throw unusable(taken.folder, error);
    }
  }

  /**
   * {@link prepare}s and {@link start}s a recorder that closes by itself when every source has ended. Throws
   * the errors of {@link prepare}.
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

  /** Settles as {@link close} does, for every caller. */
  get done(): Promise<RecordSummary> {
    return this.#finished;
  }

  /** Resolves when the sources of the last {@link start} have ended and all their messages are committed. */
  get ended(): Promise<void> {
    return this.#run?.done ?? Promise.resolve();
  }

  get onEvent(): Listen<RecorderEvent> {
    return this.#parts.listeners.events.listen;
  }

  /** Calls the listener with every message when it is queued. Costs nothing without a listener. */
  tap(listener: (message: Message) => void): Unlisten {
    return this.#parts.listeners.tap.listen(listener);
  }

  /** Records that nothing is received for now: a process killed from here on has lost nothing. */
  async rest(): Promise<void> {
    const { wal, recovered, condition } = this.#parts;
    // After a kill, the sources have not reported yet what was lost in it.
    if (!recovered.unclean || this.#run) await wal.end();
    condition.enter('inactive');
  }

  /** Opens the sources and records them. Do not call it while an earlier {@link start} still records. */
  async start(inputs: readonly RecorderInput[]): Promise<void> {
    const { wal, recovered, condition, buffer, ports } = this.#parts;
    await wal.begin().catch((error: unknown) => {
      // A full disk may have space again before the first message. The commit tries the same write and
      // reports it.
      ports.logger.warn('cannot write head.json, will retry', { error: describeError(error) });
    });
    if (this.#run) {
      this.#earlier.add(this.#run);
      // Messages missed between two activations are counted from the durable numbers.
      for (const queue of buffer.allQueues()) queue.lastSourceSequence = -1;
    }
    condition.enter('recording');
    // The stop of the earlier run has reported it.
    this.#failure = undefined;
    this.#run = new RecorderRun(this.#parts, inputs, !this.#run && recovered.unclean);
  }

  /**
   * Ends the sources, then commits and seals the messages received so far. The recorder keeps the data
   * folder. Idempotent. Rejects after all of that if commits failed until the end.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopNow().finally(() => (this.#stopping = undefined));
    return this.#stopping;
  }

  status(): RecorderStatus {
    const run = this.#run;
    return buildRecorderStatus({
      ...this.#parts,
      sources: run?.sources ?? [],
      startedAt: this.#startedAt,
      inFlight: run?.inFlight ?? [],
      anomalies: this.#anomalies.status(),
    });
  }

  /** Sends a status to the servers of the sources that accept one. */
  alertSources(alert: SourceAlert): void {
    for (const source of this.#run?.sources ?? []) source.alert(alert);
  }

  topics(): readonly TopicStats[] {
    return topicStats(this.#parts.buffer, this.#parts.meters);
  }

  /** Channels seen so far. */
  *channels(): Iterable<Channel> {
    for (const { channel } of this.#parts.buffer.allQueues()) yield channel;
  }

  /** Rules of `sync.transform` that sync has told; undefined: they cannot be read. */
  transform(): readonly TransformRule[] | undefined {
    return this.#parts.conditions.transform;
  }

  /** The latched messages at the start of the next segment. */
  latched(): Iterable<Message> {
    return this.#parts.wal.latched.messages();
  }

  /** Applies live parameters. All other parameters must be unchanged. */
  reconfigure(options: RecorderOptions): void {
    reconfigureParts(this.#parts, options);
    this.#anomalies.reconfigure(options.anomaly);
  }

  /** Ends the open segment and begins the next one. */
  split(): Promise<void> {
    return this.#parts.wal.roll();
  }

  /**
   * Marks a window around now as important. Its segments are sealed when it has passed, and uploaded first.
   */
  async markEvent(request: MarkEventRequest): Promise<MarkedEvent> {
    const { marks, listeners } = this.#parts;
    const event = await marks.mark(request);
    listeners.events.emit({ kind: 'event-marked', event });
    return event;
  }

  /**
   * Sets tags of the segments from now on, and ends the open segment. An empty value removes a tag. Resolves
   * with all tags once they are durable.
   */
  setTags(changes: TagChanges): Promise<Tags> {
    return this.#parts.tags.set(changes);
  }

  /** Refuses messages until {@link resume}. They are counted as gaps with the reason `paused`. */
  pause(): void {
    this.#parts.condition.paused = true;
  }

  resume(): void {
    this.#parts.condition.paused = false;
  }

  /**
   * {@link stop}s the recorder and releases the data folder. Idempotent. Rejects if commits failed until the
   * end and no message is missing.
   */
  close(): Promise<RecordSummary> {
    if (!this.#closing) {
      this.#closing = this.#closeNow();
      this.#finish(this.#closing);
    }
    return this.#closing;
  }

  /**
   * For a fast shutdown: do not wait for sealing. Unsealed messages are durable in `wal/`, and the next start
   * seals them.
   */
  leaveUnsealed(): void {
    this.#hurry.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stopNow(): Promise<void> {
    const { condition, sealer } = this.#parts;
    await this.#endRun();
    await this.rest();
    condition.enter('draining');
    await sealer.drain(this.#hurry.signal);
    condition.enter('inactive');
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  async #endRun(): Promise<void> {
    const { condition, ports, room, flow } = this.#parts;
    const run = this.#run;
    condition.enter('draining');
    run?.stop();
    try {
      await run?.done;
    } catch (error) {
      this.#failure = error;
      ports.logger.error('commits failed until shutdown; messages in memory are lost without a gap', {
        error,
      });
    }
    room.ended();
    flow.release();
    condition.paused = false;
  }

  async #closeNow(): Promise<RecordSummary> {
    const { wal, sealer, condition } = this.#parts;
    try {
      await this.#stopping?.catch(() => undefined);
      await this.#endRun();
      await wal.close();
      await sealer.drain(this.#hurry.signal);
      if (this.#run) this.#earlier.add(this.#run);
      if (this.#upkeep.folderGone) throw this.#upkeep.folderGone;
      const summary = summarize(this.#parts, this.#earlier);
      if (this.#failure !== undefined && summary.undurable === 0) throw this.#failure as Error;
      return summary;
    } finally {
      await this.#release();
      condition.enter('stopped');
    }
  }

  async #release(): Promise<void> {
    const { sealer, worker, retention, lock, ports, listeners } = this.#parts;
    this.#upkeep.stop();
    this.#anomalies[Symbol.dispose]();
    listeners.tap.attach(undefined);
    if (this.#hurry.signal.aborted) {
      sealer.leave();
      await worker[Symbol.asyncDispose]();
    }
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
