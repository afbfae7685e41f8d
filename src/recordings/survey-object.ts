import { defined } from '../core/defined.js';
import { isHoldfastError, describeError } from '../core/errors.js';
import { messageAt } from '../core/mcap/block.js';
import type { McapChannel } from '../core/mcap/definitions.js';
import { openMcap } from '../core/mcap/open-mcap.js';
import { defaultMcapLimits, type Readable } from '../core/mcap/readable.js';
import type { MetadataRecord } from '../core/mcap/records.js';
import type { ScanReport } from '../core/mcap/scan-report.js';
import { scanMcap } from '../core/mcap/scan.js';
import { readSummary, type IndexState, type Summary } from '../core/mcap/summary.js';
import { DefinitionFit } from './definition-fit.js';
import { DigestingReadable } from './digesting-readable.js';

const DATA_END_BYTES = 13;
/** Maximum number of metadata records checked; a segment has one per gap. */
const MAX_METADATA_RECORDS = 1_000_000;

/** What is counted of the messages of one channel. */
export interface ChannelTally {
  readonly channel: McapChannel;
  count: number;
  bytes: number;
  carried: number;
  firstLogTime: bigint | undefined;
  lastLogTime: bigint | undefined;
}

/** The content of one channel of an MCAP. */
export interface ChannelSurvey extends ChannelTally {
  /** Messages whose length does not fit their definition, and why the first of them does not. */
  misfits: number;
  misfit?: string;
}

/** The content of an MCAP, with every byte read. */
export interface ObjectSurvey {
  readonly bytes: number;
  readonly sha256: string;
  readonly crc32: number;
  readonly scan: ScanReport;
  readonly channels: ReadonlyMap<string, ChannelSurvey>;
  readonly metadata: readonly MetadataRecord[];
  /** The summary; undefined if it is missing or damaged. */
  readonly summary: Summary | undefined;
  /** Why the file is not read by its index; undefined: it can be. */
  readonly noIndex?: { readonly state: IndexState; readonly reason: string };
  /** CRC of the data section: stated in the file, and computed. */
  readonly dataCrc?: { readonly stated: number; readonly actual: number | undefined };
  /** Chunks by their offset: length and messages, and the log times in the head and of the messages. */
  readonly chunks: ReadonlyMap<number, { readonly length: number; readonly timesAgree: boolean }>;
  readonly perId: ReadonlyMap<number, number>;
}

/** `topic`, type and encodings: the key of a channel in a manifest. */
export function channelName(topic: string, type: string, encoding: string, schemaEncoding: string): string {
  return JSON.stringify([topic, type, encoding, schemaEncoding]);
}

/** Reads a whole MCAP once. Throws the errors of the reading, and `MCAP_UNREADABLE` if it is not an MCAP. */
export async function surveyObject(
  readable: Readable,
  name: string,
  onBytes: (bytes: number) => void,
  signal?: AbortSignal,
): Promise<ObjectSurvey> {
  const { summary, noIndex } = await indexOf(readable, name);
  const mark = summary === undefined ? undefined : Number(summary.footer.summaryStart) - DATA_END_BYTES;
  const digesting = new DigestingReadable(readable, mark, onBytes);
  const metadata: MetadataRecord[] = [];
  const scan = scanMcap(digesting, name, {
    onMetadata: (record) => {
      if (metadata.length < MAX_METADATA_RECORDS) metadata.push(record);
    },
    ...defined({ signal }),
  });
  const channels = new Map<string, ChannelSurvey>();
  const chunks = new Map<number, { length: number; timesAgree: boolean }>();
  const perId = new Map<number, number>();
  const surveys = new Map<McapChannel, ChannelSurvey>();
  const fit = new DefinitionFit();
  for await (const block of scan.blocks()) {
    let first: bigint | undefined;
    let last: bigint | undefined;
    for (let i = 0; i < block.offsets.length; i++) {
      const message = messageAt(block, i);
      const { channel, logTime, data } = message;
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
      const misfit = fit.misfit(message);
      if (misfit !== undefined) {
        survey.misfits++;
        survey.misfit ??= misfit;
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
  const stated = summary?.dataSectionCrc;
  return {
    bytes: Number(await readable.size()),
    sha256,
    crc32,
    scan: scan.report(),
    channels,
    metadata,
    summary,
    ...defined({ noIndex }),
    ...(stated === undefined ? {} : { dataCrc: { stated, actual: crcAtMark } }),
    chunks,
    perId,
  };
}

async function indexOf(readable: Readable, name: string): Promise<Pick<ObjectSurvey, 'summary' | 'noIndex'>> {
  let summary: Summary | undefined;
  try {
    summary = await readSummary(readable, name, defaultMcapLimits);
    await openMcap(readable, name);
    return { summary };
  } catch (error) {
    if (!isHoldfastError(error, 'MCAP_UNREADABLE')) throw error;
    const { index: state = 'damaged' } = error.facts as { index?: IndexState };
    return { summary, noIndex: { state, reason: describeError(error) } };
  }
}

function surveyOf(channels: Map<string, ChannelSurvey>, channel: McapChannel): ChannelSurvey {
  const { topic, encoding, schema } = channel;
  const key = channelName(topic, schema.name, encoding, schema.encoding);
  let survey = channels.get(key);
  if (survey === undefined) {
    survey = {
      ...{ channel, count: 0, bytes: 0, carried: 0, misfits: 0 },
      ...{ firstLogTime: undefined, lastLogTime: undefined },
    };
    channels.set(key, survey);
  }
  return survey;
}
