import type { FileHandle } from '../../core/file-system.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { chunkCompressor } from '../../seal/compression.js';
import { ReplayWriter } from '../reading/replay-writer.js';
import type { ExportMessage, GroupSink, SinkContext, WindowResult } from './group-sink.js';
import type { PlaceFile } from './output-place.js';
import { Thinning } from './thinning.js';
import { newTally, tallyKey, type TopicTally } from './topic-tally.js';

interface OpenMcap {
  readonly path: string;
  readonly file: PlaceFile;
  readonly writer: ReplayWriter;
  rows: number;
}

const ZSTD_LEVEL = 1;

/** Messages as they are, in MCAP files: merged, cut, filtered, compressed anew. */
export class McapSink implements GroupSink {
  readonly #open = new Map<string, OpenMcap>();
  readonly #tallies = new Map<string, TopicTally>();
  readonly #thinnings = new Map<string, Thinning>();

  /** @param gaps to be noted in every file, as JSON */
  constructor(
    readonly context: SinkContext,
    readonly gaps: readonly string[],
  ) {}

  add(one: ExportMessage): Promise<void> | undefined {
    return this.#add(one);
  }

  async #add({ message, robot }: ExportMessage): Promise<void> {
    const { channel, logTime } = message;
    const tally = this.#tallyOf(channel, robot);
    if (!this.#thinningOf(robot, channel.topic).keeps(logTime)) {
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
    const files = [];
    for (const { path, file, writer, rows } of this.#open.values()) {
      await writer.finish();
      files.push({ path, rows, ...(await file.finish()) });
    }
    this.#open.clear();
    const tallies = [...this.#tallies.values()];
    this.#tallies.clear();
    return { files, tallies };
  }

  async abort(): Promise<void> {
    for (const { file } of this.#open.values()) await file.abort();
    this.#open.clear();
  }

  async #create(path: string): Promise<OpenMcap> {
    const { place, options, version } = this.context;
    const file = await place.create(path);
    const writer = new ReplayWriter(asHandle(file), await chunkCompressor(options.compression, ZSTD_LEVEL));
    await writer.start(version);
    for (const gap of this.gaps) await writer.addGap(gap);
    return { path, file, writer, rows: 0 };
  }

  #tallyOf({ topic, schema, encoding }: McapChannel, robot: string): TopicTally {
    const fresh = newTally(robot, topic, schema.name, encoding);
    const key = tallyKey(fresh);
    let tally = this.#tallies.get(key);
    if (tally === undefined) this.#tallies.set(key, (tally = fresh));
    return tally;
  }

  #thinningOf(robot: string, topic: string): Thinning {
    const key = JSON.stringify([robot, topic]);
    let thinning = this.#thinnings.get(key);
    if (thinning === undefined)
      this.#thinnings.set(key, (thinning = new Thinning(this.context.options.every)));
    return thinning;
  }
}

/** The little of a file handle that the writer of recordings uses. */
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
