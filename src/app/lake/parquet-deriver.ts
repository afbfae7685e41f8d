import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { HoldfastError, isHoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import {
  decodeLakeSegment,
  encodeLake,
  lakeSegmentKey,
  type LakeFile,
  type LakeSegment,
} from '../../core/lake-manifest.js';
import type { Manifest } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { BlockCache } from '../../core/mcap/block-cache.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import { matches } from '../../core/name-pattern.js';
import type {
  Derived,
  DerivedFile,
  DerivedMarker,
  MarkerVerdict,
  SegmentDeriver,
} from '../../core/segment-deriver.js';
import { isEventKind } from '../../exporters/columns/message-table.js';
import { EncodePool } from '../export/encode-pool.js';
import type { SinkContext } from '../export/group-sink.js';
import { FolderPlace } from '../export/output-place.js';
import type { PathTemplate } from '../export/path-template.js';
import type { ExportedFile } from '../export/table-file.js';
import { TableSink } from '../export/table-sink.js';
import { FilePool } from '../reading/file-readable.js';
import { mergeRuns } from '../reading/merged-messages.js';
import type { Segment } from '../reading/segments.js';
import { EventTables } from './event-tables.js';
import { lakeForm, type LakeLayout } from './lake-layout.js';

/** In every file: no version, or an update of the program would make other bytes of the same segment. */
const CREATED_BY = 'holdfast lake 1';
const CACHE_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

export interface ParquetDeriverOptions {
  readonly layout: LakeLayout;
  readonly topics?: readonly string[];
  /** Encodes; default: one thread of its own, started with the first segment. Closed with the deriver. */
  readonly pool?: EncodePool;
}

interface Work {
  readonly segment: Segment;
  readonly manifest: Manifest;
  readonly channels: readonly McapChannel[];
  readonly signal: AbortSignal;
}

/**
 * Parquet files out of one sealed segment: a table per topic and window, a file of events per path of their
 * layout. Every message recorded in the segment is a row, once; those carried from earlier segments are in
 * theirs. What cannot be decoded keeps its payload.
 */
export class ParquetDeriver implements SegmentDeriver {
  readonly form: string;
  #pool: EncodePool | undefined;

  constructor(
    private readonly fs: FileSystem,
    private readonly options: ParquetDeriverOptions,
  ) {
    this.form = lakeForm(options.layout, options.topics);
    this.#pool = options.pool;
  }

  markerKey(manifest: Manifest): string {
    return lakeSegmentKey(this.form, manifest.key);
  }

  judge(marker: Buffer, manifest: Manifest): MarkerVerdict {
    let found: LakeSegment;
    try {
      found = decodeLakeSegment(marker.toString('utf8'), this.markerKey(manifest));
    } catch (error) {
      if (!isHoldfastError(error, 'MANIFEST_INVALID')) throw error;
      return 'torn';
    }
    const isSame =
      found.segment.id === manifest.segment.id &&
      found.robot === manifest.robot &&
      found.source.sha256 === manifest.file.sha256;
    if (!isSame) return 'other';
    return found.evicted ? 'evicted' : 'complete';
  }

  tombstone(manifest: Manifest): DerivedMarker {
    const { evicted } = manifest;
    const segment = this.#describe(manifest, [], 0);
    return { key: this.markerKey(manifest), text: encodeLake({ ...segment, ...(evicted && { evicted }) }) };
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    await using files = new FilePool(this.fs);
    const readable = files.readable(path);
    const { channels } = await openMcap(readable, path);
    const segment: Segment = {
      name: path,
      bytes: manifest.file.bytes,
      robot: manifest.robot,
      readable: () => readable,
    };
    const wanted = channels.filter(({ topic, carried }) => !carried && matches(this.options.topics, topic));
    const work: Work = { segment, manifest, channels: wanted, signal };
    await using place = new FolderPlace(scratch, this.fs, false);
    const topics = await this.#topics(work, place);
    const events = await this.#events(work, place);
    const made = [...topics.files, ...events.files];
    const derived: DerivedFile[] = [];
    const listed: LakeFile[] = [];
    for (const { file, table } of made.sort((a, b) => (a.file.path < b.file.path ? -1 : 1))) {
      const at = join(scratch, file.path);
      const { bytes, sha256, rows, path: key } = file;
      const digest = { bytes, sha256, crc32: await this.#crcOf(at) };
      derived.push({ key, path: at, ...digest });
      listed.push({ key, ...digest, rows, table });
    }
    const marker = this.#describe(manifest, listed, topics.undecoded + events.undecoded);
    return { files: derived, marker: { key: this.markerKey(manifest), text: encodeLake(marker) } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
    this.#pool = undefined;
  }

  #context(place: FolderPlace, layout: PathTemplate, { manifest }: Work): SinkContext {
    this.#pool ??= new EncodePool(1);
    return {
      options: {
        format: 'parquet',
        filter: {},
        layout,
        flatten: false,
        raw: true,
        compression: 'zstd',
        workers: 1,
      },
      place,
      pool: this.#pool,
      createdBy: CREATED_BY,
      version: '',
      segment: sealedName(manifest),
      session: '',
    };
  }

  async #topics(work: Work, place: FolderPlace): Promise<Made> {
    const channels = work.channels.filter((channel) => !isEventKind(channel));
    if (channels.length === 0) return NOTHING;
    const layout = this.options.layout.topics;
    const { robot } = work.manifest;
    const tables = channels.map((channel) => ({ channel, robot }));
    const sink = new TableSink(this.#context(place, layout, work), tables);
    const files: ExportedFile[] = [];
    let undecoded = 0;
    const end = async (): Promise<void> => {
      const ended = await sink.endWindow();
      files.push(...ended.files);
      for (const { kept_raw: kept } of ended.tallies) undecoded += kept;
    };
    try {
      let window: bigint | undefined;
      for await (const message of this.#messages(work, false)) {
        const own = layout.windowOf(message.logTime);
        if (window !== undefined && own !== window) await end();
        window = own;
        await sink.add({ message, robot });
      }
      await end();
    } catch (error) {
      await sink.abort();
      throw error;
    }
    return { files: files.map((file) => ({ file, table: 'topics' })), undecoded };
  }

  async #events(work: Work, place: FolderPlace): Promise<Made> {
    const channels = work.channels.filter(isEventKind);
    if (channels.length === 0) return NOTHING;
    const { robot } = work.manifest;
    const context = this.#context(place, this.options.layout.events, work);
    const tables = new EventTables(
      context,
      channels.map((channel) => ({ channel, robot })),
    );
    try {
      do {
        for await (const message of this.#messages(work, true)) await tables.add(message, robot);
      } while (await tables.endPass());
    } catch (error) {
      await tables.abort();
      throw error;
    }
    return { files: tables.files.map((file) => ({ file, table: 'events' })), undecoded: tables.undecoded };
  }

  /** Of the events, or of everything else, in the order of their log times; of equal ones in that of the file. */
  async *#messages({ segment, signal }: Work, events: boolean): AsyncGenerator<McapMessage, void, void> {
    const runs = mergeRuns([segment], {
      filter: this.options.topics ? { topics: this.options.topics } : {},
      cache: new BlockCache(CACHE_BYTES),
      onProblem: ({ reason }) => {
        throw new HoldfastError('SEGMENT_CORRUPT', `${segment.name}: ${reason}`, {
          facts: { name: segment.name },
        });
      },
      signal,
    });
    for await (const { messages } of runs) {
      for (const message of messages) {
        if (!message.channel.carried && isEventKind(message.channel) === events) yield message;
      }
    }
  }

  #describe(manifest: Manifest, files: readonly LakeFile[], undecoded: number): LakeSegment {
    const { segment, robot, file, key, gaps } = manifest;
    return {
      format: 'holdfast-lake-segment',
      version: 1,
      form: this.form,
      segment: { id: segment.id, number: segment.number },
      robot,
      source: { name: file.name, key, bytes: file.bytes, sha256: file.sha256 },
      rows: files.reduce((sum, { rows }) => sum + rows, 0),
      undecoded,
      files,
      gaps,
    };
  }

  async #crcOf(path: string): Promise<number> {
    await using handle = await this.fs.open(path, 'r');
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let crc = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return crc;
      crc = crc32(buffer.subarray(0, bytesRead), crc);
    }
  }
}

interface Made {
  readonly files: readonly { readonly file: ExportedFile; readonly table: LakeFile['table'] }[];
  readonly undecoded: number;
}

const NOTHING: Made = { files: [], undecoded: 0 };

/** Unique among all sealed files, whatever their robot and class: `<id>.<robot>[~class]`. */
function sealedName(manifest: Manifest): string {
  return manifest.file.name.replace(/\.mcap$/, '');
}
