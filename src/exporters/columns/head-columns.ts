import { formatTime } from '../../core/clock.js';
import { defined } from '../../core/defined.js';
import type { NatsIdentity } from '../../core/nats-identity.js';
import type { BatchBuilder, BytesLeaf, PlacedColumn } from './batch.js';
import { asOptional, leaf, unionOf, type NamedColumn, type StructColumn } from './column.js';

/** What a table must know about a message, apart from its payload. */
export interface MessageHead {
  readonly logTime: bigint;
  readonly publishTime: bigint;
  readonly robot: string;
  readonly topic: string;
  readonly sequence: number;
  /** Of what came from a JetStream stream; a table of events has columns for it. */
  readonly identity?: NatsIdentity;
}

/** Columns every table has, before those of the message. */
export const headNames = ['log_time', 'publish_time', 'robot', 'topic', 'sequence'] as const;
const reserved: ReadonlySet<string> = new Set([...headNames, 'payload', 'problem']);

/** The name a message's field gets where its own is taken by a column every table has. */
export function fieldColumn(name: string): string {
  return reserved.has(name) ? `message.${name}` : name;
}

/** Times are kept as signed 64-bit nanoseconds in every format: until the year 2262. */
export const MAX_TABLE_TIME = 2n ** 63n - 1n;

/** Why a message cannot be a row, whatever it says. */
export function lateTime({ logTime, publishTime }: MessageHead): string | undefined {
  if (logTime <= MAX_TABLE_TIME && publishTime <= MAX_TABLE_TIME) return undefined;
  const [name, time] = logTime > MAX_TABLE_TIME ? ['log', logTime] : ['publish', publishTime];
  return `${name} time ${time} ns (${formatTime(time)}) is later than tables hold: ${formatTime(MAX_TABLE_TIME)}`;
}

/** What a table adds to the columns of its messages. */
export interface HeadOptions {
  readonly flatten: boolean;
  /** Keep what cannot be decoded: columns `payload` and `problem`. */
  readonly raw: boolean;
  /** Given where every row has the same. */
  readonly robot?: string;
  readonly topic?: string;
}

/** The columns of a table: those every table has, and the union of those of its kinds of messages. */
export function withHead(shapes: readonly StructColumn[], options: HeadOptions): StructColumn {
  const { robot, topic, raw, flatten } = options;
  let message = shapes[0] ?? { kind: 'struct' as const, optional: false, fields: [] };
  for (const shape of shapes.slice(1)) message = unionOf(message, shape, flatten);
  const fields: NamedColumn[] = [
    { name: 'log_time', column: leaf('time') },
    { name: 'publish_time', column: leaf('time') },
    { name: 'robot', column: { ...leaf('string'), ...defined({ constant: robot }) } },
    { name: 'topic', column: { ...leaf('string'), ...defined({ constant: topic }) } },
    { name: 'sequence', column: leaf('uint32') },
    ...message.fields.map(({ name, column }) => ({
      name,
      column: raw ? asOptional(column, flatten) : column,
    })),
  ];
  if (raw)
    fields.push(
      { name: 'payload', column: leaf('bytes', true) },
      { name: 'problem', column: leaf('string', true) },
    );
  return { kind: 'struct', optional: false, fields };
}

/** Writes the columns every table has. */
export class HeadWriter {
  readonly #ids: Readonly<Record<string, PlacedColumn>>;
  // The names of the slots, put together once.
  readonly #logTime: string;
  readonly #publishTime: string;
  readonly #robot: string;
  readonly #topic: string;
  readonly #sequence: string;
  #words: unknown;
  #publishWords: unknown;
  #times = new BigInt64Array(0);
  #publishTimes = new BigInt64Array(0);

  constructor(readonly builder: BatchBuilder) {
    const ids = Object.fromEntries(builder.root.children.map((child) => [child.name, child]));
    this.#ids = ids;
    this.#logTime = `v${ids['log_time']!.id}`;
    this.#publishTime = `v${ids['publish_time']!.id}`;
    this.#robot = `s${ids['robot']!.id}`;
    this.#topic = `s${ids['topic']!.id}`;
    this.#sequence = `v${ids['sequence']!.id}`;
  }

  put(row: number, { logTime, publishTime, robot, topic, sequence }: MessageHead): void {
    const { slots } = this.builder;
    const words = slots[this.#logTime] as Int32Array;
    if (words !== this.#words) {
      this.#words = words;
      this.#times = new BigInt64Array(words.buffer as ArrayBuffer);
    }
    const publishWords = slots[this.#publishTime] as Int32Array;
    if (publishWords !== this.#publishWords) {
      this.#publishWords = publishWords;
      this.#publishTimes = new BigInt64Array(publishWords.buffer as ArrayBuffer);
    }
    this.#times[row] = logTime;
    this.#publishTimes[row] = publishTime;
    (slots[this.#sequence] as Uint32Array)[row] = sequence;
    (slots[this.#robot] as BytesLeaf | undefined)?.putText(row, robot);
    (slots[this.#topic] as BytesLeaf | undefined)?.putText(row, topic);
  }

  putRaw(row: number, payload: Uint8Array, reason: string): void {
    const { slots } = this.builder;
    const bytes = this.#ids['payload']!;
    (slots[`s${bytes.id}`] as BytesLeaf).put(row, payload, 0, payload.byteLength);
    (slots[`y${bytes.id}`] as Uint8Array)[row] = 1;
    this.putProblem(row, reason);
  }

  putProblem(row: number, reason: string): void {
    const { slots } = this.builder;
    const problem = this.#ids['problem']!;
    (slots[`s${problem.id}`] as BytesLeaf).putText(row, reason);
    (slots[`y${problem.id}`] as Uint8Array)[row] = 1;
  }

  forget(): void {
    this.#words = undefined;
    this.#publishWords = undefined;
  }
}
