import { Reader, Writer } from 'protobufjs/minimal.js';
import type { Schema } from './message.js';
import { LENGTH_DELIMITED, readInt64, VARINT, writeInt64 } from './protobuf-wire.js';

/** `holdfast.GenericEventRequest` of proto/holdfast/generic_event.proto, with its payload as received. */
export interface GenericEvent {
  /** Nanoseconds since the Unix epoch; 0 if the sender left it out, negative before 1970. */
  readonly timestampNs: bigint;
  readonly eventTypeKey: string;
  readonly workerId: string;
  readonly simulationId: string;
  readonly payloadFormatHint: string;
  /** A view of the parsed bytes. */
  readonly eventPayload: Uint8Array;
}

/** The fields in the order of their numbers, from 1. */
const fields = [
  ['timestamp_ns', VARINT],
  ['event_type_key', LENGTH_DELIMITED],
  ['worker_id', LENGTH_DELIMITED],
  ['simulation_id', LENGTH_DELIMITED],
  ['payload_format_hint', LENGTH_DELIMITED],
  ['event_payload', LENGTH_DELIMITED],
] as const;

const EMPTY = new Uint8Array(0);
const text = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses an envelope as strictly as a proto3 parser: it skips unknown fields, and the last value of a
 * repeated field counts. It also refuses bytes with none of the envelope's fields, because nearly any short
 * text parses as an empty message.
 *
 * @returns the event, or in words what is wrong with the bytes.
 */
export function parseGenericEvent(bytes: Uint8Array): GenericEvent | string {
  const strings = ['', '', '', ''];
  let timestampNs = 0n;
  let eventPayload: Uint8Array = EMPTY;
  let known = 0;
  const reader = Reader.create(bytes);
  let what = 'the first field';
  try {
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      const number = tag >>> 3;
      const wireType = tag & 7;
      const field = fields[number - 1];
      what = field === undefined ? `field ${number}` : field[0];
      if (field === undefined) {
        if (number === 0) return 'a field has number 0';
        reader.skipType(wireType);
        continue;
      }
      if (wireType !== field[1]) return `${what} has wire type ${wireType}, not ${field[1]}`;
      known++;
      if (number === 1) timestampNs = readInt64(reader);
      else if (number === 6) eventPayload = reader.bytes();
      else strings[number - 2] = text.decode(reader.bytes());
    }
  } catch {
    // Only the bytes can be at fault here: a length beyond the end, a number that is too long, text that is
    // not UTF-8.
    return `${what} cannot be read`;
  }
  if (known === 0) return bytes.byteLength === 0 ? 'it is empty' : 'it has none of the fields of an envelope';
  const [eventTypeKey = '', workerId = '', simulationId = '', payloadFormatHint = ''] = strings;
  return { timestampNs, eventTypeKey, workerId, simulationId, payloadFormatHint, eventPayload };
}

const TYPE_STRING = 9;
const TYPE_INT64 = 3;
const TYPE_BYTES = 12;
const LABEL_OPTIONAL = 1;

/** The schema of protobuf channels in MCAP: a `google.protobuf.FileDescriptorSet`. */
function descriptorSet(): Uint8Array {
  const message = Writer.create().uint32(0x0a).string('GenericEventRequest');
  fields.forEach(([name, wireType], index) => {
    const type = wireType === VARINT ? TYPE_INT64 : name === 'event_payload' ? TYPE_BYTES : TYPE_STRING;
    const jsonName = name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    message.uint32(0x12).fork();
    message.uint32(0x0a).string(name);
    message.uint32(0x18).int32(index + 1);
    message.uint32(0x20).int32(LABEL_OPTIONAL);
    message.uint32(0x28).int32(type);
    message.uint32(0x52).string(jsonName);
    message.ldelim();
  });
  const file = Writer.create().uint32(0x0a).string('holdfast/generic_event.proto');
  file.uint32(0x12).string('holdfast').uint32(0x22).bytes(message.finish()).uint32(0x62).string('proto3');
  return Writer.create().uint32(0x0a).bytes(file.finish()).finish();
}

/** The schema of every channel of envelopes. */
export const genericEventSchema: Schema = Object.freeze({
  name: 'holdfast.GenericEventRequest',
  encoding: 'protobuf',
  data: Uint8Array.from(descriptorSet()),
});

/** Encodes an envelope. */
export function encodeGenericEvent(event: GenericEvent): Uint8Array {
  const { timestampNs, eventTypeKey, workerId, simulationId, payloadFormatHint, eventPayload } = event;
  const writer = Writer.create();
  if (timestampNs !== 0n) writeInt64(writer.uint32(0x08), timestampNs);
  [eventTypeKey, workerId, simulationId, payloadFormatHint].forEach((value, index) => {
    if (value !== '') writer.uint32(((index + 2) << 3) | LENGTH_DELIMITED).string(value);
  });
  if (eventPayload.byteLength > 0) writer.uint32(0x32).bytes(eventPayload);
  return writer.finish();
}
