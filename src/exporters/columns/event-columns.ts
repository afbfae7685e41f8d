import { genericEventSchema, parseGenericEvent, type GenericEvent } from '../../core/generic-event.js';
import type { Schema } from '../../core/message.js';
import { present } from '../../core/present.js';
import type { BatchBuilder, BytesLeaf } from './batch.js';
import { leaf, type NamedColumn, type StructColumn } from './column.js';
import type { FillAbsent } from './generate-cdr.js';
import type { MessageHead } from './head-columns.js';
import { putValue, type PlainValue } from './put-value.js';

/** The payload of an event in columns. */
export interface EventCells {
  /** Name of the table's column. */
  readonly column: string;
  readonly own: StructColumn;
  readonly value: PlainValue;
  /** The parts that its descriptor does not describe. */
  readonly unknown?: string;
}

/** How the payloads of events become columns. */
export interface EventPayloads {
  /** All may be missing. */
  readonly columns: readonly NamedColumn[];
  /** The cells; or the reason why a payload stays as bytes alone; undefined: it is of no format that is decoded. */
  decode(event: GenericEvent): EventCells | string | undefined;
}

/**
 * Adds a row. Returns the bytes left over behind the message, if any; or the part that could not be decoded, if the row
 * exists anyway.
 */
export type Decode = (payload: Uint8Array, head: MessageHead) => number | string | undefined;

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

export function withPayloads(payloads: EventPayloads | undefined): StructColumn {
  return payloads ? { ...eventColumns, fields: [...eventColumns.fields, ...payloads.columns] } : eventColumns;
}

export function eventDecoder(
  builder: BatchBuilder,
  fill: FillAbsent,
  payloads: EventPayloads | undefined,
): Decode {
  const columns = new Map(builder.root.children.map((child) => [child.name, child]));
  const put = (name: string, row: number, value: string | bigint | Uint8Array): void => {
    const { id, column } = present(columns.get(name));
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
    const cells = payloads?.decode(event);
    if (typeof cells === 'object')
      putValue(builder, present(columns.get(cells.column)), row, cells.own, cells.value);
    builder.rows = row + 1;
    return typeof cells === 'object' ? cells.unknown : cells;
  };
}

/** Whether messages of this kind are envelopes of events. */
export function isEventKind({ encoding, schema }: { encoding: string; schema: Schema }): boolean {
  return encoding === 'protobuf' && schema.name === genericEventSchema.name;
}
