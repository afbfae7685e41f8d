import type { FileHandle } from '../../core/file-system.js';
import type { MetadataRecord } from '../../core/mcap/records.js';
import { chunkCompressor } from '../../seal/compression.js';
import { ReplayWriter } from '../../recordings/replay-writer.js';
import type { ExportOptions } from './export-options.js';
import type { ExportMessage, GroupSink, SinkContext, WindowResult } from './group-sink.js';
import type { PlaceFile } from './output-place.js';
import { severalAtOnce } from './several-at-once.js';
import { Thinnings } from './thinning.js';
import { TopicTallies } from './topic-tally.js';

interface OpenMcap {
  readonly path: string;
  readonly file: PlaceFile;
  readonly writer: ReplayWriter;
  rows: number;
}

const ZSTD_LEVEL = 1;
/** Number of files fsynced at the same time. */
const FINISHED_AT_ONCE = 16;
/**
 * Number of files with chunks of 1 MiB; later ones of a window get smaller chunks, because each open file
 * holds one.
 */
const LARGE_CHUNK_FILES = 32;
const LARGE_CHUNK_BYTES = 1024 * 1024;
const SMALL_CHUNK_BYTES = 64 * 1024;

/** Messages unchanged, in MCAP files: merged, cut, filtered, compressed again. */
export class McapSink implements GroupSink {
  readonly #open = new Map<string, OpenMcap>();
  readonly #tallies = new TopicTallies();
  readonly #thinnings: Thinnings;

  /**
   * @param gaps recorded in every file, as JSON
   * @param metadata copied into every file
   */
  constructor(
    readonly context: SinkContext,
    readonly gaps: readonly string[],
    readonly metadata: readonly MetadataRecord[],
  ) {
    this.#thinnings = new Thinnings(context.options.every);
  }

  add(one: ExportMessage): Promise<void> | undefined {
    return this.#add(one);
  }

  async #add({ message, robot }: ExportMessage): Promise<void> {
    const { channel, logTime } = message;
    const tally = this.#tallies.of(robot, channel);
    if (!this.#thinnings.of(robot, channel.topic).keeps(logTime)) {
      tally.thinned_out++;
      return;
    }
    const { segment, session, options } = this.context;
    const path = options.layout.render({
      robot,
      topic: channel.topic,
      type: channel.schema.name,
      segment,
      session,
      time: logTime,
    });
    let open = this.#open.get(path);
    if (open === undefined) this.#open.set(path, (open = await this.#create(path)));
    await open.writer.add(message, robot === '' ? undefined : robot, logTime);
    open.rows++;
    tally.messages++;
    tally.first ??= String(logTime);
    tally.last = String(logTime);
  }

  async endWindow(): Promise<WindowResult> {
    const files = await severalAtOnce(
      this.#open.values(),
      FINISHED_AT_ONCE,
      async ({ path, file, writer, rows }) => {
        await writer.finish();
        return { path, rows, ...(await file.finish()) };
      },
    );
    this.#open.clear();
    return { files, tallies: this.#tallies.take() };
  }

  async abort(): Promise<void> {
    for (const { file } of this.#open.values()) await file.abort();
    this.#open.clear();
  }

  async #create(path: string): Promise<OpenMcap> {
    const { place, options, version } = this.context;
    const file = await place.create(path);
    const chunkBytes = this.#open.size < LARGE_CHUNK_FILES ? LARGE_CHUNK_BYTES : SMALL_CHUNK_BYTES;
    const compress = await chunkCompressor(chunkCodec(options), ZSTD_LEVEL);
    const writer = new ReplayWriter(asHandle(file), compress, chunkBytes);
    await writer.start(version);
    for (const gap of this.gaps) await writer.addGap(gap);
    for (const record of this.metadata) await writer.addMetadata(record);
    return { path, file, writer, rows: 0 };
  }
}

/** The members of a file handle that the writer of recordings uses. */
function asHandle(file: PlaceFile): FileHandle {
  const handle = {
    write: async (bytes: Uint8Array, at: number, length: number) => {
      await file.write(bytes.subarray(at, at + length));
      return { bytesWritten: length, buffer: bytes };
    },
    sync: () => Promise.resolve(),
  };
  return handle as unknown as FileHandle;
}

/** MCAP has no Snappy, and an export as MCAP refuses that option. */
function chunkCodec({ compression }: ExportOptions): 'zstd' | 'lz4' | 'none' {
  return compression === 'snappy' ? 'zstd' : compression;
}
