import { createHash } from 'node:crypto';
import { PathTemplate, type Word } from '../export/path-template.js';

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

/** Where a lake's files go. */
export interface LakeLayout {
  /** Of topics; times are log times. */
  readonly topics: PathTemplate;
  /** Of events; times are the events' own. */
  readonly events: PathTemplate;
}

/** Reads both templates. `fault` is told what is wrong with which; undefined then. */
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

/** Changes whenever the same segment would give other files: their sinks are then other sinks. */
const FORMAT = 1;

/** One word for what is made of segments. */
export function lakeForm(layout: LakeLayout, topics: readonly string[] | undefined): string {
  const words = [FORMAT, layout.topics.text, layout.events.text, topics ?? null];
  return `parquet-${createHash('sha256').update(JSON.stringify(words)).digest('hex').slice(0, 12)}`;
}
