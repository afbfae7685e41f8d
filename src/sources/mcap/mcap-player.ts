import type { McapMessage } from '../../core/mcap/block.js';
import { CarriedFilter, isLatched, originalMetadata } from '../../core/mcap/carried.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { openMcap, type McapReader } from '../../core/mcap/open-mcap.js';
import { handleReadable, type Readable } from '../../core/mcap/readable.js';
import {
  describeDamage,
  lacksMessages,
  MAX_RANGES,
  type ScanReport,
  type UnreadableRange,
} from '../../core/mcap/scan-report.js';
import { scanMcap } from '../../core/mcap/scan.js';
import {
  parseAttachment,
  RECORD_HEADER_BYTES,
  RecordError,
  type AttachmentRecord,
  type MetadataRecord,
} from '../../core/mcap/records.js';
import { bytesOfOther, OTHER_MAX_BYTES, type OtherRecord } from '../../core/other-record.js';
import { describeError, isHoldfastError } from '../../core/errors.js';
import type { FileHandle, FileSystem } from '../../core/file-system.js';
import { channelKey, type Channel } from '../../core/message.js';
import type { SourceContext, SourceEvent } from '../../core/source.js';
import { settledBefore } from '../source-runner.js';
import { bagFiles, unreadable } from './bag-files.js';
import { Pace } from './pace.js';
import { nextTurn } from '../../core/clock.js';

/** Maximum number of messages per turn of the event loop. */
const MESSAGES_PER_TURN = 512;

/** Names of metadata records that a recording writes itself. */
const superseded: ReadonlySet<string> = new Set(['holdfast', 'rosbag2']);
/** Those of another Holdfast recording: their messages are not in this one's manifest. */
const ofRecording: ReadonlySet<string> = new Set(['holdfast_gap', 'holdfast_event', 'holdfast_tags']);
/** Metadata records and attachments of a file that are copied. */
const MAX_OTHERS = 1000;

/** One playback of one path. */
export class McapPlayer {
  readonly #channels = new Map<McapChannel, Channel | undefined>();
  readonly #byKey = new Map<string, Channel>();
  readonly #announced = new Set<Channel>();
  readonly #carried = new CarriedFilter();
  readonly #pace: Pace | undefined;
  #sinceTurn = 0;

  constructor(
    readonly fs: FileSystem,
    readonly path: string,
    speed: number,
    readonly context: SourceContext,
    readonly emit: (event: SourceEvent) => void,
  ) {
    const { clock, logger } = context;
    const onLongWait = (ms: number): void =>
      logger.warn('the next message is due in more than a minute', { path, seconds: Math.round(ms / 1000) });
    this.#pace = speed === Infinity ? undefined : new Pace(clock, speed, onLongWait);
  }

  /** Rejects with `SOURCE_UNREADABLE` if nothing can be played, and when the signal aborts. */
  async play(): Promise<void> {
    const { signal } = this.context;
    signal.throwIfAborted();
    const files = await bagFiles(this.fs, this.path, this.context.logger);
    let firstFailure: unknown;
    let played = 0;
    for (const file of files) {
      signal.throwIfAborted();
      this.emit({ kind: 'state', state: 'open', detail: file });
      try {
        await this.#playFile(file);
        played++;
      } catch (error) {
        if (!isHoldfastError(error, 'SOURCE_UNREADABLE')) throw error;
        firstFailure ??= error;
        if (files.length > 1) this.#gap({ detail: describeError(error) }, []);
      }
    }
    if (played === 0) throw firstFailure;
    this.emit({ kind: 'state', state: 'done' });
  }

  async #playFile(file: string): Promise<void> {
    let handle: FileHandle;
    try {
      handle = await this.fs.open(file, 'r');
    } catch (error) {
      throw unreadable(file, describeError(error), error);
    }
    try {
      const readable = handleReadable(handle, file);
      const reader = await this.#openByIndex(readable, file);
      if (reader === undefined) await this.#playUnindexed(readable, file);
      else await this.#playIndexed(reader, Number(await readable.size()));
    } finally {
      await handle.close();
    }
  }

  async #openByIndex(readable: Readable, file: string): Promise<McapReader | undefined> {
    try {
      return await openMcap(readable, file);
    } catch (error) {
      if (!isHoldfastError(error, 'MCAP_UNREADABLE')) throw error;
      this.context.logger.warn('reading in file order', { reason: describeError(error) });
      return undefined;
    }
  }

  async #playIndexed(reader: McapReader, fileBytes: number): Promise<void> {
    const ranges: UnreadableRange[] = [];
    let bytes = 0;
    const messages = reader.messages({
      signal: this.context.signal,
      select: (channel) => (this.#channelOf(channel) === undefined ? undefined : {}),
      onUnreadable: (range) => {
        bytes += range.to - range.from;
        if (ranges.length < MAX_RANGES) ranges.push(range);
      },
    });
    const others = await reader.metadata((name) => !superseded.has(name));
    await this.#giveOthers(reader.name, others, reader.channels, reader.readAttachments());
    for await (const message of messages) await this.#give(message);
    const [first] = ranges;
    if (first === undefined) return;
    const more = ranges.length > 1 ? ` (the first of ${ranges.length} places)` : '';
    const detail = `${reader.name}: ${bytes} of ${fileBytes} bytes could not be read: from byte ${first.from} to ${first.to} there is ${first.reason}${more}`;
    this.#gap({ bytes, detail }, reader.channels);
  }

  async #playUnindexed(readable: Readable, file: string): Promise<void> {
    const others: MetadataRecord[] = [];
    const places: [number, number][] = [];
    const scan = scanMcap(readable, file, {
      signal: this.context.signal,
      onMetadata: (record) => {
        if (others.length < MAX_OTHERS && !superseded.has(record.name)) others.push(record);
      },
      onAttachment: (offset, length) => {
        if (places.length < MAX_OTHERS) places.push([offset, length]);
      },
    });
    try {
      for await (const message of scan.messages()) {
        if (this.#channelOf(message.channel) !== undefined) await this.#give(message);
      }
    } catch (error) {
      if (isHoldfastError(error, 'MCAP_UNREADABLE')) throw unreadable(file, error.message, error);
      throw error;
    }
    const report = scan.report();
    const attachments = attachmentsAt(readable, places);
    await this.#giveOthers(file, others, scan.definitions.channels(), attachments);
    if (report.attachments > places.length) {
      this.context.logger.warn('attachments are not recorded', {
        file,
        count: report.attachments - places.length,
      });
    }
    this.#tellDamage(file, report, scan.definitions.channels());
  }

  #tellDamage(file: string, report: ScanReport, channels: readonly McapChannel[]): void {
    const detail = describeDamage(file, report);
    if (lacksMessages(report)) {
      const count = report.messagesUndefined + report.messagesCompressed;
      const unknown = report.bytesUnreadable > 0 || !report.dataComplete;
      this.#gap({ bytes: report.bytesUnreadable, ...(unknown ? {} : { count }), detail }, channels);
    } else if (!report.complete || report.bytesUnreadable > 0) {
      this.context.logger.warn('the index is damaged; read all messages without it', { file, detail });
    }
  }

  /**
   * If the file has one robot, the gap belongs to it; otherwise its robot is empty, because it may concern
   * any.
   */
  #gap(gap: { bytes?: number; count?: number; detail: string }, channels: readonly McapChannel[]): void {
    const robots = new Set(channels.map(({ topic }) => this.context.robotOf(topic)));
    const [only] = robots;
    const robot = robots.size === 1 && only !== undefined ? only : '';
    this.context.logger.warn('part of the source could not be read', { detail: gap.detail });
    this.emit({ kind: 'gap', gap: { reason: 'source_unreadable', robot, ...gap } });
  }

  /**
   * Metadata records and attachments go into the recording of each robot of the file; those that are not
   * copied are reported.
   */
  async #giveOthers(
    file: string,
    metadata: readonly MetadataRecord[],
    channels: readonly McapChannel[],
    attachments: AsyncIterable<AttachmentRecord | string>,
  ): Promise<void> {
    const { wanted, robotOf, logger } = this.context;
    const topics = channels.filter((channel) => wanted(channel.topic, channel.schema.name));
    const robots = new Set(topics.map(({ topic }) => robotOf(topic)));
    if (robots.size === 0) robots.add(robotOf(''));
    const left: string[] = [];
    for (const { name, metadata: entries } of metadata) {
      if (ofRecording.has(name)) left.push(`metadata record ${name} of another recording`);
      else await this.#giveOther({ kind: 'metadata', name, metadata: entries }, robots, left);
    }
    for await (const attachment of attachments) {
      if (typeof attachment === 'string') left.push(attachment);
      else await this.#giveOther({ kind: 'attachment', ...attachment }, robots, left);
    }
    if (left.length === 0) return;
    const reasons = [...new Set(left)].slice(0, 20);
    logger.warn('metadata records or attachments are not recorded', { file, count: left.length, reasons });
  }

  async #giveOther(record: OtherRecord, robots: ReadonlySet<string>, left: string[]): Promise<void> {
    const bytes = bytesOfOther(record);
    if (bytes > OTHER_MAX_BYTES) {
      left.push(`${record.kind} ${record.name} of ${bytes} bytes, allowed: ${OTHER_MAX_BYTES}`);
      return;
    }
    const { signal, flow } = this.context;
    for (const robot of robots) {
      const ready = flow.whenReady();
      if (ready !== undefined) await settledBefore(ready, signal);
      signal.throwIfAborted();
      this.emit({ kind: 'record', robot, record: copyOf(record) });
    }
  }

  async #give(message: McapMessage): Promise<void> {
    const channel = this.#channelOf(message.channel);
    if (channel === undefined || !this.#carried.accept(message)) return;
    const { signal, flow } = this.context;
    const due = this.#pace?.until(message.logTime, signal);
    if (due !== undefined) await due;
    const ready = flow.whenReady();
    if (ready !== undefined) await settledBefore(ready, signal);
    if (++this.#sinceTurn >= MESSAGES_PER_TURN) {
      this.#sinceTurn = 0;
      await nextTurn(this.context.clock);
    }
    signal.throwIfAborted();
    if (!this.#announced.has(channel)) {
      this.#announced.add(channel);
      this.emit({ kind: 'channel', channel });
    }
    this.emit({
      kind: 'message',
      channel,
      // A copy: the view would keep its whole chunk in memory while the message waits in a queue.
      data: Uint8Array.from(message.data),
      receivedAt: message.logTime,
      publishedAt: message.publishTime,
    });
  }

  /** The channel of the recording; undefined if it is not wanted. */
  #channelOf(from: McapChannel): Channel | undefined {
    if (this.#channels.has(from)) return this.#channels.get(from);
    const channel = this.context.wanted(from.topic, from.schema.name) ? this.#makeChannel(from) : undefined;
    this.#channels.set(from, channel);
    return channel;
  }

  #makeChannel(from: McapChannel): Channel {
    const { logger, robotOf } = this.context;
    const fresh: Channel = Object.freeze({
      robot: robotOf(from.topic),
      topic: from.topic,
      encoding: from.encoding,
      schema: Object.freeze(from.schema),
      metadata: Object.freeze(originalMetadata(from)),
      latched: isLatched(from),
    });
    const key = channelKey(fresh);
    const known = this.#byKey.get(key);
    if (known === undefined) {
      this.#byKey.set(key, fresh);
      if (from.schemaMissing !== undefined) {
        const why = from.schemaMissing === 'none' ? 'the channel names none' : 'it is not in the file';
        logger.warn('recorded without a schema', { topic: from.topic, encoding: from.encoding, why });
      }
      return fresh;
    }
    return known;
  }
}

/** Views would keep the bytes of the whole read in memory. */
function copyOf(record: OtherRecord): OtherRecord {
  return record.kind === 'metadata' ? record : { ...record, data: Uint8Array.from(record.data) };
}

/** The attachments at these places of a file, or why one cannot be read. */
async function* attachmentsAt(
  readable: Readable,
  places: readonly (readonly [offset: number, length: number])[],
): AsyncGenerator<AttachmentRecord | string, void, void> {
  for (const [offset, length] of places) {
    if (length > OTHER_MAX_BYTES) {
      yield `an attachment of ${length} bytes, allowed: ${OTHER_MAX_BYTES}`;
      continue;
    }
    try {
      const bytes = await readable.read(BigInt(offset), BigInt(length));
      yield parseAttachment(bytes.subarray(RECORD_HEADER_BYTES));
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      yield `a damaged attachment at ${offset}: ${error.message}`;
    }
  }
}
