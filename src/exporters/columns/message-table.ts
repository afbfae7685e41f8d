import { genericEventSchema, parseGenericEvent, type GenericEvent } from '../../core/generic-event.js';
import type { Schema } from '../../core/message.js';
import type { NatsIdentity } from '../../core/nats-identity.js';
import {
  BatchBuilder,
  isWide,
  type Batch,
  type BytesLeaf,
  type NumberArray,
  type PlacedColumn,
} from './batch.js';
import { wideAt } from './batch-rows.js';
import { asOptional, columnsOf, leaf, unionOf, type NamedColumn, type StructColumn } from './column.js';
import { compileCdr } from './compile-cdr.js';
import { compileFill, type FillAbsent } from './generate-cdr.js';
import { parseTypeTree, type StructNode } from './type-tree.js';

/** What a table must know of a message beside its payload. */
export interface MessageHead {
  readonly logTime: bigint;
  readonly publishTime: bigint;
  readonly robot: string;
  readonly topic: string;
  readonly sequence: number;
  /** Of what came from a JetStream stream; a table of events has columns for it. */
  readonly identity?: NatsIdentity;
}

/** One way messages of a table are encoded: a version of a type, or several types that share a table. */
export interface MessageKind {
  readonly encoding: string;
  readonly schema: Schema;
}

export interface MessageTableOptions {
  readonly flatten: boolean;
  /** Keep what cannot be decoded: columns `payload` and `problem`. */
  readonly raw: boolean;
  /** Given where every row has the same. */
  readonly robot?: string;
  readonly topic?: string;
}

/** Columns every table has, before those of the message. */
export const headNames = ['log_time', 'publish_time', 'robot', 'topic', 'sequence'] as const;
const reserved: ReadonlySet<string> = new Set([...headNames, 'payload', 'problem']);

/** The name a message's field gets where its own is taken by a column every table has. */
export function fieldColumn(name: string): string {
  return reserved.has(name) ? `message.${name}` : name;
}

/** Larger payloads are not decoded. */
const DECODE_MAX_BYTES = 256 * 1024 * 1024;

type Decode = (payload: Uint8Array, head: MessageHead) => void;

/** A kind that could be understood, or why not. */
type Understood =
  | { readonly how: 'cdr'; readonly type: StructNode; readonly columns: StructColumn }
  | { readonly how: 'json' }
  | { readonly how: 'event' }
  | { readonly how: 'not'; readonly reason: string };

/**
 * Messages of one or more kinds as rows of one table, whose columns are the union of those of all kinds.
 * Pure: no I/O.
 */
export class MessageTable {
  readonly columns: StructColumn;
  /** Kinds that differ in their columns; more than one means that a type changed, or types share the table. */
  readonly versions: number;
  readonly #builder: BatchBuilder;
  readonly #decoders = new Map<string, Decode | string>();
  readonly #head: HeadWriter;
  readonly #fill: FillAbsent;

  constructor(
    kinds: readonly MessageKind[],
    readonly options: MessageTableOptions,
  ) {
    const understood = new Map(kinds.map((kind) => [kindKey(kind), understand(kind, options.flatten)]));
    const shapes = new Map<string, StructColumn>();
    for (const one of understood.values()) {
      if (one.how === 'cdr') shapes.set(JSON.stringify(one.columns), one.columns);
      if (one.how === 'json') shapes.set('json', jsonColumns);
      if (one.how === 'event') shapes.set('event', eventColumns);
    }
    this.versions = shapes.size;
    this.columns = withHead([...shapes.values()], options);
    this.#builder = new BatchBuilder(this.columns);
    this.#head = new HeadWriter(this.#builder);
    this.#fill = compileFill(this.#builder.root);
    for (const [key, one] of understood) this.#decoders.set(key, this.#decoderOf(one));
  }

  get rows(): number {
    return this.#builder.rows;
  }

  /** Whether messages of this kind have a place: undefined, or the reason why they have none. */
  obstacle(kind: MessageKind): string | undefined {
    const decoder = this.#decoders.get(kindKey(kind));
    if (decoder === undefined) return 'its definition was not announced';
    return typeof decoder === 'string' ? decoder : undefined;
  }

  /** A function that adds messages of a kind; it returns undefined, or the reason why one was not decoded. */
  adder(kind: MessageKind): (head: MessageHead, payload: Uint8Array) => string | undefined {
    const decoder = this.#decoders.get(kindKey(kind)) ?? 'its definition was not announced';
    if (typeof decoder === 'string') return (head, payload) => this.#addRaw(head, payload, decoder);
    const builder = this.#builder;
    const head = this.#head;
    return (facts, payload) => {
      const row = builder.rows;
      if (payload.byteLength > DECODE_MAX_BYTES) {
        const reason = `${payload.byteLength} bytes, decoded are up to ${DECODE_MAX_BYTES}`;
        return this.#addRaw(facts, payload, reason);
      }
      try {
        decoder(payload, facts);
      } catch (error) {
        builder.rows = row;
        return this.#addRaw(facts, payload, error instanceof Error ? error.message : String(error));
      }
      head.put(row, facts);
      return undefined;
    };
  }

  /** The columns with their places, for {@link lastValues}. */
  get root(): PlacedColumn {
    return this.#builder.root;
  }

  /** Values of number leaves of the row added last, and forgets the row. */
  lastValues(leaves: readonly PlacedColumn[]): (number | bigint | null)[] {
    const { slots } = this.#builder;
    const row = this.#builder.rows - 1;
    this.#builder.rows = 0;
    return leaves.map(({ id, column }) => {
      if (column.optional && (slots[`y${id}`] as Uint8Array)[row] === 0) return null;
      const values = slots[`v${id}`] as NumberArray;
      if (column.kind === 'leaf' && isWide(column.type)) return wideAt({ values }, row);
      return values[row]!;
    });
  }

  /** The rows so far; the table is empty afterwards. */
  take(): Batch {
    this.#head.forget();
    return this.#builder.take();
  }

  #addRaw(facts: MessageHead, payload: Uint8Array, reason: string): string {
    if (this.options.raw) {
      const builder = this.#builder;
      builder.reserveRow();
      const row = builder.rows;
      this.#fill(builder.slots, row);
      this.#head.put(row, facts);
      this.#head.putRaw(row, payload, reason);
      builder.rows = row + 1;
    }
    return reason;
  }

  #decoderOf(one: Understood): Decode | string {
    if (one.how === 'not') return one.reason;
    const { flatten } = this.options;
    const builder = this.#builder;
    if (one.how === 'cdr') {
      try {
        const renamed = new Map(one.type.fields.map(({ name }) => [name, fieldColumn(name)]));
        return compileCdr(one.type, builder, builder.root, { flatten }, renamed);
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    }
    if (one.how === 'event') return eventDecoder(builder, this.#fill);
    const column = builder.root.children.find(({ name }) => name === 'json')!;
    const text = new TextDecoder('utf-8', { fatal: true });
    return (payload) => {
      JSON.parse(text.decode(payload));
      builder.reserveRow();
      const row = builder.rows;
      this.#fill(builder.slots, row);
      if (column.column.optional) (builder.slots[`y${column.id}`] as Uint8Array)[row] = 1;
      (builder.slots[`s${column.id}`] as BytesLeaf).put(row, payload, 0, payload.byteLength);
      builder.rows = row + 1;
    };
  }
}

const jsonColumns: StructColumn = {
  kind: 'struct',
  optional: false,
  fields: [{ name: 'json', column: leaf('json') }],
};

/** The fields of an event's envelope, and which message of a stream it is. */
const eventColumns: StructColumn = {
  kind: 'struct',
  optional: false,
  fields: [
    { name: 'timestamp_ns', column: leaf('int64') },
    { name: 'event_type_key', column: leaf('string') },
    { name: 'worker_id', column: leaf('string') },
    { name: 'simulation_id', column: leaf('string') },
    { name: 'payload_format_hint', column: leaf('string') },
    { name: 'event_payload', column: leaf('bytes') },
    { name: 'stream', column: leaf('string', true) },
    { name: 'stream_created', column: leaf('string', true) },
    { name: 'stream_sequence', column: leaf('uint64', true) },
  ],
};

function eventDecoder(builder: BatchBuilder, fill: FillAbsent): Decode {
  const columns = new Map(builder.root.children.map((child) => [child.name, child]));
  const put = (name: string, row: number, value: string | bigint | Uint8Array): void => {
    const { id, column } = columns.get(name)!;
    const { slots } = builder;
    if (column.optional) (slots[`y${id}`] as Uint8Array)[row] = 1;
    if (typeof value === 'bigint') {
      const words = slots[`v${id}`] as Int32Array;
      words[2 * row] = Number(BigInt.asIntN(32, value));
      words[2 * row + 1] = Number(BigInt.asIntN(32, value >> 32n));
    } else if (typeof value === 'string') (slots[`s${id}`] as BytesLeaf).putText(row, value);
    else (slots[`s${id}`] as BytesLeaf).put(row, value, 0, value.byteLength);
  };
  return (payload, { identity }) => {
    const event: GenericEvent | string = parseGenericEvent(payload);
    if (typeof event === 'string') throw new Error(event);
    builder.reserveRow();
    const row = builder.rows;
    fill(builder.slots, row);
    put('timestamp_ns', row, event.timestampNs);
    put('event_type_key', row, event.eventTypeKey);
    put('worker_id', row, event.workerId);
    put('simulation_id', row, event.simulationId);
    put('payload_format_hint', row, event.payloadFormatHint);
    put('event_payload', row, event.eventPayload);
    if (identity) {
      put('stream', row, identity.stream);
      put('stream_created', row, identity.streamCreated);
      put('stream_sequence', row, identity.sequence);
    }
    builder.rows = row + 1;
  };
}

/** Whether messages of this kind are envelopes of events. */
export function isEventKind({ encoding, schema }: MessageKind): boolean {
  return encoding === 'protobuf' && schema.name === genericEventSchema.name;
}

function kindKey({ encoding, schema }: MessageKind): string {
  return JSON.stringify([
    encoding,
    schema.name,
    schema.encoding,
    Buffer.from(schema.data).toString('latin1'),
  ]);
}

function understand(kind: MessageKind, flatten: boolean): Understood {
  const { encoding, schema } = kind;
  if (isEventKind(kind)) return { how: 'event' };
  if (encoding === 'json') return { how: 'json' };
  const not = (reason: string): Understood => ({ how: 'not', reason });
  if (encoding !== 'cdr') return not(`encoding "${encoding}" is not decoded`);
  if (schema.data.byteLength === 0 && schema.encoding === '') return not('the channel has no schema');
  if (schema.encoding !== 'ros2msg') return not(`schema encoding "${schema.encoding}" is not decoded`);
  try {
    const type = parseTypeTree(new TextDecoder().decode(schema.data));
    const { fields, ...struct } = columnsOf(type, { flatten });
    const renamed = fields.map((field) => ({ ...field, name: fieldColumn(field.name) }));
    return { how: 'cdr', type, columns: { ...struct, fields: renamed } };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return not(`the definition of ${schema.name} cannot be used: ${reason}`);
  }
}

function withHead(shapes: readonly StructColumn[], options: MessageTableOptions): StructColumn {
  const { robot, topic, raw, flatten } = options;
  let message = shapes[0] ?? { kind: 'struct' as const, optional: false, fields: [] };
  for (const shape of shapes.slice(1)) message = unionOf(message, shape, flatten);
  const fields: NamedColumn[] = [
    { name: 'log_time', column: leaf('time') },
    { name: 'publish_time', column: leaf('time') },
    { name: 'robot', column: { ...leaf('string'), ...(robot === undefined ? {} : { constant: robot }) } },
    { name: 'topic', column: { ...leaf('string'), ...(topic === undefined ? {} : { constant: topic }) } },
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
class HeadWriter {
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
    const [bytes, problem] = [this.#ids['payload']!, this.#ids['problem']!];
    (slots[`s${bytes.id}`] as BytesLeaf).put(row, payload, 0, payload.byteLength);
    (slots[`y${bytes.id}`] as Uint8Array)[row] = 1;
    (slots[`s${problem.id}`] as BytesLeaf).putText(row, reason);
    (slots[`y${problem.id}`] as Uint8Array)[row] = 1;
  }

  forget(): void {
    this.#words = undefined;
    this.#publishWords = undefined;
  }
}
