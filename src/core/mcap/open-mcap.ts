import { HoldfastError, isHoldfastError } from '../errors.js';
import { readBlockRuns, readBlocks, type BlockRef, type ReadOptions } from './block-reader.js';
import { logTimeAt, type McapMessage } from './block.js';
import { loadDecompressors, type Decompressors } from './decompress.js';
import type { McapChannel } from './definitions.js';
import { checkCoverage } from './index-coverage.js';
import { boundedReadable, defaultMcapLimits, type McapLimits, type Readable } from './readable.js';
import { parseMetadata, RECORD_HEADER_BYTES, RecordError, type MetadataRecord } from './records.js';
import type { ScanReport } from './scan-report.js';
import { McapScan, type ScannedBlock } from './scan.js';
import { definitionsOf, readSummary, type Summary } from './summary.js';

/** One MCAP, opened. It holds no resources of its own: whoever opened the file closes it. */
export interface McapReader {
  /** A path or key; appears in errors. */
  readonly name: string;
  readonly profile: string;
  readonly library: string;
  readonly channels: readonly McapChannel[];
  /** Log times of the first and last message, nanoseconds since the Unix epoch; absent where there are none. */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  /** As the file's own statistics say, or as counted by a salvage. */
  readonly messageCount?: number;
  /** Messages per channel id, from the same source. */
  readonly channelCounts?: ReadonlyMap<number, number>;
  /** Attachments in the file; they are not read. */
  readonly attachments: number;
  /** How the salvage went; absent where the file has its index and was believed. */
  readonly salvage?: ScanReport;
  /** The metadata records, of one name where one is given. */
  metadata(name?: string): Promise<MetadataRecord[]>;
  /** Messages in log-time order; those of one time in file order. Bounded memory; see {@link ReadOptions}. */
  messages(options?: ReadOptions): AsyncGenerator<McapMessage, void, void>;
  /** The same messages in the same order, some hundred at once: much faster for many small ones. */
  runs(options?: ReadOptions): AsyncGenerator<readonly McapMessage[], void, void>;
}

/** Metadata records a salvage keeps. */
const MAX_METADATA_RECORDS = 100_000;

/**
 * Opens an MCAP by its index. Throws `MCAP_UNREADABLE` when there is none, or one that is damaged or does not
 * account for every message.
 */
export async function openMcap(
  readable: Readable,
  name: string,
  limits: McapLimits = defaultMcapLimits,
): Promise<McapReader> {
  const summary = await readSummary(readable, name, limits);
  const definitions = definitionsOf(summary);
  const bounded = boundedReadable(readable, name, Math.max(limits.maxChunkBytes, limits.maxRecordBytes));
  await checkCoverage(bounded, name, summary, definitions);
  const refs = summary.chunkIndexes.map((index): BlockRef => {
    const channelIds = [...index.messageIndexOffsets.keys()];
    return {
      kind: 'chunk',
      at: Number(index.chunkStartOffset),
      length: Number(index.chunkLength),
      from: index.messageStartTime,
      to: index.messageEndTime,
      ...(channelIds.length === 0 ? {} : { channelIds }),
      lookup: definitions,
    };
  });
  return new BlockMcapReader(bounded, refs, await loadDecompressors(), limits, {
    name,
    ...summary.header,
    channels: definitions.channels(),
    ...statisticsOf(summary),
    attachments: summary.attachmentIndexes.length,
    metadata: (wanted) => readMetadata(bounded, name, summary, wanted),
  });
}

/**
 * Opens an MCAP that has no usable index by reading it once from beginning to end. Throws `MCAP_UNREADABLE`
 * only when it is no MCAP at all; `salvage` says what could not be read.
 */
export async function salvageMcap(
  readable: Readable,
  name: string,
  limits: McapLimits = defaultMcapLimits,
  signal?: AbortSignal,
): Promise<McapReader> {
  const metadata: MetadataRecord[] = [];
  const scan = new McapScan(readable, name, {
    limits,
    ...(signal === undefined ? {} : { signal }),
    onMetadata: (record) => void (metadata.length < MAX_METADATA_RECORDS && metadata.push(record)),
  });
  const refs: BlockRef[] = [];
  const channelCounts = new Map<number, number>();
  for await (const block of scan.blocks()) {
    if (block.offsets.length === 0) continue;
    refs.push(refOf(block));
    for (const { id } of block.channels) channelCounts.set(id, (channelCounts.get(id) ?? 0) + 1);
  }
  const salvage = scan.report();
  const bounded = boundedReadable(readable, name, Math.max(limits.maxChunkBytes, limits.maxRecordBytes));
  return new BlockMcapReader(bounded, refs, await loadDecompressors(), limits, {
    name,
    profile: salvage.profile,
    library: salvage.library,
    channels: scan.definitions.channels(),
    messageCount: salvage.messages,
    channelCounts,
    salvage,
    attachments: salvage.attachments,
    metadata: (wanted) =>
      Promise.resolve(metadata.filter((record) => wanted === undefined || record.name === wanted)),
  });
}

/** Opens by the index where there is a usable one, else by a salvage. */
export async function openOrSalvage(
  readable: Readable,
  name: string,
  limits: McapLimits = defaultMcapLimits,
  signal?: AbortSignal,
): Promise<McapReader> {
  try {
    return await openMcap(readable, name, limits);
  } catch (error) {
    if (!isHoldfastError(error, 'MCAP_UNREADABLE')) throw error;
    return salvageMcap(readable, name, limits, signal);
  }
}

type Facts = Omit<McapReader, 'messages' | 'runs' | 'firstLogTime' | 'lastLogTime'>;

class BlockMcapReader implements McapReader {
  readonly name: string;
  readonly profile: string;
  readonly library: string;
  readonly channels: readonly McapChannel[];
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  readonly messageCount?: number;
  readonly channelCounts?: ReadonlyMap<number, number>;
  readonly attachments: number;
  readonly salvage?: ScanReport;
  readonly metadata: McapReader['metadata'];

  constructor(
    readonly readable: Readable,
    readonly refs: readonly BlockRef[],
    readonly decompressors: Decompressors,
    readonly limits: McapLimits,
    facts: Facts,
  ) {
    this.name = facts.name;
    this.profile = facts.profile;
    this.library = facts.library;
    this.channels = facts.channels;
    this.metadata = facts.metadata;
    this.attachments = facts.attachments;
    if (facts.messageCount !== undefined) this.messageCount = facts.messageCount;
    if (facts.channelCounts !== undefined) this.channelCounts = facts.channelCounts;
    if (facts.salvage !== undefined) this.salvage = facts.salvage;
    for (const { from, to } of refs) {
      if (this.firstLogTime === undefined || from < this.firstLogTime) this.firstLogTime = from;
      if (this.lastLogTime === undefined || to > this.lastLogTime) this.lastLogTime = to;
    }
  }

  async *messages(options: ReadOptions = {}): AsyncGenerator<McapMessage, void, void> {
    yield* this.#translated(readBlocks(this.readable, this.refs, this.decompressors, this.limits, options));
  }

  async *runs(options: ReadOptions = {}): AsyncGenerator<readonly McapMessage[], void, void> {
    yield* this.#translated(
      readBlockRuns(this.readable, this.refs, this.decompressors, this.limits, options),
    );
  }

  async *#translated<T>(blocks: AsyncGenerator<T, void, void>): AsyncGenerator<T, void, void> {
    try {
      yield* blocks;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      throw new HoldfastError('MCAP_UNREADABLE', `${this.name}: ${error.message}`, {
        cause: error,
        facts: { name: this.name },
      });
    }
  }
}

function refOf(block: ScannedBlock): BlockRef {
  let from = logTimeAt(block, 0);
  let to = from;
  const used = new Map<number, McapChannel>();
  for (let i = 0; i < block.offsets.length; i++) {
    const time = logTimeAt(block, i);
    if (time < from) from = time;
    if (time > to) to = time;
    used.set(block.channels[i]!.id, block.channels[i]!);
  }
  return {
    kind: block.kind,
    at: block.at,
    length: block.length,
    from,
    to,
    channelIds: [...used.keys()],
    lookup: { channel: (id) => used.get(id) },
  };
}

function statisticsOf(summary: Summary): Partial<Facts> {
  const { statistics } = summary;
  if (statistics === undefined) return {};
  return {
    messageCount: Number(statistics.messageCount),
    channelCounts: new Map(
      [...statistics.channelMessageCounts].map(([id, count]) => [id, Number(count)] as const),
    ),
  };
}

async function readMetadata(
  readable: Readable,
  name: string,
  summary: Summary,
  wanted: string | undefined,
): Promise<MetadataRecord[]> {
  const records: MetadataRecord[] = [];
  for (const index of summary.metadataIndexes) {
    if (wanted !== undefined && index.name !== wanted) continue;
    const bytes = await readable.read(index.offset, index.length);
    try {
      records.push(parseMetadata(bytes.subarray(RECORD_HEADER_BYTES)));
    } catch (cause) {
      throw new HoldfastError('MCAP_UNREADABLE', `${name}: a damaged metadata record at ${index.offset}`, {
        cause,
        facts: { name, offset: String(index.offset) },
      });
    }
  }
  return records;
}
