import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { describeError } from '../../core/errors.js';
import type { FileSystem } from '../../core/file-system.js';
import type { Logger } from '../../core/logger.js';
import type { Manifest, ManifestChannel } from '../../core/manifest.js';
import type { McapMessage } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { matches } from '../../core/name-pattern.js';
import type { Derived } from '../../core/segment-deriver.js';
import type { FieldRule } from '../../settings/field-rule.js';
import { fullTypeName } from '../../uplink/robot/topic-fields.js';
import { MESSAGE_MAX_BYTES } from '../../uplink/robot/telemetry-sampler.js';
import { BatchFiles } from './batch-files.js';
import { DeliveryDeriver, sealedName } from './delivery-deriver.js';
import { PointSeries } from './point-series.js';
import { segmentMessages } from './segment-messages.js';

export interface PointsDeriverOptions {
  /** For each path of a topic the first matching rule counts. */
  readonly rules: readonly FieldRule[];
  /** Of the sink; `*` stands for any text. Absent: all. */
  readonly topics?: readonly string[];
}

/** A batch ends with the line that reaches one of these. Servers recommend 5,000 lines. */
const BATCH_LINES = 5_000;
const BATCH_CHARS = 512 * 1024;
/** Topics with a line in the log. */
const NAMED_MAX = 1_000;

const compress = promisify(gzip);

/** What is made of one segment: it grows while the segment is read. */
interface Work {
  readonly manifest: Manifest;
  readonly batches: BatchFiles;
  readonly series: Map<McapChannel, PointSeries | undefined>;
  lines: string[];
  chars: number;
  undecoded: number;
}

/**
 * Makes points of one sealed segment, as batches of InfluxDB line protocol: the numbers that the rules choose, in the
 * messages that were recorded in it, at their log times. Messages that were carried from earlier segments are points of
 * those.
 */
export class PointsDeriver extends DeliveryDeriver {
  readonly form: string;
  readonly #fs: FileSystem;
  readonly #options: PointsDeriverOptions;
  readonly #logger: Logger;
  /** Topics that the log named already. */
  readonly #named = new Set<string>();

  constructor(fs: FileSystem, options: PointsDeriverOptions, logger: Logger) {
    super();
    this.#fs = fs;
    this.#options = options;
    this.#logger = logger;
    const words = JSON.stringify([1, options.rules, options.topics ?? null]);
    this.form = `points-${createHash('sha256').update(words).digest('hex').slice(0, 12)}`;
  }

  async derive(path: string, manifest: Manifest, scratch: string, signal: AbortSignal): Promise<Derived> {
    const work: Work = {
      ...{ manifest, batches: new BatchFiles(this.#fs, scratch, sealedName(manifest)) },
      ...{ series: new Map(), lines: [], chars: 0, undecoded: 0 },
    };
    const topics = manifest.channels.filter((channel) => this.#wants(channel)).map(({ topic }) => topic);
    if (topics.length > 0) await this.#read(path, topics, work, signal);
    return {
      files: work.batches.files,
      marker: this.marker(manifest),
      undecoded: work.undecoded,
    };
  }

  #wants({ topic, type }: ManifestChannel): boolean {
    const { rules, topics } = this.#options;
    if (!matches(topics, topic)) return false;
    const full = fullTypeName(type);
    return rules.some((rule) => matches([rule.topic], topic) && (rule.type ?? full) === full);
  }

  async #read(path: string, topics: readonly string[], work: Work, signal: AbortSignal): Promise<void> {
    for await (const messages of segmentMessages(this.#fs, path, work.manifest, topics, signal)) {
      for (const message of messages) {
        if (this.#take(message, work)) await flush(work);
      }
    }
    for (const series of work.series.values()) {
      add(work, series?.lastLines() ?? []);
      if (isFull(work)) await flush(work);
    }
    await flush(work);
  }

  /** True: the batch is full. */
  #take({ channel, data, logTime }: McapMessage, work: Work): boolean {
    if (!work.series.has(channel)) work.series.set(channel, this.#open(channel, work.manifest));
    const series = work.series.get(channel);
    if (series === undefined) return false;
    try {
      if (data.byteLength > MESSAGE_MAX_BYTES) throw new Error(`${data.byteLength} bytes are too many`);
      add(work, series.linesOf(data, logTime));
    } catch (error) {
      if (work.undecoded++ === 0) this.#tell(channel.topic, error);
    }
    return isFull(work);
  }

  #open(channel: McapChannel, { robot, vin = '' }: Manifest): PointSeries | undefined {
    try {
      return PointSeries.open(channel, this.#options.rules, { robot, vin });
    } catch (error) {
      this.#tell(channel.topic, error);
      return undefined;
    }
  }

  /** Once for each topic. */
  #tell(topic: string, error: unknown): void {
    if (this.#named.has(topic) || this.#named.size >= NAMED_MAX) return;
    this.#named.add(topic);
    this.#logger.warn('no points can be made of messages of a topic', {
      topic,
      reason: describeError(error),
    });
  }
}

function isFull({ lines, chars }: Work): boolean {
  return lines.length >= BATCH_LINES || chars >= BATCH_CHARS;
}

function add(work: Work, lines: readonly string[]): void {
  for (const line of lines) {
    work.lines.push(line);
    work.chars += line.length + 1;
  }
}

async function flush(work: Work): Promise<void> {
  if (work.lines.length === 0) return;
  const text = Buffer.from(`${work.lines.join('\n')}\n`);
  work.lines = [];
  work.chars = 0;
  await work.batches.add(await compress(text));
}
