import { formatTime } from '../../core/clock.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { imageFile, type ImageFile } from '../../exporters/images/image-file.js';
import { quoted } from '../../exporters/text/csv.js';
import { MessageDecoder } from '../../recordings/message-decoder.js';
import type { ExportMessage, GroupSink, SinkContext, WindowResult } from './group-sink.js';
import type { PlaceFile } from './output-place.js';
import { PathTemplate } from '../../settings/path-template.js';
import type { ExportedFile } from './table-file.js';
import { Thinning } from './thinning.js';
import { countLeftOver, newTally, tallyKey, type TopicTally } from './topic-tally.js';

/** One folder per hour, so that no folder gets too many files for other programs. */
const layout = new PathTemplate('images/{robot}/{topic}/{YYYY-MM-DD}/{HH}/index', '.csv');
const HEADS = 'log_time,publish_time,robot,topic,sequence,file,width,height,encoding,bytes,sha256';

/** Images encoded and written at the same time: each waits mostly for the disk. */
const AT_ONCE = 8;
/** Their maximum payload bytes. */
const AT_ONCE_BYTES = 64 * 1024 * 1024;

interface ImageTopic {
  readonly tally: TopicTally;
  readonly key: string;
  readonly thinning: Thinning;
  /** The folder of the hour, with its open list. */
  folder: string;
  index: PlaceFile | undefined;
  rows: number;
  /** The lines appended to the list, in order. */
  tail: Promise<void>;
  lastName: string;
  repeats: number;
}

/**
 * Images as files, one per message, named by log time, in folders by robot, topic and hour. Each folder has
 * an `index.csv` with the times, sizes and SHA-256 of its files; the manifest lists that file.
 */
export class ImageSink implements GroupSink {
  readonly #decoder = new MessageDecoder();
  readonly #topics = new Map<string, ImageTopic>();
  readonly #finished: ExportedFile[] = [];
  #running = 0;
  #runningBytes = 0;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(readonly context: SinkContext) {}

  add({ message, robot }: ExportMessage): Promise<void> | undefined {
    const topic = this.#topicOf(message.channel, robot);
    if (!topic.thinning.keeps(message.logTime)) {
      topic.tally.thinned_out++;
      return undefined;
    }
    const { channel, logTime, data } = message;
    const decoded = this.#decoder.decode(channel, data);
    if (!decoded.ok) {
      topic.tally.undecoded++;
      topic.tally.reason ??= decoded.reason;
      return undefined;
    }
    countLeftOver(topic.tally, decoded.leftOver ?? 0);
    const path = layout.render({
      ...{ robot, topic: channel.topic, type: '', segment: '', session: '' },
      time: logTime,
    });
    return this.#take(topic, path, { message, robot }, decoded.value);
  }

  async #take(topic: ImageTopic, path: string, one: ExportMessage, value: unknown): Promise<void> {
    const folder = path.slice(0, path.lastIndexOf('/'));
    if (topic.folder !== folder) {
      await this.#finishFolder(topic);
      topic.folder = folder;
    }
    const bytes = one.message.data.byteLength;
    while (this.#running >= AT_ONCE || (this.#running > 0 && this.#runningBytes + bytes > AT_ONCE_BYTES)) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    if (this.#failure !== undefined) throw this.#failure as Error;
    this.#running++;
    this.#runningBytes += bytes;
    const made = this.#write(topic, folder, one, value).finally(() => {
      this.#running--;
      this.#runningBytes -= bytes;
      this.#wake?.();
    });
    const before = topic.tail;
    topic.tail = (async () => {
      await before;
      const line = await made;
      if (line !== undefined) await this.#list(topic, folder, line);
    })();
    topic.tail.catch((error: unknown) => (this.#failure ??= error));
  }

  /** The line of the list; undefined if the image could not be written. */
  async #write(
    topic: ImageTopic,
    folder: string,
    { message, robot }: ExportMessage,
    value: unknown,
  ): Promise<string | undefined> {
    const { channel, logTime, publishTime, sequence } = message;
    const { tally } = topic;
    const name = nameOf(topic, logTime);
    const image = await imageFile(channel.schema.name, value);
    if (typeof image === 'string') {
      tally.undecoded++;
      tally.reason ??= image;
      return undefined;
    }
    const file = `${name}.${image.extension}`;
    const target = await this.context.place.create(`${folder}/${file}`);
    try {
      await target.write(image.bytes);
      const { bytes, sha256 } = await target.finish();
      tally.messages++;
      tally.first = earlier(tally.first, logTime);
      tally.last = later(tally.last, logTime);
      const times = [formatTime(logTime), formatTime(publishTime)];
      return [...times, robot, channel.topic, sequence, file, ...factsOf(image), bytes, sha256]
        .map((field) => quoted(String(field), true))
        .join(',');
    } catch (error) {
      await target.abort();
      throw error;
    }
  }

  async #list(topic: ImageTopic, folder: string, line: string): Promise<void> {
    if (topic.index === undefined) {
      topic.index = await this.context.place.create(`${folder}/index.csv`);
      await topic.index.write(Buffer.from(`${HEADS}\n`));
    }
    await topic.index.write(Buffer.from(`${line}\n`));
    topic.rows++;
  }

  async #finishFolder(topic: ImageTopic): Promise<void> {
    await topic.tail;
    const { index, folder, rows, key } = topic;
    topic.index = undefined;
    topic.rows = 0;
    topic.lastName = '';
    if (index === undefined) return;
    this.#finished.push({ path: `${folder}/index.csv`, rows, ...(await index.finish()), holds: [key] });
  }

  async endWindow(): Promise<WindowResult> {
    for (const topic of this.#topics.values()) await this.#finishFolder(topic);
    const files = this.#finished.splice(0);
    const tallies = [...this.#topics.values()].map(({ tally }) => ({ ...tally }));
    for (const topic of this.#topics.values()) {
      Object.assign(topic.tally, { messages: 0, undecoded: 0, left_over: 0, thinned_out: 0 });
      delete topic.tally.reason;
      delete topic.tally.first;
      delete topic.tally.last;
    }
    return { files, tallies };
  }

  async abort(): Promise<void> {
    for (const { tail, index } of this.#topics.values()) {
      await tail.catch(() => undefined);
      await index?.abort();
    }
  }

  #topicOf({ topic, schema, encoding }: McapChannel, robot: string): ImageTopic {
    const tally = newTally(robot, topic, schema.name, encoding);
    const key = tallyKey(tally);
    let known = this.#topics.get(key);
    if (known === undefined) {
      known = {
        ...{ tally, key, folder: '', index: undefined, rows: 0, lastName: '', repeats: 0 },
        thinning: new Thinning(this.context.options.every),
        tail: Promise.resolve(),
      };
      this.#topics.set(key, known);
    }
    return known;
  }
}

/** `2026-11-20T21-44-19.857693726Z`, which every file system accepts; images with equal times are numbered. */
function nameOf(topic: ImageTopic, logTime: bigint): string {
  const name = formatTime(logTime).replaceAll(':', '-');
  topic.repeats = name === topic.lastName ? topic.repeats + 1 : 0;
  topic.lastName = name;
  return topic.repeats === 0 ? name : `${name}-${topic.repeats}`;
}

function factsOf({ width, height, encoding }: ImageFile): (string | number)[] {
  return [width ?? '', height ?? '', encoding];
}

function earlier(a: string | undefined, b: bigint): string {
  return a === undefined || BigInt(a) > b ? String(b) : a;
}

function later(a: string | undefined, b: bigint): string {
  return a === undefined || BigInt(a) < b ? String(b) : a;
}
