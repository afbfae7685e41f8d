import { isHoldfastError, describeError } from '../../core/errors.js';
import { messageAt } from '../../core/mcap/block.js';
import type { McapChannel } from '../../core/mcap/definitions.js';
import { openMcap } from '../../core/mcap/open-mcap.js';
import { defaultMcapLimits, type Readable } from '../../core/mcap/readable.js';
import type { MetadataRecord } from '../../core/mcap/records.js';
import type { ScanReport } from '../../core/mcap/scan-report.js';
import { scanMcap } from '../../core/mcap/scan.js';
import { readSummary, type Summary } from '../../core/mcap/summary.js';
import { DigestingReadable } from './digesting-readable.js';

const DATA_END_BYTES = 13;
/** Metadata records looked at; a segment has one per gap. */
const MAX_METADATA_RECORDS = 1_000_000;

/** What one channel of an MCAP was found to hold. */
export interface ChannelSurvey {
  readonly channel: McapChannel;
  count: number;
  bytes: number;
  carried: number;
  firstLogTime: bigint | undefined;
  lastLogTime: bigint | undefined;
}

/** What an MCAP was found to hold, every byte of it read. */
export interface ObjectSurvey {
  readonly bytes: number;
  readonly sha256: string;
  readonly crc32: number;
  readonly scan: ScanReport;
  readonly channels: ReadonlyMap<string, ChannelSurvey>;
  readonly metadata: readonly MetadataRecord[];
  /** The index, or why there is no usable one. */
  readonly index: Summary | string;
  /** CRC of the data section: as the file says, and as it is. */
  readonly dataCrc?: { readonly stated: number; readonly actual: number | undefined };
  /** Chunks by their offset: length and messages, and the log times its head states and it really has. */
  readonly chunks: ReadonlyMap<number, { readonly length: number; readonly timesAgree: boolean }>;
  readonly perId: ReadonlyMap<number, number>;
}

/** `topic`, type and encodings: what a manifest knows a channel by. */
export function channelName(topic: string, type: string, encoding: string, schemaEncoding: string): string {
  return JSON.stringify([topic, type, encoding, schemaEncoding]);
}

/** Reads an MCAP whole, once. Throws what the reading throws, and `MCAP_UNREADABLE` when it is none at all. */
export async function surveyObject(
  readable: Readable,
  name: string,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<ObjectSurvey> {
  const index = await indexOf(readable, name);
  const mark = typeof index === 'string' ? undefined : Number(index.footer.summaryStart) - DATA_END_BYTES;
  const digesting = new DigestingReadable(readable, mark, onBytes);
  const metadata: MetadataRecord[] = [];
  const scan = scanMcap(digesting, name, {
    onMetadata: (record) => void (metadata.length < MAX_METADATA_RECORDS && metadata.push(record)),
    ...(signal === undefined ? {} : { signal }),
  });
  const channels = new Map<string, ChannelSurvey>();
  const chunks = new Map<number, { length: number; timesAgree: boolean }>();
  const perId = new Map<number, number>();
  const surveys = new Map<McapChannel, ChannelSurvey>();
  for await (const block of scan.blocks()) {
    let first: bigint | undefined;
    let last: bigint | undefined;
    for (let i = 0; i < block.offsets.length; i++) {
      const { channel, logTime, data } = messageAt(block, i);
      let survey = surveys.get(channel);
      if (survey === undefined) surveys.set(channel, (survey = surveyOf(channels, channel)));
      if (channel.carried) {
        survey.carried++;
      } else {
        survey.count++;
        survey.bytes += data.byteLength;
        if (survey.firstLogTime === undefined || logTime < survey.firstLogTime) survey.firstLogTime = logTime;
        if (survey.lastLogTime === undefined || logTime > survey.lastLogTime) survey.lastLogTime = logTime;
      }
      if (first === undefined || logTime < first) first = logTime;
      if (last === undefined || logTime > last) last = logTime;
      perId.set(channel.id, (perId.get(channel.id) ?? 0) + 1);
    }
    if (block.header !== undefined) {
      const { startTime, endTime } = block.header;
      const timesAgree = first === undefined || (first === startTime && last === endTime);
      chunks.set(block.at, { length: block.length, timesAgree });
    }
  }
  const { sha256, crc32, crcAtMark } = await digesting.finish();
  const stated = typeof index === 'string' ? undefined : index.dataSectionCrc;
  return {
    bytes: Number(await readable.size()),
    sha256,
    crc32,
    scan: scan.report(),
    channels,
    metadata,
    index,
    ...(stated === undefined ? {} : { dataCrc: { stated, actual: crcAtMark } }),
    chunks,
    perId,
  };
}

async function indexOf(readable: Readable, name: string): Promise<Summary | string> {
  try {
    await openMcap(readable, name);
    return await readSummary(readable, name, defaultMcapLimits);
  } catch (error) {
    if (!isHoldfastError(error, 'MCAP_UNREADABLE')) throw error;
    return describeError(error);
  }
}

function surveyOf(channels: Map<string, ChannelSurvey>, channel: McapChannel): ChannelSurvey {
  const { topic, encoding, schema } = channel;
  const key = channelName(topic, schema.name, encoding, schema.encoding);
  let survey = channels.get(key);
  if (survey === undefined) {
    survey = { channel, count: 0, bytes: 0, carried: 0, firstLogTime: undefined, lastLogTime: undefined };
    channels.set(key, survey);
  }
  return survey;
}
