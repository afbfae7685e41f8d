import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { natsNumbering } from '../../core/nats-identity.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { GapCollector } from '../gap-collector.js';
import { settledBefore } from '../source-runner.js';
import { DeadLetters } from './dead-letters.js';
import { DiscardWatch, type BoundConsumer } from './discard-watch.js';
import { Deliveries, type Publish } from './deliveries.js';
import { EventChannels } from './event-channels.js';
import { EventIntake } from './event-intake.js';
import type { NatsAlerts } from './nats-alerts.js';
import type { NatsConnection } from './nats-connection.js';
import type { NatsOptions } from './nats-options.js';
import type { NatsStats } from './nats-stats.js';
import { Pull } from './pull.js';
import type { Timer } from '../../core/clock.js';
import { onAbort } from '../../core/on-abort.js';

const LAG_INTERVAL_MS = 10_000;
const STALL_ALERT_MS = 30_000;
const KEEP_ALIVE_MAX_INTERVAL_MS = 15_000;
const NS_PER_MS = 1_000_000;
/** A server that does not confirm the end of a reading is not waited for any longer. */
const DRAIN_MAX_MS = 1_000;
const AGAIN = '-NAK';

export interface ReadingParts {
  readonly options: NatsOptions;
  readonly context: SourceContext;
  readonly emit: (event: SourceEvent) => void;
  readonly alerts: NatsAlerts;
  readonly stats: NatsStats;
  readonly signal: AbortSignal;
}

/**
 * One creation of a stream over any number of connections: its channels, its deliveries without
 * acknowledgement, and where it was first read.
 */
export class StreamReading {
  /** Consumer -> the first sequence that it delivered to this source. */
  readonly firstSequences = new Map<string, number>();
  readonly deliveries: Deliveries;
  readonly #channels: EventChannels;
  readonly #gaps: GapCollector;
  readonly #intake: EventIntake;
  readonly #parts: ReadingParts;
  /** By consumer. */
  readonly #watches = new Map<string, DiscardWatch>();

  constructor(
    readonly streamCreated: string,
    parts: ReadingParts,
  ) {
    this.#parts = parts;
    const { options, context, emit, alerts, stats } = parts;
    const { clock } = context;
    this.deliveries = new Deliveries(() => clock.monotonic(), stats);
    stats.unacknowledged = () => this.deliveries.size;
    this.#channels = new EventChannels(options, streamCreated, context, emit);
    this.#gaps = new GapCollector(clock, emit);
    const { deliveries } = this;
    const channels = this.#channels;
    const gaps = this.#gaps;
    this.#intake = new EventIntake({ options, context, emit, channels, deliveries, gaps, alerts, stats });
  }

  wantedChanged(): void {
    this.#channels.wantedChanged();
  }

  /** Reads until the signal aborts or it cannot continue; returns the reason. */
  async read(
    connection: NatsConnection,
    manager: JetStreamManager,
    bound: readonly BoundConsumer[],
  ): Promise<string> {
    const consumers = bound.map(({ info }) => info);
    const { options, signal } = this.#parts;
    const { stream, deadLetter } = options;
    const publish: Publish = (subject, payload) => {
      if (!connection.isClosed()) connection.publish(subject, payload);
    };
    this.deliveries.connected(publish);
    const numbering = natsNumbering(stream, this.streamCreated);
    this.#intake.deadLetters =
      deadLetter === undefined
        ? undefined
        : new DeadLetters(connection, { subject: deadLetter, numbering, stream });
    for (const consumer of bound) this.#watchOf(consumer.info.name).bound(consumer);
    const pulls = consumers.map((consumer) => this.#pull(connection, consumer));
    const end = (reason: string): void => pulls.forEach((pull) => pull.end(reason));
    const unlisten = onAbort(signal, () => pulls.forEach((pull) => pull.drain('it is to end')));
    void connection.closed().then((error) => end(error?.message ?? 'the connection was closed'));
    const timers = this.#timers(manager, consumers);
    try {
      await Promise.all(
        pulls.map(async (pull) => {
          await this.#lane(pull);
          end(pull.ended ?? 'another consumer ended');
        }),
      );
      await this.#intake.settled();
    } finally {
      for (const timer of timers) timer.cancel();
      unlisten();
      this.#gaps.flush();
      // While the recorder ends, its commits are still acknowledged.
      if (!signal.aborted) this.deliveries.disconnected();
    }
    return pulls.map((pull) => pull.ended).find((reason) => reason !== undefined) ?? '';
  }

  /** The stream is gone for good: another one has its name. */
  close(): void {
    this.deliveries.disconnected();
    this.#gaps.flush();
    this.#channels.close();
  }

  #watchOf(consumer: string): DiscardWatch {
    let watch = this.#watches.get(consumer);
    if (watch === undefined) {
      const { options, context, emit } = this.#parts;
      const { stream } = options;
      const numbering = natsNumbering(stream, this.streamCreated);
      const held = (first: number, last: number): number => this.deliveries.waiting(first, last);
      watch = new DiscardWatch({ stream, numbering, context, emit, held });
      this.#watches.set(consumer, watch);
    }
    return watch;
  }

  #pull(connection: NatsConnection, { name, config, num_pending }: ConsumerInfo): Pull {
    const { options, context, stats } = this.#parts;
    const maxPayload = connection.info?.max_payload ?? 1024 * 1024;
    stats.pending(name, num_pending);
    const watch = this.#watchOf(name);
    return new Pull(
      connection,
      {
        stream: options.stream,
        consumer: name,
        // Half of it must hold the largest possible message.
        maxBytes: Math.max(options.pullBytes, 2 * maxPayload + 128 * 1024),
        maxBatch: config.max_batch || undefined,
        maxExpiresMs: config.max_expires ? config.max_expires / NS_PER_MS : undefined,
      },
      context.clock,
      (delivery) => {
        watch.delivered(delivery);
        this.deliveries.add(delivery);
        stats.pending(name, delivery.pending);
        const first = this.firstSequences.get(name) ?? Infinity;
        if (delivery.streamSequence < first) this.firstSequences.set(name, delivery.streamSequence);
      },
    );
  }

  /** Takes the deliveries of one consumer until it ends. */
  async #lane(pull: Pull): Promise<void> {
    const { context, signal } = this.#parts;
    for (;;) {
      if (signal.aborted) break;
      const ready = context.flow.whenReady();
      if (ready !== undefined) {
        if (pull.ended !== undefined || !(await this.#waitFor(ready, pull))) break;
        continue;
      }
      const delivery = pull.take();
      if (delivery !== undefined) {
        const pause = this.#intake.take(delivery);
        if (pause) await pause;
      } else if (pull.ended !== undefined) break;
      else await pull.whenNews();
    }
    if (signal.aborted) await this.#drained(pull);
    for (let left = pull.take(); left !== undefined; left = pull.take()) {
      if (signal.aborted) this.deliveries.answer(left.streamSequence, AGAIN);
      else this.deliveries.forget(left.streamSequence);
    }
  }

  /**
   * Waits for the deliveries that the server had sent before it learned of the end. They are given back: otherwise the
   * next reading would get them only after `ack_wait`, and the server counts one that is discarded meanwhile as read.
   */
  async #drained(pull: Pull): Promise<void> {
    const patience = new AbortController();
    const late = this.#parts.context.clock.sleep(DRAIN_MAX_MS, patience.signal).catch(() => undefined);
    await Promise.race([pull.whenDrained, late]);
    patience.abort();
  }

  /** False: the lane has ended. */
  async #waitFor(ready: Promise<void>, pull: Pull): Promise<boolean> {
    const { alerts, context, signal } = this.#parts;
    const timer = context.clock.after(STALL_ALERT_MS, () => {
      alerts.raise(
        'commits_stalled',
        'the recorder takes no messages: its disk is full, slow or it is paused',
      );
    });
    try {
      await settledBefore(Promise.race([ready, pull.whenEnded]), signal);
      return pull.ended === undefined;
    } finally {
      timer.cancel();
    }
  }

  #timers(manager: JetStreamManager, consumers: readonly ConsumerInfo[]): Timer[] {
    const { context, options, stats, alerts } = this.#parts;
    const { clock } = context;
    const ackWaitsMs = consumers.map(({ config }) => (config.ack_wait ?? 30_000 * NS_PER_MS) / NS_PER_MS);
    const keepAliveMs = Math.min(KEEP_ALIVE_MAX_INTERVAL_MS, Math.min(...ackWaitsMs) / 4);
    const lag = async (): Promise<void> => {
      for (const { name } of consumers) {
        const info = await manager.consumers.info(options.stream, name);
        stats.pending(name, info.num_pending);
      }
    };
    return [
      clock.every(keepAliveMs, () => {
        this.deliveries.keepAlive(keepAliveMs);
        alerts.flush();
        this.#gaps.flush();
      }),
      // If this fails, the pull ends too, with a better reason.
      clock.every(LAG_INTERVAL_MS, () => void lag().catch(() => undefined)),
    ];
  }
}
