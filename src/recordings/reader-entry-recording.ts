import { defined } from '../core/defined.js';
import { storePorts } from '../host/store-ports.js';
import { openStore } from '../stores/open-store.js';
import type { Store } from '../core/store.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import { definitionKey, type Schema } from '../core/message.js';
import type { SystemPorts } from '../host/ports.js';
import { keyringOf } from '../encryption/keyring.js';
import { FilePool } from './file-readable.js';
import { locate, type Located } from './locate.js';
import { mergeMessages, type MergedMessage } from './merged-messages.js';
import { MessageDecoder, type Decoded } from './message-decoder.js';
import { wantsChannel, wantsRobot, type MessageFilter } from './message-filter.js';
import { mayNameVin, robotsOfVins } from './robots-of-vins.js';
import { openCatalogueCache } from './catalogue/catalogue-cache.js';
import type { FileSystem } from '../core/file-system.js';
import { silentLogger } from '../core/logger.js';
import { openSegment } from './open-segment.js';
import { present } from '../core/present.js';
import { listSegments, type OpenCatalogue, type Segment } from './segments.js';

/** Options of `openRecording`. */
export interface OpenOptions {
  /** Options of an S3 store, as in its URI's query: `endpoint`, `region`, ... Default: none. */
  readonly s3?: Readonly<Record<string, string>>;
  /** For a data folder: URI of the store for segments that are no longer on the disk. Default: none. */
  readonly store?: string;
  /** Texts of key files of `holdfast keygen`, for encrypted segments. Default: none. */
  readonly identities?: readonly string[];
  /**
   * A folder in which the manifests of stores are cached, so that the next opening is fast; the command line
   * uses `~/.cache/holdfast/catalogue`. Default: none, every manifest is read.
   */
  readonly cacheFolder?: string;
  /**
   * Called for parts that cannot be read; the rest is read. Default: they are collected in {@link
   * Recording.problems}.
   */
  readonly onProblem?: (problem: RecordingProblem) => void;
  /** Ends the opening and every reading; they reject with its reason. Default: none. */
  readonly signal?: AbortSignal;
}

/** A part that could not be read, and why. */
export interface RecordingProblem {
  /** Path or key. */
  readonly where: string;
  /** In words. */
  readonly reason: string;
}

/** Selects messages; an absent field selects all. `*` in a name stands for any text. */
export interface ReadFilter {
  /** Topic names, such as `/imu`. */
  readonly topics?: readonly string[];
  /** Type names, such as `sensor_msgs/msg/Imu`. */
  readonly types?: readonly string[];
  /** Robot names, or VINs of vehicles (ISO 3779) by the manifests. */
  readonly robots?: readonly string[];
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from?: bigint;
  /** Inclusive, nanoseconds since the Unix epoch. */
  readonly to?: bigint;
}

/** One MCAP of a recording. */
export interface RecordingSegment {
  /** Path or key. */
  readonly name: string;
  /** Size of the file. */
  readonly bytes: number;
  /** Segment id, if Holdfast recorded it. */
  readonly id?: string;
  /** Its robot, if the recording has one. */
  readonly robot?: string;
  /** VIN of the vehicle, if the recorder knew it. */
  readonly vin?: string;
  /** Nanoseconds since the Unix epoch, inclusive; absent without a manifest. */
  readonly firstLogTime?: bigint;
  /** Nanoseconds since the Unix epoch, inclusive. */
  readonly lastLogTime?: bigint;
}

/**
 * A topic of a robot, from the indexes of its segments. A topic whose definition changed has one entry per
 * definition.
 */
export interface RecordingTopic {
  /** Name of the topic. */
  readonly topic: string;
  /** Type of its messages, such as `sensor_msgs/msg/Imu`. */
  readonly type: string;
  /** Encoding of the payloads: `cdr`, `json`, ... */
  readonly encoding: string;
  /** Absent if the recording has no robot. */
  readonly robot?: string;
  /** From the files' statistics; messages repeated at the start of segments count too. */
  readonly messages: number;
  /** The definition of the type, and its encoding (`ros2msg`). */
  readonly schema: Pick<Schema, 'encoding' | 'data'>;
}

/** One message. */
export interface ReadMessage {
  /** Name of the topic. */
  readonly topic: string;
  /** Type of the message, such as `sensor_msgs/msg/Imu`. */
  readonly type: string;
  /** Encoding of the payload: `cdr`, `json`, ... */
  readonly encoding: string;
  /** Absent if the recording has no robot. */
  readonly robot?: string;
  /** Nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
  /** Nanoseconds since the Unix epoch; the log time if the source did not know it. */
  readonly publishTime: bigint;
  /** 0 if the writer did not number messages. */
  readonly sequence: number;
  /** The payload as recorded. It stays valid, and it keeps its chunk in memory: copy it to keep many. */
  readonly data: Uint8Array;
  /**
   * The decoded message (CDR with a ros2msg definition, or JSON), decoded at the first access; undefined if
   * that fails.
   */
  readonly value: unknown;
  /** Why there is no value; undefined if there is one. */
  readonly problem: string | undefined;
  /**
   * Number of bytes after the message that are not padding, normally 0. More: it was written with another
   * definition.
   */
  readonly leftOver: number;
}

/** A recording, open for reading. */
export interface Recording extends AsyncDisposable {
  /** Kind of the recording: a data folder, a store, or MCAP files. */
  readonly kind: 'data' | 'store' | 'mcap';
  /** Parts that could not be read so far, at most 1,000. */
  readonly problems: readonly RecordingProblem[];
  /** Every MCAP of the recording, oldest first. */
  segments(): Promise<readonly RecordingSegment[]>;
  /** All topics. Opens every segment's index. */
  topics(filter?: ReadFilter): Promise<RecordingTopic[]>;
  /**
   * The wanted messages of all segments in log-time order, each latched message once; bounded memory. Rejects
   * with the `STORE_` codes if a store fails.
   */
  messages(filter?: ReadFilter): AsyncGenerator<ReadMessage, void, void>;
}

const MAX_PROBLEMS = 1000;

/** Opens a recording with the ports of the process; `openRecording` of `holdfast/reader` calls this. */
export async function openRecordingFrom(
  from: string,
  options: OpenOptions,
  ports: SystemPorts,
): Promise<Recording> {
  const { fs, clock, random, logger } = ports;
  const open = (uri: string): Promise<Store> =>
    openStore(uri, uri.startsWith('s3:') ? (options.s3 ?? {}) : {}, storePorts({ fs, clock, random }));
  const located = await locate(from, { fs, logger, openStore: open });
  const store =
    located.kind === 'data' && options.store !== undefined ? await open(options.store) : undefined;
  return new OpenRecording(located, store, new FilePool(fs), options, fs);
}

class OpenRecording implements Recording {
  readonly problems: RecordingProblem[] = [];
  #segments: Promise<Segment[]> | undefined;

  constructor(
    readonly located: Located,
    readonly store: Store | undefined,
    readonly files: FilePool,
    readonly options: OpenOptions,
    readonly fs: FileSystem,
  ) {}

  get kind(): Recording['kind'] {
    return this.located.kind;
  }

  async segments(): Promise<readonly Segment[]> {
    const { files, store } = this;
    this.#segments ??= listSegments(this.located, {
      files,
      onProblem: this.#onProblem,
      openCatalogue: this.#openCatalogue,
      keyring: keyringOf(this.options.identities),
      ...defined({ store }),
      ...this.#signal(),
    });
    return this.#segments;
  }

  async #filterOf(given: ReadFilter): Promise<MessageFilter> {
    if (!mayNameVin(given.robots)) return given;
    const segments = await this.segments();
    return { ...given, ...(await robotsOfVins(given.robots, () => segments)) };
  }

  async topics(given: ReadFilter = {}): Promise<RecordingTopic[]> {
    const filter = await this.#filterOf(given);
    const topics = new Map<string, RecordingTopic>();
    for (const segment of await this.segments()) {
      if (segment.robot !== undefined && !wantsRobot(filter, segment.robot, segment.vin)) continue;
      try {
        const { reader, robot } = await openSegment(segment, this.options.signal);
        for (const channel of reader.channels) {
          if (!wantsChannel(filter, channel, robot)) continue;
          const { topic, encoding, schema, id } = channel;
          const key = JSON.stringify([robot, topic, definitionKey(schema), encoding]);
          const messages = (topics.get(key)?.messages ?? 0) + (reader.channelCounts?.get(id) ?? 0);
          topics.set(key, {
            topic,
            type: schema.name,
            encoding,
            ...defined({ robot }),
            messages,
            schema: { encoding: schema.encoding, data: schema.data },
          });
        }
      } catch (error) {
        if (!isHoldfastError(error) || error.retryable) throw error;
        this.#onProblem({ where: segment.name, reason: describeError(error) });
      }
    }
    return [...topics.values()];
  }

  async *messages(filter: ReadFilter = {}): AsyncGenerator<ReadMessage, void, void> {
    const wanted = await this.#filterOf(filter);
    const decoder = new MessageDecoder();
    const merged = mergeMessages(await this.segments(), {
      filter: wanted,
      onProblem: this.#onProblem,
      ...this.#signal(),
    });
    for await (const one of merged) yield new MergedReadMessage(one, decoder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.files[Symbol.asyncDispose]();
    await this.store?.[Symbol.asyncDispose]();
    if (this.located.kind === 'store') await this.located.store[Symbol.asyncDispose]();
  }

  #signal(): { readonly signal?: AbortSignal } {
    return this.options.signal === undefined ? {} : { signal: this.options.signal };
  }

  readonly #openCatalogue: OpenCatalogue = async (store) => {
    const { cacheFolder } = this.options;
    const id = cacheFolder === undefined ? undefined : await store.readId(this.#signal());
    return id === undefined ? undefined : openCatalogueCache(this.fs, silentLogger, present(cacheFolder), id);
  };

  readonly #onProblem = (problem: RecordingProblem): void => {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
    this.options.onProblem?.(problem);
  };
}

/** Decodes on access: a program that only counts messages pays nothing for it. */
class MergedReadMessage implements ReadMessage {
  #decoded: Decoded | undefined;
  readonly robot?: string;

  constructor(
    readonly one: MergedMessage,
    readonly decoder: MessageDecoder,
  ) {
    if (one.robot !== undefined) this.robot = one.robot;
  }

  get topic(): string {
    return this.one.message.channel.topic;
  }
  get type(): string {
    return this.one.message.channel.schema.name;
  }
  get encoding(): string {
    return this.one.message.channel.encoding;
  }
  get logTime(): bigint {
    return this.one.message.logTime;
  }
  get publishTime(): bigint {
    return this.one.message.publishTime;
  }
  get sequence(): number {
    return this.one.message.sequence;
  }
  get data(): Uint8Array {
    return this.one.message.data;
  }
  get value(): unknown {
    const decoded = this.#decode();
    return decoded.ok ? decoded.value : undefined;
  }
  get problem(): string | undefined {
    const decoded = this.#decode();
    return decoded.ok ? undefined : decoded.reason;
  }
  get leftOver(): number {
    const decoded = this.#decode();
    return decoded.ok ? (decoded.leftOver ?? 0) : 0;
  }

  #decode(): Decoded {
    return (this.#decoded ??= this.decoder.decode(this.one.message.channel, this.one.message.data));
  }
}
