import { jetstreamManager } from '@nats-io/jetstream';
import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Source, SourceContext } from '../../core/source.js';
import { withJitter } from '../jitter.js';
import { runSource, settledBefore, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { NotBound, bindConsumers } from './consumers.js';
import { NatsAlerts } from './nats-alerts.js';
import { connectNats, type NatsConnection } from './nats-connection.js';
import { readNatsUri, type NatsOptions } from './nats-options.js';
import { NatsStats } from './nats-stats.js';
import { StreamReading, type ReadingParts } from './stream-reading.js';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
const API_TIMEOUT_MS = 5_000;
/** After the end, so long is waited for the commit of what was emitted. */
const LAST_ACKS_MS = 15_000;

/**
 * A durable pull consumer of a NATS JetStream stream. Messages are acknowledged once they are durable; whatever
 * happens to the server, the stream, the consumer or the connection, it goes on as soon as it can.
 *
 * @throws HoldfastError SOURCE_UNKNOWN, CONFIG_INVALID.
 */
export function createNatsSource(uri: SourceUri, { fs }: { readonly fs: FileSystem }): Source {
  const options = readNatsUri(uri);
  const stats = new NatsStats();
  return {
    uri: uri.text,
    supports: { finite: false, backpressure: true, sequences: false, acknowledgement: true },
    stats: () => stats.toJson(),
    open: (context) =>
      runSource(context, (run) => new NatsListening(options, uri.text, fs, context, run, stats).run()),
  };
}

/** One opening of the source. */
class NatsListening {
  private readonly alerts: NatsAlerts;
  private readonly parts: ReadingParts;
  private reading: StreamReading | undefined;
  private backoffMs = FIRST_BACKOFF_MS;
  private state = '';

  constructor(
    private readonly options: NatsOptions,
    uri: string,
    private readonly fs: FileSystem,
    private readonly context: SourceContext,
    private readonly source: SourceRun,
    private readonly stats: NatsStats,
  ) {
    const { emit, signal } = source;
    this.alerts = new NatsAlerts(options.alert, uri, context.clock);
    this.parts = { options, context, emit, alerts: this.alerts, stats, signal };
  }

  async run(): Promise<void> {
    const { signal } = this.source;
    const unlisten = this.context.onWantedChange?.(() => this.reading?.wantedChanged());
    this.tell('connecting');
    try {
      while (!signal.aborted) {
        const connection = await this.connect();
        if (connection === undefined) continue;
        await this.serve(connection);
        // Those who only ended the subscription want nothing more of it.
        if (signal.aborted && this.context.signal.aborted) void this.acknowledgeLast(connection);
        else await connection.close();
      }
    } finally {
      unlisten?.();
    }
  }

  private async connect(): Promise<NatsConnection | undefined> {
    const { signal } = this.source;
    const attempt = connectNats(this.options, this.fs);
    try {
      if (await settledBefore(attempt, signal)) return await attempt;
      // Too late: whatever comes of it is closed.
      attempt.then((late) => late.close()).catch(() => undefined);
    } catch (error) {
      await this.wait(`no connection: ${describeError(error)}`);
    }
    return undefined;
  }

  /** Binds and reads, as often as it takes, until the connection is gone or the signal given. */
  private async serve(connection: NatsConnection): Promise<void> {
    const { signal } = this.source;
    this.stats.connections++;
    this.alerts.connected((subject, payload) => {
      if (!connection.isClosed()) connection.publish(subject, payload);
    });
    while (!signal.aborted && !connection.isClosed()) {
      let reason: string;
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false, timeout: API_TIMEOUT_MS });
        const { streamCreated, consumers } = await bindConsumers(manager, this.options, (created, durable) =>
          this.startSequence(created, durable),
        );
        if (signal.aborted) break;
        const reading = this.readingOf(streamCreated);
        this.tell('open');
        this.backoffMs = FIRST_BACKOFF_MS;
        reason = await reading.read(connection, manager, consumers);
        if (signal.aborted) break;
        this.alerts.raise(connection.isClosed() ? 'connection_lost' : 'consumer_missing', reason);
      } catch (error) {
        reason = describeError(error);
        if (error instanceof NotBound) this.alerts.raise(error.kind, reason);
      }
      await this.wait(reason);
    }
    this.alerts.disconnected();
  }

  /** Where a durable begins that is gone and was read before: what was not acknowledged must come again. */
  private startSequence(streamCreated: string, durable: string): number | undefined {
    if (this.reading === undefined) return undefined;
    // Everything in a stream that was made meanwhile is new.
    return this.reading.streamCreated === streamCreated ? this.reading.firstSequences.get(durable) : 1;
  }

  private readingOf(streamCreated: string): StreamReading {
    if (this.reading?.streamCreated !== streamCreated) {
      this.reading?.close();
      this.reading = new StreamReading(streamCreated, this.parts);
    }
    return this.reading;
  }

  /** The recorder ends: what it still commits is acknowledged, and then the connection goes. */
  private async acknowledgeLast(connection: NatsConnection): Promise<void> {
    const patience = AbortSignal.timeout(LAST_ACKS_MS);
    const done = this.reading?.deliveries.empty() ?? Promise.resolve();
    await settledBefore(Promise.race([done, connection.closed()]), patience);
    // Flushes what was published.
    await connection.drain().catch(() => connection.close());
  }

  private async wait(reason: string): Promise<void> {
    const { clock } = this.context;
    const { signal } = this.source;
    if (signal.aborted) return;
    this.tell('waiting', reason);
    await clock.sleep(withJitter(this.backoffMs, clock.monotonic()), signal).catch(() => undefined);
    this.backoffMs = Math.min(MAX_BACKOFF_MS, this.backoffMs * 2);
  }

  /** Once per change: a server that is away for an hour is one line in the log. */
  private tell(state: 'connecting' | 'open' | 'waiting', detail?: string): void {
    const now = `${state} ${detail ?? ''}`;
    if (now === this.state) return;
    const wasWaiting = this.state.startsWith('waiting');
    this.state = now;
    this.source.emit({ kind: 'state', state, ...(detail === undefined ? {} : { detail }) });
    const { stream } = this.options;
    if (state === 'waiting') this.context.logger.warn('a NATS source waits', { stream, reason: detail });
    else if (state === 'open') {
      this.context.logger.info('a NATS source reads', { stream });
      if (wasWaiting) this.alerts.raise('recovered', `stream ${stream} is read again`);
    }
  }
}
