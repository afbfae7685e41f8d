import type { Writer } from 'protobufjs/minimal.js';
import type { SegmentContent } from '../../core/monitoring.js';
import { LENGTH_DELIMITED, readUint53, VARINT } from '../../core/protobuf-wire.js';
import { TAGS_MAX } from '../../core/tags.js';
import { isVinText } from './field-spec.js';
import { readFields, utf8, WireFault } from './read-fields.js';
import { REPORT_TEXT_BYTES } from './report-text.js';
import { tagsReader, writeTags } from './tags-codec.js';
import { nested, string, varint } from './write-telemetry.js';

/** What segments hold, under a number that segments of the same connection refer to. */
export interface NumberedContent extends SegmentContent {
  /** From 1. */
  readonly number: number;
}

/** Bounds of the contents: two of them and every other part of a report fit into one message. */
export const contentLimits = { numbers: 64, inReport: 2, topics: 200, topicBytes: 32 * 1024 } as const;

type Topic = SegmentContent['topics'][number];

/** The topics that fit into the bounds, the first ones. A name is never shortened: a search would not find it. */
export function boundedTopics(topics: readonly Topic[]): readonly Topic[] {
  const kept: Topic[] = [];
  let left = contentLimits.topicBytes;
  for (const one of topics) {
    const sizes = [one.topic, one.type, one.encoding].map((text) => Buffer.byteLength(text));
    left -= sizes.reduce((sum, size) => sum + size, 0);
    if (left < 0 || kept.length >= contentLimits.topics) break;
    if (sizes.every((size) => size <= REPORT_TEXT_BYTES)) kept.push(one);
  }
  return kept;
}

/** Writes a SegmentContent. */
export function writeContent(writer: Writer, { number, topics, tags, vin = '' }: NumberedContent): void {
  varint(writer, 1, number);
  for (const { topic, type, encoding } of topics)
    nested(writer, 2, () => {
      string(writer, 1, topic);
      string(writer, 2, type);
      string(writer, 3, encoding);
    });
  writeTags(writer, 3, tags);
  if (isVinText(vin)) string(writer, 4, vin);
}

/** Reads a SegmentContent. Throws for one that is not allowed. */
export function readContent(bytes: Uint8Array): NumberedContent {
  let number = 0;
  let vin = '';
  const topics: Topic[] = [];
  const tags = new Map<string, string>();
  readFields(bytes, {
    1: [VARINT, (reader) => (number = readUint53(reader))],
    2: [
      LENGTH_DELIMITED,
      (reader) => {
        if (topics.length >= contentLimits.topics)
          throw new WireFault(`more than ${contentLimits.topics} topics of a segment`);
        topics.push(readTopic(reader.bytes()));
      },
    ],
    3: tagsReader(tags, TAGS_MAX),
    4: [LENGTH_DELIMITED, (reader) => (vin = utf8(reader))],
  });
  if (!isVinText(vin)) throw new WireFault('a VIN that is too long, or has a NUL');
  if (number < 1 || number > contentLimits.numbers)
    throw new WireFault(`number ${number} of a content, allowed: 1 to ${contentLimits.numbers}`);
  return { number, topics, tags: Object.fromEntries(tags), ...(vin === '' ? {} : { vin }) };
}

function readTopic(bytes: Uint8Array): Topic {
  let [topic, type, encoding] = ['', '', ''];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (topic = limited(utf8(reader)))],
    2: [LENGTH_DELIMITED, (reader) => (type = limited(utf8(reader)))],
    3: [LENGTH_DELIMITED, (reader) => (encoding = limited(utf8(reader)))],
  });
  return { topic, type, encoding };
}

function limited(text: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > REPORT_TEXT_BYTES)
    throw new WireFault(`a text of ${bytes} bytes, allowed: ${REPORT_TEXT_BYTES}`);
  return text;
}
