import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { natsNumbering } from '../../core/nats-identity.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { GapCollector } from '../gap-collector.js';
import { settledBefore } from '../source-runner.js';
import { DeadLetters } from './dead-letters.js';
import { Deliveries, type Publish } from './deliveries.js';
import { EventChannels } from './event-channels.js';
import { EventIntake } from './event-intake.js';
import type { NatsAlerts } from './nats-alerts.js';
import type { NatsConnection } from './nats-connection.js';
import type { NatsOptions } from './nats-options.js';
import type { NatsStats } from './nats-stats.js';
import { Pull } from './pull.js';

const LAG_INTERVAL_MS = 10_000;
const STALL_ALERT_MS = 30_000;
const KEEP_ALIVE_MAX_INTERVAL_MS = 15_000;
const NS_PER_MS = 1_000_000;
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
 * One creation of a stream, over as many connections as it takes: its channels, what it has delivered and is not
 * acknowledged, and where it was first read from.
 */
export class StreamReading {
  /** Consumer -> the first sequence it delivered to this source. */
  readonly firstSequences = new Map<string, number>();
  readonly deliveries: Deliveries;
  private readonly channels: EventChannels;
  private readonly gaps: GapCollector;
  private readonly intake: EventIntake;

  constructor(
    readonly streamCreated: string,
    private readonly parts: ReadingParts,
  ) {
    const { options, context, emit, alerts, stats } = parts;
    const { clock } = context;
    this.deliveries = new Deliveries(() => clock.monotonic(), stats);
    stats.unacknowledged = () => this.deliveries.size;
    this.channels = new EventChannels(options, streamCreated, context, emit);
    this.gaps = new GapCollector(clock, emit);
    const { deliveries, channels, gaps } = this;
    this.intake = new EventIntake({ options, context, emit, channels, deliveries, gaps, alerts, stats });
  }

  wantedChanged(): void {
    this.channels.wantedChanged();
  }

  /** Reads until the signal, or until it cannot go on; then says why. */
  async read(
    connection: NatsConnection,
    manager: JetStreamManager,
    consumers: readonly ConsumerInfo[],
  ): Promise<string> {
    const { options, signal } = this.parts;
    const { stream, deadLetter } = options;
    const publish: Publish = (subject, payload) => {
      if (!connection.isClosed()) connection.publish(subject, payload);
    };
    this.deliveries.connected(publish);
    const numbering = natsNumbering(stream, this.streamCreated);
    this.intake.deadLetters =
      deadLetter === undefined
        ? undefined
        : new DeadLetters(connection, { subject: deadLetter, numbering, stream });
    const pulls = consumers.map((consumer) => this.pull(connection, consumer));
    const end = (reason: string): void => pulls.forEach((pull) => pull.end(reason));
    const onAbort = (): void => end('it is to end');
    signal.addEventListener('abort', onAbort, { once: true });
    void connection.closed().then((error) => end(error?.message ?? 'the connection was closed'));
    const timers = this.timers(manager, consumers);
    try {
      await Promise.all(
        pulls.map(async (pull) => {
          await this.lane(pull);
          end(pull.ended ?? 'another consumer ended');
        }),
      );
      await this.intake.settled();
    } finally {
      timers.forEach(clearInterval);
      signal.removeEventListener('abort', onAbort);
      this.gaps.flush();
      // While the recorder ends, what it commits is still acknowledged.
      if (!signal.aborted) this.deliveries.disconnected();
    }
    return pulls.map((pull) => pull.ended).find((reason) => reason !== undefined) ?? '';
  }

  /** The stream is gone for good: another has its name. */
  close(): void {
    this.deliveries.disconnected();
    this.gaps.flush();
    this.channels.close();
  }

  private pull(connection: NatsConnection, { name, config, num_pending }: ConsumerInfo): Pull {
    const { options, context, stats } = this.parts;
    const maxPayload = connection.info?.max_payload ?? 1024 * 1024;
    stats.pending(name, num_pending);
    return new Pull(
      connection,
      {
        stream: options.stream,
        consumer: name,
        // Half of it must hold the largest message there can be.
        maxBytes: Math.max(options.pullBytes, 2 * maxPayload + 128 * 1024),
        maxBatch: config.max_batch || undefined,
        maxExpiresMs: config.max_expires ? config.max_expires / NS_PER_MS : undefined,
      },
      () => context.clock.monotonic(),
      (delivery) => {
        this.deliveries.add(delivery);
        stats.pending(name, delivery.pending);
        const first = this.firstSequences.get(name) ?? Infinity;
        if (delivery.streamSequence < first) this.firstSequences.set(name, delivery.streamSequence);
      },
    );
  }

  /** Takes what one consumer delivers until it ends. */
  private async lane(pull: Pull): Promise<void> {
    const { context, signal } = this.parts;
    for (;;) {
      if (signal.aborted) break;
      const ready = context.flow.whenReady();
      if (ready !== undefined) {
        if (pull.ended !== undefined || !(await this.waitFor(ready, pull))) break;
        continue;
      }
      const delivery = pull.take();
      if (delivery !== undefined) {
        const pause = this.intake.take(delivery);
        if (pause) await pause;
      } else if (pull.ended !== undefined) break;
      else await pull.whenNews();
    }
    for (let left = pull.take(); left !== undefined; left = pull.take()) {
      if (signal.aborted) this.deliveries.answer(left.streamSequence, AGAIN);
      else this.deliveries.forget(left.streamSequence);
    }
  }

  /** False: the lane is over. */
  private async waitFor(ready: Promise<void>, pull: Pull): Promise<boolean> {
    const { alerts, signal } = this.parts;
    const timer = setTimeout(() => {
      alerts.raise(
        'commits_stalled',
        'the recorder takes no messages: its disk is full, slow or it is paused',
      );
    }, STALL_ALERT_MS);
    try {
      await settledBefore(Promise.race([ready, pull.whenEnded]), signal);
      return pull.ended === undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  private timers(manager: JetStreamManager, consumers: readonly ConsumerInfo[]): NodeJS.Timeout[] {
    const { options, stats, alerts } = this.parts;
    const ackWaitsMs = consumers.map(({ config }) => (config.ack_wait ?? 30_000 * NS_PER_MS) / NS_PER_MS);
    const keepAliveMs = Math.min(KEEP_ALIVE_MAX_INTERVAL_MS, Math.min(...ackWaitsMs) / 4);
    const lag = async (): Promise<void> => {
      for (const { name } of consumers) {
        const info = await manager.consumers.info(options.stream, name);
        stats.pending(name, info.num_pending);
      }
    };
    return [
      setInterval(() => {
        this.deliveries.keepAlive(keepAliveMs);
        alerts.flush();
        this.gaps.flush();
      }, keepAliveMs),
      // Where it fails the pull ends too, and says more.
      setInterval(() => void lag().catch(() => undefined), LAG_INTERVAL_MS),
    ];
  }
}
