import { defined } from '../defined.js';
import { HoldfastError, isHoldfastError } from '../errors.js';
import { readBlockRuns, readBlocks, type ReadOptions } from './block-reader.js';
import type { BlockRef } from './block-ref.js';
import { channelAt, logTimeAt, type McapMessage } from './block.js';
import { loadDecompressors, type Decompressors } from './decompress.js';
import type { McapChannel } from './definitions.js';
import { checkCoverage, type RecordPlace } from './index-coverage.js';
import { boundedReadable, defaultMcapLimits, type McapLimits, type Readable } from './readable.js';
import {
  parseAttachment,
  parseMetadata,
  RECORD_HEADER_BYTES,
  RecordError,
  type AttachmentRecord,
  type MetadataRecord,
} from './records.js';
import type { ScanReport } from './scan-report.js';
import { McapScan, type ScannedBlock } from './scan.js';
import { definitionsOf, readSummary, type Summary } from './summary.js';

/** An open MCAP. It holds no resources of its own: the caller closes the file. */
export interface McapReader {
  /** A path or key; appears in errors. */
  readonly name: string;
  readonly profile: string;
  readonly library: string;
  readonly channels: readonly McapChannel[];
  /**
   * Log times of the first and last message, nanoseconds since the Unix epoch; absent if there are no
   * messages.
   */
  readonly firstLogTime?: bigint;
  readonly lastLogTime?: bigint;
  /** From the file's own statistics, or counted by a salvage. */
  readonly messageCount?: number;
  /** Messages per channel id, from the same source. */
  readonly channelCounts?: ReadonlyMap<number, number>;
  /** Number of attachments in the file. */
  readonly attachments: number;
  /** The result of the salvage; absent if the file's own index was used. */
  readonly salvage?: ScanReport;
  /** The metadata records with the wanted names. */
  metadata(wanted?: string | ((name: string) => boolean)): Promise<MetadataRecord[]>;
  /**
   * The attachments in file order, one in memory at a time. For a damaged or too large one (see the limit for
   * one record) the reason is returned.
   */
  readAttachments(): AsyncGenerator<AttachmentRecord | string, void, void>;
  /** Messages in log-time order; equal times keep file order. Memory is bounded; see {@link ReadOptions}. */
  messages(options?: ReadOptions): AsyncGenerator<McapMessage, void, void>;
  /** The same messages in the same order, some hundred at once: much faster for many small messages. */
  runs(options?: ReadOptions): AsyncGenerator<readonly McapMessage[], void, void>;
}

/** Maximum number of metadata records, and of places of attachments, that a salvage keeps. */
const MAX_METADATA_RECORDS = 100_000;

/**
 * Opens an MCAP by its index. Throws `MCAP_UNREADABLE` if the index is missing, damaged, or does not account
 * for every message.
 */
export async function openMcap(
  readable: Readable,
  name: string,
  limits: McapLimits = defaultMcapLimits,
): Promise<McapReader> {
  const summary = await readSummary(readable, name, limits);
  const definitions = definitionsOf(summary);
  const bounded = boundedReadable(readable, name, Math.max(limits.maxChunkBytes, limits.maxRecordBytes));
  const unlisted = await checkCoverage(bounded, name, summary, definitions);
  const attachmentPlaces = inFileOrder([...summary.attachmentIndexes, ...unlisted.attachments]);
  const metadataPlaces = inFileOrder([...summary.metadataIndexes, ...unlisted.metadata]);
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
    attachments: attachmentPlaces.length,
    readAttachments: () => readAttachments(bounded, attachmentPlaces, limits),
    metadata: (wanted) => readMetadata(bounded, name, metadataPlaces, wanted),
  });
}

/**
 * Opens an MCAP without a usable index by reading it once from beginning to end. Throws `MCAP_UNREADABLE`
 * only if it is not an MCAP; `salvage` reports what could not be read.
 */
export async function salvageMcap(
  readable: Readable,
  name: string,
  limits: McapLimits = defaultMcapLimits,
  signal?: AbortSignal,
): Promise<McapReader> {
  const metadata: MetadataRecord[] = [];
  const attachmentPlaces: RecordPlace[] = [];
  const scan = new McapScan(readable, name, {
    limits,
    ...defined({ signal }),
    onMetadata: (record) => {
      if (metadata.length < MAX_METADATA_RECORDS) metadata.push(record);
    },
    onAttachment: (offset, length) => {
      if (attachmentPlaces.length < MAX_METADATA_RECORDS) {
        attachmentPlaces.push({ offset: BigInt(offset), length: BigInt(length) });
      }
    },
  });
  const refs: BlockRef[] = [];
  const channelCounts = new Map<number, number>();
  for await (const block of scan.blocks()) {
    if (block.offsets.length === 0) continue;
    refs.push(refOf(block));
    for (let i = 0; i < block.offsets.length; i++) {
      const { id } = channelAt(block, i);
      channelCounts.set(id, (channelCounts.get(id) ?? 0) + 1);
    }
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
    readAttachments: () => readAttachments(bounded, attachmentPlaces, limits),
    metadata: (wanted) => Promise.resolve(metadata.filter(({ name }) => isWanted(wanted, name))),
  });
}

/** Opens by the index if it is usable, otherwise by a salvage. */
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
  readonly readAttachments: McapReader['readAttachments'];

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
    this.readAttachments = facts.readAttachments;
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
  const used = new Map(block.channels.map((channel) => [channel.id, channel] as const));
  const isAmbiguous = used.size < block.channels.length;
  for (let i = 0; i < block.offsets.length; i++) {
    const time = logTimeAt(block, i);
    if (time < from) from = time;
    if (time > to) to = time;
  }
  return {
    kind: block.kind,
    at: block.at,
    length: block.length,
    from,
    to,
    channelIds: [...used.keys()],
    lookup: { channel: (id) => used.get(id) },
    ...(isAmbiguous && { exact: placesOf(block) }),
  };
}

function placesOf({ offsets, channels, channelIndexes }: ScannedBlock): NonNullable<BlockRef['exact']> {
  return { offsets, channels, channelIndexes };
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

function inFileOrder<T extends RecordPlace>(places: readonly T[]): T[] {
  return [...places].sort((a, b) => (a.offset < b.offset ? -1 : 1));
}

async function* readAttachments(
  readable: Readable,
  places: readonly RecordPlace[],
  { maxRecordBytes }: McapLimits,
): AsyncGenerator<AttachmentRecord | string, void, void> {
  for (const { offset, length } of places) {
    if (length > BigInt(maxRecordBytes)) {
      yield `an attachment of ${length} bytes at ${offset}, allowed: ${maxRecordBytes}`;
      continue;
    }
    try {
      const bytes = await readable.read(offset, length);
      yield parseAttachment(bytes.subarray(RECORD_HEADER_BYTES));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      yield `a damaged attachment at ${offset}: ${error.message}`;
    }
  }
}

type WantedNames = Parameters<McapReader['metadata']>[0];

function isWanted(wanted: WantedNames, name: string): boolean {
  return wanted === undefined || (typeof wanted === 'string' ? wanted === name : wanted(name));
}

/** @param places the places, with the name if the index has it */
async function readMetadata(
  readable: Readable,
  name: string,
  places: readonly (RecordPlace & { readonly name?: string })[],
  wanted: WantedNames,
): Promise<MetadataRecord[]> {
  const records: MetadataRecord[] = [];
  for (const place of places) {
    if (place.name !== undefined && !isWanted(wanted, place.name)) continue;
    const bytes = await readable.read(place.offset, place.length);
    try {
      const record = parseMetadata(bytes.subarray(RECORD_HEADER_BYTES));
      if (isWanted(wanted, record.name)) records.push(record);
    } catch (cause) {
      throw new HoldfastError('MCAP_UNREADABLE', `${name}: a damaged metadata record at ${place.offset}`, {
        cause,
        facts: { name, offset: String(place.offset) },
      });
    }
  }
  return records;
}
