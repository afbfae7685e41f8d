import type { Subscription } from 'rxjs';
import { Emitter } from '../core/emitter.js';
import { describeError } from '../core/errors.js';
import type { Message } from '../core/message.js';
import type { Source } from '../core/source.js';
import type { Batch } from '../ingest/batch.js';
import { giveUp, type Uncommitted } from '../ingest/give-up.js';
import { recordingPipeline } from './pipeline.js';
import type { RecorderParts } from './recorder-parts.js';
import { thinningOf } from './thinning.js';
import { RecordedSource, robotRule, topicFilter } from './recorder-source.js';

/** The parts that it uses. */
type Parts = Pick<
  RecorderParts,
  | 'backpressured'
  | 'batchLimits'
  | 'buffer'
  | 'condition'
  | 'conditions'
  | 'drops'
  | 'filterChanged'
  | 'flow'
  | 'limitsChanged'
  | 'meters'
  | 'options'
  | 'ports'
  | 'queueRule'
  | 'retention'
  | 'room'
  | 'sealer'
  | 'wal'
>;

/** A source together with how its topics map to robots. */
export interface RecorderInput {
  readonly source: Source;
  readonly robot: string;
  readonly robotFromNamespace: boolean;
}

/** Bytes of a record on the disk beside its payload: times, numbers, lengths. */
const RECORD_BYTES = 64;
const BATCH_BYTES = 4 * 1024;
/** During shutdown, how long commits may fail before the recorder gives up the messages in memory. */
const CLOSE_PATIENCE_MS = 3_500;

/**
 * One activation of a recorder: opens its sources once, and follows their messages until they are committed.
 */
export class RecorderRun {
  readonly sources: readonly RecordedSource[];
  /**
   * Resolves when every source has completed (by itself, or after {@link stop}) and the last batch is
   * committed, or gaps in the recording account for messages that the disk refused until the end. Rejects if the
   * disk refused the gaps too.
   */
  readonly done: Promise<void>;
  /** Batches that left the queues and are not durable yet: the one being committed, and the next one. */
  readonly inFlight = new Set<Batch>();
  gaps = 0;
  /** Messages that the disk refused until the end, and that no source keeps. */
  givenUp = 0;
  readonly #wantedChanged: Emitter<void>;
  readonly #stopSources = new AbortController();
  readonly #giveUp = new AbortController();
  #subscription: Subscription | undefined;

  readonly #parts: Parts;

  /**
   * Opens the sources. With `afterKill`, messages that a source numbered and the WAL lacks count as lost in
   * the kill.
   */
  constructor(parts: Parts, inputs: readonly RecorderInput[], afterKill: boolean) {
    this.#parts = parts;
    this.#wantedChanged = new Emitter('the topic filter', parts.ports.logger);
    let filter = topicFilter(parts.options.filter);
    const wanted = (topic: string, type: string): boolean => filter(topic, type);
    this.sources = inputs.map((input) => this.#recordedSource(input, wanted, afterKill));
    const unlisten = parts.filterChanged.listen(() => {
      filter = topicFilter(parts.options.filter);
      for (const source of this.sources) source.filterChanged();
      this.#wantedChanged.emit();
    });
    parts.conditions.began();
    const unlistenTopics = parts.conditions.onTopics(() => this.#wantedChanged.emit());
    this.done = this.#record().finally(() => {
      unlisten();
      unlistenTopics();
      parts.conditions.ended();
      this.#subscription?.unsubscribe();
    });
    // A caller that awaits `done` sees its error. Without one, the error must not end the process.
    this.done.catch(() => undefined);
  }

  /** Ends the sources, then commits the messages received so far. Idempotent. */
  stop(): void {
    if (this.#stopSources.signal.aborted) return;
    this.#stopSources.abort();
    this.#parts.room.prepareEnd();
    this.#parts.ports.clock.after(CLOSE_PATIENCE_MS, () => this.#giveUp.abort(), { background: true });
  }

  #record(): Promise<void> {
    const { buffer, drops, batchLimits, limitsChanged, ports, wal, flow, meters, retention, sealer } =
      this.#parts;
    const commit = async (batch: Batch): Promise<void> => {
      this.inFlight.add(batch);
      const bytes = bytesOnDisk(batch);
      this.#takeRoom();
      if (retention.mayPassLimit(bytes)) await retention.tick(sealer.unfinished());
      if (!retention.state.admits) await this.#waitForRoom();
      await wal.commit(batch, this.#giveUp.signal);
      retention.noteWritten(bytes);
      this.inFlight.delete(batch);
      this.#takeRoom();
    };
    const upcoming = (batch: Batch): void => {
      this.inFlight.add(batch);
      this.#takeRoom();
      wal.writeAhead(batch);
    };
    return new Promise((resolve, reject) => {
      this.#subscription = recordingPipeline({
        sources: this.sources,
        buffer,
        drops,
        limits: batchLimits,
        onLimits: limitsChanged.listen,
        clock: ports.clock,
        commit,
        upcoming,
        giveUp: (left) => this.#accountFor(left),
      }).subscribe({
        next: (batch) => {
          this.gaps += batch.gaps.filter(({ reason }) => reason !== 'decimated').length;
          meters.committed(batch);
          flow.update();
        },
        error: reject,
        complete: resolve,
      });
    });
  }

  async #accountFor(left: Uncommitted): Promise<Batch> {
    const { buffer, drops, wal, ports } = this.#parts;
    const lost = left.messages.filter((message) => !message.ack);
    this.givenUp = lost.length;
    this.inFlight.clear();
    for (const { ack, channel, sourceSequence } of left.messages) {
      // It is new when its source delivers it again.
      if (ack && channel.numberedIn !== undefined && sourceSequence !== undefined)
        wal.identities.release(channel.numberedIn, [sourceSequence]);
    }
    this.#takeRoom();
    // Each segment begins with them, and they may be large. The end of the run forgets them too.
    wal.latched.clear();
    const facts = { messages: lost.length, keptBySource: left.messages.length - lost.length };
    try {
      const batch = await giveUp(left, {
        buffer,
        drops,
        commit: (gaps) => wal.commit(gaps, this.#giveUp.signal),
        isKept: ({ ack }) => ack !== undefined,
      });
      ports.logger.error('commits failed until the end; gaps account for the messages in memory', facts);
      return batch;
    } catch (error) {
      const words = describeError(error);
      ports.logger.error('the gaps of the messages in memory cannot be written', { ...facts, error: words });
      throw error;
    }
  }

  #takeRoom(): void {
    this.#parts.room.taken([...this.inFlight].reduce((sum, batch) => sum + bytesOnDisk(batch), 0));
  }

  /**
   * Disk space is short and retention may evict nothing. Commits wait, and full queues record gaps with this
   * reason.
   */
  async #waitForRoom(): Promise<void> {
    const { retention, buffer, condition } = this.#parts;
    buffer.stalledBy = 'disk_full';
    condition.stalledReason = `disk_full: ${retention.state.detail}`;
    await retention.room(this.#stopSources.signal);
    buffer.stalledBy = undefined;
    condition.stalledReason = undefined;
  }

  #recordedSource(
    { source, robot, robotFromNamespace }: RecorderInput,
    wanted: (topic: string, type: string) => boolean,
    afterKill: boolean,
  ): RecordedSource {
    const { ports, flow, buffer, wal, condition, conditions, backpressured, queueRule } = this.#parts;
    const { clock, logger } = ports;
    return new RecordedSource({
      source,
      robot,
      context: {
        clock,
        logger,
        // During a pause, a server that waits for acknowledgements keeps its messages, so nothing is lost.
        flow: source.supports.acknowledgement
          ? { whenReady: () => (condition.paused ? condition.whenResumed() : flow.whenReady()) }
          : flow,
        robotOf: robotRule(robot, robotFromNamespace),
        queueRule,
        wanted: (topic, type) => wanted(topic, type) || conditions.needs(topic),
        onWantedChange: this.#wantedChanged.listen,
        signal: this.#stopSources.signal,
      },
      buffer,
      logger,
      wanted,
      conditions,
      settledThrough: (channel) => wal.settledThrough(channel),
      identities: wal.identities,
      afterKill,
      paused: () => condition.paused,
      onPausedDrop: (message) => this.#dropPaused(message),
      thinningOf: (topic) => thinningOf(this.#parts.options.rules, topic),
      onChannel: (channel) => {
        if (source.supports.backpressure) backpressured.add(channel);
      },
      forget: (channel) => {
        buffer.forget(channel);
        wal.forget(channel);
      },
    });
  }

  #dropPaused(message: Message): void {
    const { buffer, drops } = this.#parts;
    const queue = buffer.queueOf(message.channel);
    if (!queue) {
      drops.refuse(message, 'paused');
      return;
    }
    queue.received++;
    queue.receivedBytes += message.data.byteLength;
    queue.lastReceivedAt = message.receivedAt;
    queue.dropped++;
    drops.drop(message, 'paused', queue.length === 0);
  }
}

/** Lower bound of a batch's size on the disk. */
function bytesOnDisk({ bytes, messages, gaps }: Batch): number {
  return bytes + (messages.length + gaps.length) * RECORD_BYTES + BATCH_BYTES;
}
