import { createHash } from 'node:crypto';
import { encodeName } from '../core/name-encoding.js';

/** The facts for a path. */
export interface PathFacts {
  readonly robot: string;
  readonly topic: string;
  readonly type: string;
  readonly segment: string;
  readonly session: string;
  /** Log time, nanoseconds since the Unix epoch; any within the window. */
  readonly time: bigint;
  /** For an event, if the layout may contain them. */
  readonly simulation_id?: string;
  readonly worker_id?: string;
  readonly event_type_key?: string;
}

/** Windows of time that have separate files. */
export type Window = 'hour' | 'day' | 'none';

const WORDS = ['robot', 'topic', 'type', 'segment', 'session', 'YYYY-MM-DD', 'HH'] as const;
/** Further ones for events, if a layout allows them. */
type EventWord = 'simulation_id' | 'worker_id' | 'event_type_key';
export type Word = (typeof WORDS)[number] | EventWord;
/** Leaves room for `.tmp` in a file name of 255 bytes. */
const PART_MAX_BYTES = 240;
const PART_KEPT_BYTES = 160;
const NS_PER_HOUR = 3_600_000_000_000n;
const windowNs: Readonly<Record<Window, bigint>> = { hour: NS_PER_HOUR, day: 24n * NS_PER_HOUR, none: 0n };

export const LAYOUT_FORM = `a path with ${WORDS.map((word) => `{${word}}`).join(' ')}`;

/** Paths of files: a path with names in braces. */
export class PathTemplate {
  readonly window: Window;
  readonly #pieces: readonly (string | { readonly word: Word; readonly alone: boolean })[];

  /** Throws an Error with what is not allowed. */
  constructor(
    readonly text: string,
    readonly extension: string,
    words: readonly Word[] = WORDS,
  ) {
    if (text === '' || text.startsWith('/') || text.includes('\0') || text.includes('\\')) {
      throw new Error('a layout is a relative path');
    }
    if (
      text.split('/').some((part) => part === '' || part === '.' || part === '..' || part.startsWith('.'))
    ) {
      throw new Error('a layout has no empty or hidden parts');
    }
    const whole = text.endsWith(extension) ? text : `${text}${extension}`;
    const pieces: (string | { word: Word; alone: boolean })[] = [];
    let at = 0;
    for (const match of whole.matchAll(/\{([^{}]*)\}/g)) {
      const word = words.find((one) => one === match[1]);
      if (word === undefined) throw new Error(`{${match[1]}} is not known`);
      pieces.push(whole.slice(at, match.index));
      at = match.index + match[0].length;
      // A whole path part (except for the extension): then a topic may become several folders.
      const before = whole.slice(0, match.index);
      const after = whole.slice(at);
      const alone = /(^|\/)$/.test(before) && (after.startsWith('/') || after === extension);
      pieces.push({ word, alone });
    }
    pieces.push(whole.slice(at));
    this.#pieces = pieces;
    if (this.has('HH') && !this.has('YYYY-MM-DD')) throw new Error('{HH} needs {YYYY-MM-DD}');
    this.window = this.has('HH') ? 'hour' : this.has('YYYY-MM-DD') ? 'day' : 'none';
  }

  has(word: Word): boolean {
    return this.#pieces.some((piece) => typeof piece === 'object' && piece.word === word);
  }

  /** The path of a file; no name can lead out of its place. */
  render(facts: PathFacts): string {
    const path = this.#pieces
      .map((piece) => (typeof piece === 'string' ? piece : valueOf(piece.word, piece.alone, facts)))
      .join('');
    return path
      .split('/')
      .map((part) => shortened(part, this.extension))
      .join('/');
  }

  /** Number of the window of a time. */
  windowOf(time: bigint): bigint {
    return this.window === 'none' ? 0n : time / windowNs[this.window];
  }

  /** The first time after a window. */
  endOf(window: bigint): bigint {
    return (window + 1n) * windowNs[this.window];
  }
}

function valueOf(word: Word, alone: boolean, facts: PathFacts): string {
  switch (word) {
    case 'robot':
    case 'segment':
    case 'session':
      return encodeName(facts[word]);
    case 'simulation_id':
    case 'worker_id':
    case 'event_type_key':
      return encodeName(facts[word] ?? '');
    case 'topic':
    case 'type':
      return alone ? asFolders(facts[word]) : encodeName(facts[word]);
    case 'YYYY-MM-DD':
      return isoTime(facts.time).slice(0, 10);
    case 'HH':
      return isoTime(facts.time).slice(11, 13);
  }
}

/** Several names in one part of a path may together exceed the length of a file name. */
function shortened(part: string, extension: string): string {
  if (part.length <= PART_MAX_BYTES) return part;
  const end = part.endsWith(extension) ? extension : '';
  const digest = createHash('sha256').update(part).digest('hex').slice(0, 32);
  return `${part.slice(0, PART_KEPT_BYTES).replace(/%[0-9A-F]?$/, '')}~${digest}${end}`;
}

function isoTime(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString().replace(/^\+/, '');
}

/**
 * `/robot_1/imu` as `robot_1/imu`. A name without a leading slash gets the folder `~`, and one with two
 * leading slashes the folder `%2F`. So no two names give one path: no part of a name has a slash, and `~`
 * alone is written `%7E`.
 */
function asFolders(name: string): string {
  if (!name.startsWith('/')) return ['~', ...name.split('/').map(encodeName)].join('/');
  const [first = '', ...rest] = name.slice(1).split('/');
  return [first === '' ? '%2F' : encodeName(first), ...rest.map(encodeName)].join('/');
}
