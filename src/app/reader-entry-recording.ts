import { openStore } from '../stores/open-store.js';
import type { Store } from '../core/store.js';
import { describeError, isHoldfastError } from '../core/errors.js';
import { openOrSalvage } from '../core/mcap/open-mcap.js';
import type { SystemPorts } from './system/ports.js';
import { FilePool } from './reading/file-readable.js';
import { locate, type Located } from './reading/locate.js';
import { mergeMessages, type MergedMessage } from './reading/merged-messages.js';
import { MessageDecoder, type Decoded } from './reading/message-decoder.js';
import { wantsChannel, type MessageFilter } from './reading/message-filter.js';
import { openCatalogueCache } from './catalogue/catalogue-cache.js';
import type { FileSystem } from '../core/file-system.js';
import { silentLogger } from '../core/logger.js';
import { listSegments, type OpenCatalogue, type Segment } from './reading/segments.js';

export interface OpenOptions {
  /** Options of an S3 store, as in its URI's query: `endpoint`, `region`, ... */
  readonly s3?: Readonly<Record<string, string>>;
  /** For a data folder: the store that holds what is no longer on the disk, as a URI. */
  readonly store?: string;
  /**
   * A folder in which the manifests of stores are remembered, so that a store is opened fast the next time; the command
   * line's is `~/.cache/holdfast/catalogue`. Default: none, every manifest is read.
   */
  readonly cacheFolder?: string;
  /** Called for what cannot be read; default: it is collected in {@link Recording.problems}. The rest is read. */
  readonly onProblem?: (problem: RecordingProblem) => void;
  readonly signal?: AbortSignal;
}

/** Something that could not be read, and why. */
export interface RecordingProblem {
  /** Path or key. */
  readonly where: string;
  readonly reason: string;
}

/** Which messages are wanted; an absent field wants all. `*` in a name stands for any text. */
export interface ReadFilter {
  readonly topics?: readonly string[];
  /** Type names, such as `sensor_msgs/msg/Imu`. */
  readonly types?: readonly string[];
  readonly robots?: readonly string[];
  /** Log times, inclusive, nanoseconds since the Unix epoch. */
  readonly from?: bigint;
  readonly to?: bigint;
}

/** One MCAP of a recording. */
export interface RecordingSegment {
  /** Path or key. */
  readonly name: string;
  readonly bytes: number;
  readonly id?: string;
  readonly robot?: string;
  /** Nanoseconds since the Unix epoch, where a manifest says them. */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
}

/** A topic of a robot, with what its segments' indexes say. */
export interface RecordingTopic {
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  /** Absent for recordings that do not say it. */
  readonly robot?: string;
  /** As the files' statistics say; messages repeated at the start of segments are counted too. */
  readonly messages: number;
  /** The definition of the type, and its encoding (`ros2msg`). */
  readonly schema: { readonly encoding: string; readonly data: Uint8Array };
}

/** One message. */
export interface ReadMessage {
  readonly topic: string;
  readonly type: string;
  readonly encoding: string;
  readonly robot?: string;
  /** Nanoseconds since the Unix epoch. */
  readonly logTime: bigint;
  readonly publishTime: bigint;
  /** 0 where the writer did not number. */
  readonly sequence: number;
  /** The payload as recorded; valid for as long as you like, but it keeps its chunk in memory: copy to keep many. */
  readonly data: Uint8Array;
  /** The decoded message (CDR with a ros2msg definition, or JSON), made when it is first asked for; undefined where that fails. */
  readonly value: unknown;
  /** Why there is no value; undefined where there is one. */
  readonly problem: string | undefined;
}

/** A recording, open for reading. */
export interface Recording extends AsyncDisposable {
  readonly kind: 'data' | 'store' | 'mcap';
  /** What could not be read so far, at most 1,000. */
  readonly problems: readonly RecordingProblem[];
  segments(): Promise<readonly RecordingSegment[]>;
  /** Opens every segment's index. */
  topics(filter?: ReadFilter): Promise<RecordingTopic[]>;
  /** The wanted messages of all segments in log-time order, each latched message once; bounded memory. */
  messages(filter?: ReadFilter): AsyncGenerator<ReadMessage, void, void>;
}

const MAX_PROBLEMS = 1000;

/** Opens a recording with the ports of the process; `openRecording` of `holdfast/reader` is this. */
export async function openRecordingFrom(
  from: string,
  options: OpenOptions,
  ports: SystemPorts,
): Promise<Recording> {
  const { fs, clock, random, logger } = ports;
  const open = (uri: string): Promise<Store> =>
    openStore(uri, uri.startsWith('s3:') ? (options.s3 ?? {}) : {}, { fileSystem: fs, clock, random });
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
      ...(store === undefined ? {} : { store }),
      ...this.#signal(),
    });
    return this.#segments;
  }

  async topics(filter: ReadFilter = {}): Promise<RecordingTopic[]> {
    const topics = new Map<string, RecordingTopic>();
    for (const segment of await this.segments()) {
      try {
        const reader = await openOrSalvage(segment.readable(), segment.name, undefined, this.options.signal);
        let { robot } = segment;
        for (const { metadata } of await reader.metadata('holdfast')) robot ??= metadata['robot'];
        for (const channel of reader.channels) {
          if (!wantsChannel(filter, channel, robot)) continue;
          const { topic, encoding, schema, id } = channel;
          const key = JSON.stringify([robot, topic, schema.name, encoding]);
          const messages = (topics.get(key)?.messages ?? 0) + (reader.channelCounts?.get(id) ?? 0);
          topics.set(key, {
            topic,
            type: schema.name,
            encoding,
            ...(robot === undefined ? {} : { robot }),
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
    const wanted: MessageFilter = filter;
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
    return id === undefined ? undefined : openCatalogueCache(this.fs, silentLogger, cacheFolder!, id);
  };

  readonly #onProblem = (problem: RecordingProblem): void => {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
    this.options.onProblem?.(problem);
  };
}

/** Decodes when asked: who counts messages pays nothing for it. */
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

  #decode(): Decoded {
    return (this.#decoded ??= this.decoder.decode(this.one.message.channel, this.one.message.data));
  }
}
