import { jetstreamManager } from '@nats-io/jetstream';
import { defined } from '../../core/defined.js';
import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Source, SourceAlert, SourceContext } from '../../core/source.js';
import { isAborted } from '../../core/is-aborted.js';
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
/** After the end, how long to wait for the commit of emitted messages. */
const LAST_ACKS_MS = 15_000;
/** A server that does not answer is not waited for any longer. */
const FLUSH_MAX_MS = 1_000;

/**
 * A durable pull consumer of a NATS JetStream stream. Messages are acknowledged once they are durable. After
 * any failure of the server, the stream, the consumer or the connection, it continues as soon as it can.
 *
 * @throws HoldfastError SOURCE_UNKNOWN, CONFIG_INVALID.
 */
export function createNatsSource(uri: SourceUri, { fs }: { readonly fs: FileSystem }): Source {
  const options = readNatsUri(uri);
  const stats = new NatsStats();
  let listening: NatsListening | undefined;
  return {
    uri: uri.text,
    supports: { finite: false, backpressure: true, sequences: false, acknowledgement: true },
    stats: () => stats.toJson(),
    alert: (alert) => listening?.alert(alert),
    open: (context) =>
      runSource(context, (run) => {
        listening = new NatsListening(options, uri.text, fs, context, run, stats);
        return listening.run();
      }),
  };
}

/** One opening of the source. */
class NatsListening {
  readonly #alerts: NatsAlerts;
  readonly #parts: ReadingParts;
  #reading: StreamReading | undefined;
  #backoffMs = FIRST_BACKOFF_MS;
  #state = '';

  readonly #options: NatsOptions;
  readonly #fs: FileSystem;
  readonly #context: SourceContext;
  readonly #source: SourceRun;
  readonly #stats: NatsStats;

  constructor(
    options: NatsOptions,
    uri: string,
    fs: FileSystem,
    context: SourceContext,
    source: SourceRun,
    stats: NatsStats,
  ) {
    this.#options = options;
    this.#fs = fs;
    this.#context = context;
    this.#source = source;
    this.#stats = stats;
    const { emit, signal } = source;
    this.#alerts = new NatsAlerts(options.alert, uri, context.clock);
    this.#parts = { options, context, emit, alerts: this.#alerts, stats, signal };
  }

  /** On the alert subject; without a connection, on the next one. */
  alert({ kind, detail }: SourceAlert): void {
    this.#alerts.raise(kind, detail);
  }

  async run(): Promise<void> {
    const { signal } = this.#source;
    const unlisten = this.#context.onWantedChange?.(() => this.#reading?.wantedChanged());
    this.#tell('connecting');
    try {
      while (!signal.aborted) {
        const connection = await this.#connect();
        if (connection === undefined) continue;
        await this.#serve(connection);
        // A subscriber that only unsubscribed wants no more of it.
        if (isAborted(signal) && this.#context.signal.aborted) void this.#acknowledgeLast(connection);
        else await this.#close(connection);
      }
    } finally {
      unlisten?.();
    }
  }

  async #connect(): Promise<NatsConnection | undefined> {
    const { signal } = this.#source;
    const attempt = connectNats(this.#options, this.#fs);
    try {
      if (await settledBefore(attempt, signal)) return await attempt;
      // Too late: the connection is closed.
      attempt.then((late) => late.close()).catch(() => undefined);
    } catch (error) {
      await this.#wait(`no connection: ${describeError(error)}`);
    }
    return undefined;
  }

  /** Binds and reads, repeatedly, until the connection is gone or the signal aborts. */
  async #serve(connection: NatsConnection): Promise<void> {
    const { signal } = this.#source;
    this.#stats.connections++;
    this.#alerts.connected((subject, payload) => {
      if (!connection.isClosed()) connection.publish(subject, payload);
    });
    while (!signal.aborted && !connection.isClosed()) {
      let reason: string;
      try {
        const manager = await jetstreamManager(connection, { checkAPI: false, timeout: API_TIMEOUT_MS });
        const { streamCreated, consumers } = await bindConsumers(manager, this.#options, (created, durable) =>
          this.#startSequence(created, durable),
        );
        if (isAborted(signal)) break;
        const reading = this.#readingOf(streamCreated);
        this.#tell('open');
        this.#backoffMs = FIRST_BACKOFF_MS;
        reason = await reading.read(connection, manager, consumers);
        if (isAborted(signal)) break;
        this.#alerts.raise(connection.isClosed() ? 'connection_lost' : 'consumer_missing', reason);
      } catch (error) {
        reason = describeError(error);
        if (error instanceof NotBound) this.#alerts.raise(error.kind, reason);
      }
      await this.#wait(reason);
    }
    this.#alerts.disconnected();
  }

  /**
   * Where to start a durable that is gone and was read before: messages without an acknowledgement must come
   * again.
   */
  #startSequence(streamCreated: string, durable: string): number | undefined {
    if (this.#reading === undefined) return undefined;
    // Everything in a stream that was created meanwhile is new.
    return this.#reading.streamCreated === streamCreated ? this.#reading.firstSequences.get(durable) : 1;
  }

  #readingOf(streamCreated: string): StreamReading {
    if (this.#reading?.streamCreated !== streamCreated) {
      this.#reading?.close();
      this.#reading = new StreamReading(streamCreated, this.#parts);
    }
    return this.#reading;
  }

  /** The recorder ends: what it still commits is acknowledged, and then the connection closes. */
  async #acknowledgeLast(connection: NatsConnection): Promise<void> {
    const patience = AbortSignal.timeout(LAST_ACKS_MS);
    const done = this.#reading?.deliveries.empty() ?? Promise.resolve();
    await settledBefore(Promise.race([done, connection.closed()]), patience);
    // Flushes published messages.
    await connection.drain().catch(() => connection.close());
  }

  /** Closes the connection once the server has read everything, such as deliveries that were given back. */
  async #close(connection: NatsConnection): Promise<void> {
    const flushed = connection.flush().catch(() => undefined);
    await settledBefore(Promise.race([flushed, connection.closed()]), AbortSignal.timeout(FLUSH_MAX_MS));
    await connection.close();
  }

  async #wait(reason: string): Promise<void> {
    const { clock } = this.#context;
    const { signal } = this.#source;
    if (signal.aborted) return;
    this.#tell('waiting', reason);
    await clock.sleep(withJitter(this.#backoffMs, clock.monotonic()), signal).catch(() => undefined);
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#backoffMs * 2);
  }

  /** Once per change: a server that is away for an hour is one line in the log. */
  #tell(state: 'connecting' | 'open' | 'waiting', detail?: string): void {
    const now = `${state} ${detail ?? ''}`;
    if (now === this.#state) return;
    const wasWaiting = this.#state.startsWith('waiting');
    this.#state = now;
    this.#source.emit({ kind: 'state', state, ...defined({ detail }) });
    const { stream } = this.#options;
    if (state === 'waiting')
      this.#context.logger.warn('a NATS source is waiting', { stream, reason: detail });
    else if (state === 'open') {
      this.#context.logger.info('a NATS source is reading', { stream });
      if (wasWaiting) this.#alerts.raise('recovered', `stream ${stream} is read again`);
    }
  }
}
