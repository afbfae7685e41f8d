import { defined } from '../../core/defined.js';
import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { isAborted } from '../../core/is-aborted.js';
import type { Source, SourceContext } from '../../core/source.js';
import { connectionOptions, type KafkaAccess } from '../../kafka/kafka-connection.js';
import { kafkaError } from '../../kafka/kafka-errors.js';
import { loadKafka, type KafkaLibrary } from '../../kafka/kafka-library.js';
import { withJitter } from '../jitter.js';
import { runSource, settledBefore, type SourceRun } from '../source-runner.js';
import type { SourceUri } from '../source-uri.js';
import { GroupMember } from './group-member.js';
import { GroupReading } from './group-reading.js';
import { readKafkaUri, type KafkaSourceOptions } from './kafka-options.js';
import { KafkaStats } from './kafka-stats.js';

const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 10_000;
/** After the end, how long to wait for the commit of emitted messages. */
const LAST_COMMITS_MS = 15_000;

export interface KafkaSourceDependencies {
  readonly fs: Pick<FileSystem, 'readFile'>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** For tests. */
  readonly load?: () => Promise<KafkaLibrary>;
}

/**
 * A member of a consumer group of Apache Kafka. The group's offsets move once messages are durable. After any failure of
 * the cluster, a topic or the connection, it continues as soon as it can.
 *
 * @throws HoldfastError SOURCE_UNKNOWN, CONFIG_INVALID, and STORE_UNAVAILABLE without the client.
 */
export async function createKafkaSource(
  uri: SourceUri,
  { fs, env, load }: KafkaSourceDependencies,
): Promise<Source> {
  const options = readKafkaUri(uri);
  const library = await loadKafka(load);
  const access = { fileSystem: fs, ...defined({ environment: env }) };
  const stats = new KafkaStats();
  return {
    uri: uri.text,
    supports: { finite: false, backpressure: true, sequences: false, acknowledgement: true },
    stats: () => stats.toJson(),
    open: (context) =>
      runSource(context, (run) =>
        new KafkaListening({ options, library, access, stats, context, run }).run(),
      ),
  };
}

interface ListeningParts {
  readonly options: KafkaSourceOptions;
  readonly library: KafkaLibrary;
  readonly access: KafkaAccess;
  readonly stats: KafkaStats;
  readonly context: SourceContext;
  readonly run: SourceRun;
}

/** One opening of the source. */
class KafkaListening {
  readonly #parts: ListeningParts;
  readonly #reading: GroupReading;
  /** Of a membership that could not be ended. */
  #memberId: string | null = null;
  #backoffMs = FIRST_BACKOFF_MS;
  #state = '';

  constructor(parts: ListeningParts) {
    this.#parts = parts;
    const { options, context, stats, run } = parts;
    const { emit, signal } = run;
    const onFetched = (): void => void (this.#backoffMs = FIRST_BACKOFF_MS);
    this.#reading = new GroupReading({ options, context, stats, emit, signal, onFetched });
  }

  async run(): Promise<void> {
    const { context, run } = this.#parts;
    const { signal } = run;
    const unlisten = context.onWantedChange?.(() => this.#reading.wantedChanged());
    this.#tell('connecting');
    try {
      while (!signal.aborted) {
        try {
          const member = await this.#join();
          if (member !== undefined) await this.#serve(member);
        } catch (error) {
          await this.#wait(describeError(kafkaError(error, this.#address)));
        }
      }
    } finally {
      unlisten?.();
    }
  }

  get #address(): string {
    const { brokers, topics } = this.#parts.options;
    return `kafka://${brokers.join(',')}/${topics.join(',')}`;
  }

  /** Undefined: the signal aborted first. */
  async #join(): Promise<GroupMember | undefined> {
    const { options, library, access, context, run } = this.#parts;
    const attempt = connectionOptions(options, access).then((connection) =>
      GroupMember.join(library, connection, options, context.clock, this.#memberId),
    );
    if (await settledBefore(attempt, run.signal)) return attempt;
    // Too late: it leaves again.
    attempt.then((late) => late.leave()).catch(() => undefined);
    return undefined;
  }

  async #serve(member: GroupMember): Promise<void> {
    const { stats, context, run } = this.#parts;
    stats.connections++;
    this.#tell('open');
    try {
      await this.#reading.read(member);
    } finally {
      // A subscriber that only unsubscribed wants no more of it.
      if (isAborted(run.signal) && context.signal.aborted) void this.#commitLast(member);
      else this.#memberId = await member.leave();
    }
  }

  /** The recorder ends: the offsets of what it still commits are stored, and then the member leaves. */
  async #commitLast(member: GroupMember): Promise<void> {
    await settledBefore(this.#reading.settled(), AbortSignal.timeout(LAST_COMMITS_MS));
    await this.#reading.commit(member);
    await member.leave();
  }

  async #wait(reason: string): Promise<void> {
    const { context, run } = this.#parts;
    const { clock } = context;
    if (run.signal.aborted) return;
    this.#tell('waiting', reason);
    await clock.sleep(withJitter(this.#backoffMs, clock.monotonic()), run.signal).catch(() => undefined);
    this.#backoffMs = Math.min(MAX_BACKOFF_MS, this.#backoffMs * 2);
  }

  /** Once per change: a cluster that is away for an hour is one line in the log. */
  #tell(state: 'connecting' | 'open' | 'waiting', detail?: string): void {
    const now = `${state} ${detail ?? ''}`;
    if (now === this.#state) return;
    this.#state = now;
    const { context, options, run } = this.#parts;
    run.emit({ kind: 'state', state, ...defined({ detail }) });
    const { topics, group } = options;
    if (state === 'waiting')
      context.logger.warn('a Kafka source is waiting', { topics, group, reason: detail });
    else if (state === 'open') context.logger.info('a Kafka source is reading', { topics, group });
  }
}
