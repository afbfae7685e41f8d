import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { defined } from '../../core/defined.js';
import { HoldfastError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import { lakeSegmentKey, type LakeFile } from '../../core/lake-manifest.js';
import type { Manifest } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import { BlockCache } from '../../core/mcap/block-cache.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import { describeOthers, otherMetadata } from '../../core/mcap/other-records.js';
import { matches } from '../../core/name-pattern.js';
import type {
  Derived,
  DerivedFile,
  DerivedMarker,
  ListedObject,
  MarkerVerdict,
  SegmentDeriver,
} from '../../core/segment-deriver.js';
import { parseGenericEvent } from '../../core/generic-event.js';
import { describeColumns } from '../../exporters/columns/describe-columns.js';
import { isEventKind, type EventPayloads } from '../../exporters/columns/event-columns.js';
import {
  payloadColumn,
  type Descriptor,
  type PayloadCatalogue,
} from '../../exporters/payloads/payload-catalogue.js';
import { EncodePool } from '../export/encode-pool.js';
import type { SinkContext } from '../export/group-sink.js';
import { FolderPlace } from '../export/folder-place.js';
import type { PathTemplate } from '../../settings/path-template.js';
import type { ExportedFile } from '../export/table-file.js';
import { TableSink } from '../export/table-sink.js';
import { FilePool } from '../../recordings/file-readable.js';
import { mergeRuns } from '../../recordings/merged-messages.js';
import type { Segment } from '../../recordings/segments.js';
import type { Store } from '../../core/store.js';
import { EventTables } from './event-tables.js';
import { LAKE_WRITER } from './lake-claims.js';
import {
  defaultLakeEncoding,
  lakeForm,
  type LakeEncoding,
  type LakeLayout,
} from '../../settings/lake-layout.js';
import { readChanges } from './lake-state.js';
import {
  completeMarker,
  filesOfMarker,
  judgeMarker,
  listedObject,
  tombstoneMarker,
  type MadeSchema,
} from './segment-marker.js';

/**
 * Written into every file. Without a version, because an update of the program must not change the bytes made
 * from the same segment.
 */
const CACHE_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

export interface ParquetDeriverOptions {
  readonly layout: LakeLayout;
  readonly topics?: readonly string[];
  /** Default: zstd, 122,880 rows per row group. */
  readonly encoding?: LakeEncoding;
  /** The present descriptors for payloads of events; default: payloads stay bytes. */
  readonly descriptors?: { current(): Promise<PayloadCatalogue> };
  /**
   * Encodes the files. Default: a separate thread, started with the first segment. Closed with the deriver.
   */
  readonly pool?: EncodePool;
}

interface Work {
  readonly segment: Segment;
  readonly manifest: Manifest;
  readonly channels: readonly McapChannel[];
  readonly signal: AbortSignal;
}

/**
 * Makes Parquet files from one sealed segment: one table per topic and time window, and one file of events
 * per path of their layout. Every message recorded in the segment becomes one row; messages carried from
 * earlier segments are rows of those segments. A message that cannot be decoded keeps its payload.
 */
export class ParquetDeriver implements SegmentDeriver {
  readonly form: string;
  #pool: EncodePool | undefined;

  readonly #fs: FileSystem;
  readonly #options: ParquetDeriverOptions;

  constructor(fs: FileSystem, options: ParquetDeriverOptions) {
    this.#fs = fs;
    this.#options = options;
    this.form = lakeForm(options.layout, options.topics, options.encoding);
    this.#pool = options.pool;
  }

  markerKey(manifest: Manifest): string {
    return lakeSegmentKey(this.form, manifest.key);
  }

  judge(marker: Buffer, manifest: Manifest): MarkerVerdict {
    return judgeMarker(marker, this.markerKey(manifest), manifest);
  }

  files(marker: Buffer): readonly ListedObject[] {
    return filesOfMarker(marker);
  }

  /** A compaction may have merged a file with others, and the result again. */
  async replacements(
    store: Store,
    keys: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ListedObject[] | undefined> {
    const present = new Map<string, ListedObject | undefined>(keys.map((key) => [key, undefined]));
    for (const { replaces, adds } of await readChanges(store, this.form, signal)) {
      const own = replaces.filter((key) => present.delete(key));
      if (own.length > 0) for (const file of adds) present.set(file.key, listedObject(file));
    }
    const found = [...present.values()];
    return found.every((file) => file !== undefined) ? found : undefined;
  }

  tombstone(manifest: Manifest): DerivedMarker {
    return { key: this.markerKey(manifest), text: tombstoneMarker(this.form, manifest) };
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    await using files = new FilePool(this.#fs);
    const readable = files.readable(path);
    const reader = await openMcap(readable, path);
    const { channels } = reader;
    const others = (await otherMetadata(reader)).map(({ name }) => name);
    const leftOut = describeOthers(others, reader.attachments);
    const segment: Segment = {
      name: path,
      bytes: manifest.file.bytes,
      robot: manifest.robot,
      readable: () => readable,
    };
    const wanted = channels.filter(({ topic, carried }) => !carried && matches(this.#options.topics, topic));
    const work: Work = { segment, manifest, channels: wanted, signal };
    await using place = new FolderPlace(scratch, this.#fs, false);
    const topics = await this.#topics(work, place);
    const events = await this.#events(work, place);
    const made = [...topics.files, ...events.files];
    const undecoded = topics.undecoded + events.undecoded;
    const derived: DerivedFile[] = [];
    const listed: LakeFile[] = [];
    for (const { file, table } of made.sort((a, b) => (a.file.path < b.file.path ? -1 : 1))) {
      const at = join(scratch, file.path);
      const { bytes, sha256, rows, path: key } = file;
      const digest = { bytes, sha256, crc32: await this.#crcOf(at) };
      derived.push({ key, path: at, ...digest });
      listed.push({ key, ...digest, rows, table });
    }
    const tables = [...topics.schemas, ...events.schemas];
    return {
      files: derived,
      marker: {
        key: this.markerKey(manifest),
        text: completeMarker(this.form, manifest, listed, undecoded, tables),
      },
      schemas: tables.map(({ schema }) => schema),
      undecoded,
      ...(leftOut === '' ? {} : { leftOut }),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.[Symbol.asyncDispose]();
    this.#pool = undefined;
  }

  #context(place: FolderPlace, layout: PathTemplate, { manifest }: Work): SinkContext {
    this.#pool ??= new EncodePool(1);
    const encoding = this.#options.encoding ?? defaultLakeEncoding;
    return {
      options: {
        format: 'parquet',
        filter: {},
        layout,
        flatten: false,
        raw: true,
        compression: encoding.codec,
        rowGroupRows: encoding.rowGroupRows,
        workers: 1,
      },
      place,
      pool: this.#pool,
      createdBy: LAKE_WRITER,
      version: '',
      segment: sealedName(manifest),
      session: '',
    };
  }

  async #topics(work: Work, place: FolderPlace): Promise<Made> {
    const channels = work.channels.filter((channel) => !isEventKind(channel));
    if (channels.length === 0) return NOTHING;
    const layout = this.#options.layout.topics;
    const { robot } = work.manifest;
    const tables = channels.map((channel) => ({ channel, robot }));
    const sink = new TableSink(this.#context(place, layout, work), tables);
    const files: ExportedFile[] = [];
    let undecoded = 0;
    const end = async (): Promise<void> => {
      const ended = await sink.endWindow();
      files.push(...ended.files);
      for (const { kept_raw: kept, undecoded: lost } of ended.tallies) undecoded += kept + lost;
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
    const schemas = sink.tables().flatMap(({ sample, table }) => {
      const { topic, schema } = sample.channel;
      const columns = describeColumns(table.columns);
      const name = layout.has('topic') ? topic : schema.name;
      return columns.length === 0 ? [] : [{ schema: { table: 'topics' as const, name, columns } }];
    });
    return { files: files.map((file) => ({ file, table: 'topics' })), undecoded, schemas };
  }

  async #events(work: Work, place: FolderPlace): Promise<Made> {
    const channels = work.channels.filter(isEventKind);
    if (channels.length === 0) return NOTHING;
    const { robot } = work.manifest;
    const { payloads, schemas } = await this.#payloads(work);
    const context = this.#context(place, this.#options.layout.events, work);
    const tables = new EventTables(
      { ...context, options: { ...context.options, ...defined({ payloads }) } },
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
    const files = tables.files.map((file) => ({ file, table: 'events' as const }));
    return { files, undecoded: tables.undecoded, schemas };
  }

  /** Columns for the payloads in this segment, from the descriptors that its events name. */
  async #payloads(work: Work): Promise<{ payloads?: EventPayloads; schemas: readonly MadeSchema[] }> {
    const catalogue = await this.#options.descriptors?.current();
    if (catalogue === undefined) return { schemas: [] };
    const used = new Set<Descriptor>();
    for await (const { data } of this.#messages(work, true)) {
      const event = parseGenericEvent(data);
      const chosen = typeof event === 'string' ? undefined : catalogue.choose(event);
      if (typeof chosen === 'object') used.add(chosen);
    }
    const payloads = catalogue.columnsOf(used);
    const schemas = payloads.columns.map(({ name: column, column: of }) => {
      const descriptors = [...used].filter(({ name }) => payloadColumn(name.type) === column);
      const columns = of.kind === 'struct' ? describeColumns(of) : [];
      const [{ name }] = descriptors as [Descriptor];
      return { schema: { table: 'events' as const, name: name.type, columns }, descriptors };
    });
    return { payloads, schemas };
  }

  /**
   * Events, or all other messages, in the order of their log times; messages with the same time in the order
   * of the file.
   */
  async *#messages({ segment, signal }: Work, events: boolean): AsyncGenerator<McapMessage, void, void> {
    const runs = mergeRuns([segment], {
      filter: this.#options.topics ? { topics: this.#options.topics } : {},
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

  async #crcOf(path: string): Promise<number> {
    await using handle = await this.#fs.open(path, 'r');
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
  readonly schemas: readonly MadeSchema[];
}

const NOTHING: Made = { files: [], undecoded: 0, schemas: [] };

/** Unique among all sealed files of all robots and classes: `<id>.<robot>[~class]`. */
function sealedName(manifest: Manifest): string {
  return manifest.file.name.replace(/\.mcap$/, '');
}
