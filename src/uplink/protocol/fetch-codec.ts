import type { Reader, Writer } from 'protobufjs/minimal.js';
import { isRequestId, type Amount, type FetchRequest } from '../../core/fetch-request.js';
import {
  FIXED64,
  LENGTH_DELIMITED,
  readFixed64,
  readUint53,
  tagOf,
  VARINT,
  writeFixed64,
} from '../../core/protobuf-wire.js';
import { fetchedStates, fetchLimits, fetchStates, type FetchUpdate } from './fetch-update.js';
import { readFields, utf8, WireFault } from './read-fields.js';
import { nested, string, varint } from './write-telemetry.js';

/** Writes the content of Requests. */
export function writeRequests(writer: Writer, epoch: number, requests: readonly FetchRequest[]): void {
  varint(writer, 1, epoch);
  for (const one of requests) nested(writer, 2, () => writeRequest(writer, one));
}

function writeRequest(writer: Writer, request: FetchRequest): void {
  string(writer, 1, request.id);
  string(writer, 2, request.robot);
  time(writer, 3, request.from);
  time(writer, 4, request.to);
  for (const topic of request.topics ?? []) writer.uint32(tagOf(5, LENGTH_DELIMITED)).string(topic);
  time(writer, 6, request.createdAt);
  time(writer, 7, request.expiresAt);
  string(writer, 8, request.by ?? '');
}

/** Reads Requests. Throws for what is not allowed. */
export function readRequests(bytes: Uint8Array): {
  readonly epoch: number;
  readonly requests: readonly FetchRequest[];
} {
  let epoch = 0;
  const requests: FetchRequest[] = [];
  readFields(bytes, {
    1: [VARINT, (reader) => (epoch = readUint53(reader))],
    2: [LENGTH_DELIMITED, (reader) => add(requests, readRequest(reader.bytes()), 'requests')],
  });
  return { epoch, requests };
}

function readRequest(bytes: Uint8Array): FetchRequest {
  let [id, robot, from, to, createdAt, expiresAt, by] = ['', '', '0', '0', '0', '0', ''];
  const topics: string[] = [];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (id = idOf(reader))],
    2: [LENGTH_DELIMITED, (reader) => (robot = limited(reader))],
    3: [FIXED64, (reader) => (from = timeOf(reader))],
    4: [FIXED64, (reader) => (to = timeOf(reader))],
    5: [LENGTH_DELIMITED, (reader) => add(topics, limited(reader), 'topics')],
    6: [FIXED64, (reader) => (createdAt = timeOf(reader))],
    7: [FIXED64, (reader) => (expiresAt = timeOf(reader))],
    8: [LENGTH_DELIMITED, (reader) => (by = limited(reader))],
  });
  if (id === '') throw new WireFault('a request without an id');
  return {
    ...{ format: 'holdfast-request', version: 1, id, robot, from, to },
    ...(topics.length === 0 ? {} : { topics }),
    ...{ createdAt, expiresAt },
    ...(by === '' ? {} : { by }),
  };
}

/** Writes the content of a FetchUpdate. */
export function writeUpdate(writer: Writer, update: FetchUpdate): void {
  string(writer, 1, update.id);
  string(writer, 2, update.place);
  varint(writer, 3, fetchStates.indexOf(update.state));
  time(writer, 4, update.at);
  string(writer, 5, update.reason);
  nested(writer, 6, () => writeAmount(writer, update.matched));
  nested(writer, 7, () => writeAmount(writer, update.stored));
  varint(writer, 8, update.sendingBytes);
  varint(writer, 9, update.isRecording ? 1 : 0);
  for (const one of update.segments)
    nested(writer, 10, () => {
      string(writer, 1, one.name);
      string(writer, 2, one.key);
      varint(writer, 3, one.bytes);
      varint(writer, 4, fetchedStates.indexOf(one.state));
      string(writer, 5, one.reason);
    });
  for (const one of update.gone)
    nested(writer, 11, () => {
      string(writer, 1, one.name);
      varint(writer, 2, one.messages);
      varint(writer, 3, one.bytes);
      time(writer, 4, one.at);
      string(writer, 5, one.reason);
    });
  varint(writer, 12, update.goneSegments);
}

/** Reads a FetchUpdate. Throws for what is not allowed. */
export function readUpdate(bytes: Uint8Array): FetchUpdate {
  let [id, place, at, reason, state, sendingBytes, isRecording, goneSegments] = [
    '',
    '',
    '0',
    '',
    0,
    0,
    false,
    0,
  ];
  const none: Amount = { segments: 0, bytes: 0 };
  let [matched, stored] = [none, none];
  const segments: FetchUpdate['segments'][number][] = [];
  const gone: FetchUpdate['gone'][number][] = [];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (id = idOf(reader))],
    2: [LENGTH_DELIMITED, (reader) => (place = limited(reader))],
    3: [VARINT, (reader) => (state = readUint53(reader))],
    4: [FIXED64, (reader) => (at = timeOf(reader))],
    5: [LENGTH_DELIMITED, (reader) => (reason = limited(reader))],
    6: [LENGTH_DELIMITED, (reader) => (matched = readAmount(reader.bytes()))],
    7: [LENGTH_DELIMITED, (reader) => (stored = readAmount(reader.bytes()))],
    8: [VARINT, (reader) => (sendingBytes = readUint53(reader))],
    9: [VARINT, (reader) => (isRecording = reader.bool())],
    10: [LENGTH_DELIMITED, (reader) => add(segments, readSegment(reader.bytes()), 'segments')],
    11: [LENGTH_DELIMITED, (reader) => add(gone, readGone(reader.bytes()), 'gone')],
    12: [VARINT, (reader) => (goneSegments = readUint53(reader))],
  });
  if (id === '') throw new WireFault('an update without the id of its request');
  if (!/^([0-9a-f]{16})?$/.test(place)) throw new WireFault('a place that is not 16 hex digits');
  return {
    ...{ id, place, state: oneOf(fetchStates, state), at, reason },
    ...{ matched, stored, sendingBytes, isRecording },
    ...{ segments, gone, goneSegments },
  };
}

function writeAmount(writer: Writer, { segments, bytes }: Amount): void {
  varint(writer, 1, segments);
  varint(writer, 2, bytes);
}

function readAmount(bytes: Uint8Array): Amount {
  let [segments, size] = [0, 0];
  readFields(bytes, {
    1: [VARINT, (reader) => (segments = readUint53(reader))],
    2: [VARINT, (reader) => (size = readUint53(reader))],
  });
  return { segments, bytes: size };
}

function readSegment(bytes: Uint8Array): FetchUpdate['segments'][number] {
  let [name, key, size, state, reason] = ['', '', 0, 0, ''];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (name = limited(reader))],
    2: [LENGTH_DELIMITED, (reader) => (key = limited(reader))],
    3: [VARINT, (reader) => (size = readUint53(reader))],
    4: [VARINT, (reader) => (state = readUint53(reader))],
    5: [LENGTH_DELIMITED, (reader) => (reason = limited(reader))],
  });
  return { name, key, bytes: size, state: oneOf(fetchedStates, state), reason };
}

function readGone(bytes: Uint8Array): FetchUpdate['gone'][number] {
  let [name, messages, size, at, reason] = ['', 0, 0, '0', ''];
  readFields(bytes, {
    1: [LENGTH_DELIMITED, (reader) => (name = limited(reader))],
    2: [VARINT, (reader) => (messages = readUint53(reader))],
    3: [VARINT, (reader) => (size = readUint53(reader))],
    4: [FIXED64, (reader) => (at = timeOf(reader))],
    5: [LENGTH_DELIMITED, (reader) => (reason = limited(reader))],
  });
  return { name, messages, bytes: size, at, reason };
}

function oneOf<T extends string>(names: readonly T[], number: number): T {
  const name = names[number];
  if (name === undefined) throw new WireFault(`state ${number}, allowed: 0 to ${names.length - 1}`);
  return name;
}

function add<T>(list: T[], one: T, what: 'requests' | 'topics' | 'segments' | 'gone'): void {
  if (list.length >= fetchLimits[what]) throw new WireFault(`more than ${fetchLimits[what]} ${what}`);
  list.push(one);
}

function idOf(reader: Reader): string {
  const id = utf8(reader);
  if (!isRequestId(id)) throw new WireFault('an id that is not 32 hex digits');
  return id;
}

function limited(reader: Reader): string {
  const text = utf8(reader);
  if (Buffer.byteLength(text) > fetchLimits.textBytes)
    throw new WireFault(`a text of ${Buffer.byteLength(text)} bytes, allowed: ${fetchLimits.textBytes}`);
  return text;
}

function time(writer: Writer, number: number, value: string): void {
  writeFixed64(writer.uint32(tagOf(number, FIXED64)), BigInt(value));
}

function timeOf(reader: Reader): string {
  return String(BigInt.asUintN(64, readFixed64(reader)));
}
