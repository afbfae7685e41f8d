import { createHash } from 'node:crypto';
import type { ParquetCodec } from '../exporters/format.js';
import { PathTemplate, type Word } from './path-template.js';

export const DEFAULT_TOPICS_LAYOUT = 'robot={robot}/topic={topic}/date={YYYY-MM-DD}/hour={HH}/{segment}';
export const DEFAULT_EVENTS_LAYOUT = 'logs/{simulation_id}/{YYYY-MM-DD}/{HH}/{segment}.parquet';

const topicWords: readonly Word[] = ['robot', 'topic', 'type', 'segment', 'YYYY-MM-DD', 'HH'];
const eventWords: readonly Word[] = [
  'simulation_id',
  'worker_id',
  'event_type_key',
  'robot',
  'topic',
  'segment',
  'YYYY-MM-DD',
  'HH',
];

const form = (words: readonly Word[]): string =>
  `a path with {segment}, made of ${words.map((word) => `{${word}}`).join(' ')}`;
export const TOPICS_LAYOUT_FORM = `${form(topicWords)}; {topic} or {type} must be in it`;
export const EVENTS_LAYOUT_FORM = form(eventWords);

/** Paths of a lake's files. */
export interface LakeLayout {
  /** Of topics; times are log times. */
  readonly topics: PathTemplate;
  /** Of events; times are the events' own. */
  readonly events: PathTemplate;
}

/** How a lake's files are encoded. */
export interface LakeEncoding {
  readonly codec: ParquetCodec;
  /** Maximum rows of a row group. */
  readonly rowGroupRows: number;
}

export const defaultLakeEncoding: LakeEncoding = Object.freeze({ codec: 'zstd', rowGroupRows: 122_880 });
const MAX_ROW_GROUP_ROWS = 1_000_000;
export const ROW_GROUP_FORM = `a whole number of rows from 1 to ${MAX_ROW_GROUP_ROWS}`;

/** Rows of a row group; undefined: the text is not such a number. */
export function parseRowGroup(text: string): number | undefined {
  const rows = /^[1-9]\d{0,6}$/.test(text) ? Number(text) : undefined;
  return rows !== undefined && rows <= MAX_ROW_GROUP_ROWS ? rows : undefined;
}

/** Parses both templates. `fault` receives what is wrong with which one; then undefined. */
export function parseLakeLayout(
  topicsText: string | undefined,
  eventsText: string | undefined,
  fault: (option: 'layout' | 'events', value: string, allowed: string) => void,
): LakeLayout | undefined {
  const topics = topicsText ?? DEFAULT_TOPICS_LAYOUT;
  const events = eventsText ?? DEFAULT_EVENTS_LAYOUT;
  const read = (option: 'layout' | 'events', text: string, words: readonly Word[], allowed: string) => {
    try {
      const template = new PathTemplate(text, '.parquet', words);
      if (!template.has('segment')) throw new Error('{segment} is missing: files would overwrite each other');
      if (/^_/.test(text)) throw new Error('a lake has its own files below names that begin with "_"');
      if (option === 'layout' && !template.has('topic') && !template.has('type')) {
        throw new Error('{topic} or {type} is missing');
      }
      return template;
    } catch (error) {
      fault(option, text, `${allowed} (${(error as Error).message})`);
      return undefined;
    }
  };
  const both = {
    topics: read('layout', topics, topicWords, TOPICS_LAYOUT_FORM),
    events: read('events', events, eventWords, EVENTS_LAYOUT_FORM),
  };
  return both.topics && both.events ? { topics: both.topics, events: both.events } : undefined;
}

/** Changes whenever the same segment would give other files: then it is another sink. */
const FORMAT = 1;

/** One word for the derivation. */
export function lakeForm(
  layout: LakeLayout,
  topics: readonly string[] | undefined,
  encoding: LakeEncoding = defaultLakeEncoding,
): string {
  const { codec, rowGroupRows } = encoding;
  const words: unknown[] = [FORMAT, layout.topics.text, layout.events.text, topics ?? null];
  // Lakes from before there was a choice keep their form.
  const isDefault = codec === defaultLakeEncoding.codec && rowGroupRows === defaultLakeEncoding.rowGroupRows;
  if (!isDefault) words.push(codec, rowGroupRows);
  return `parquet-${createHash('sha256').update(JSON.stringify(words)).digest('hex').slice(0, 12)}`;
}
