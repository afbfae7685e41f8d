import { Writer } from 'protobufjs/minimal.js';
import { describeError } from '../../core/errors.js';
import type { FetchRequest } from '../../core/fetch-request.js';
import { LENGTH_DELIMITED, readUint53, tagOf, VARINT } from '../../core/protobuf-wire.js';
import { readAnswer, readCommand, writeAnswer, writeCommand, type Numbered } from './command-codec.js';
import { readRequests, readUpdate, writeRequests, writeUpdate } from './fetch-codec.js';
import type { FetchUpdate } from './fetch-update.js';
import {
  readOutbox,
  readRemoved,
  readStored,
  writeOutbox,
  writeRemoved,
  writeStored,
  type OutboxBatch,
  type RemovedSamples,
  type Stored,
} from './outbox-codec.js';
import { readFields, utf8, WireFault } from './read-fields.js';
import { readTelemetry } from './read-telemetry.js';
import type { CommandAnswer, RobotCommand } from './robot-command.js';
import { readReport, writeReport } from './report-codec.js';
import type { RobotReport } from './robot-report.js';
import type { TelemetryFrame } from './telemetry-frame.js';
import { nested, string, varint, writeTelemetry } from './write-telemetry.js';

/** Version of the protocol that this code speaks. */
export const UPLINK_PROTOCOL = 1;

/** Maximum size of a message, bytes. Receivers refuse larger ones. */
export const MAX_MESSAGE_BYTES = 256 * 1024;

/** First message of a robot. */
export interface Hello {
  readonly kind: 'hello';
  readonly protocol: number;
  readonly robot: string;
  /** Version of Holdfast. */
  readonly version: string;
  /** Vehicle identification number; empty: not a vehicle. */
  readonly vin: string;
  /** The robot keeps samples until the ground confirms them. */
  readonly outbox?: true;
  /** The robot takes requests for segments. */
  readonly requests?: true;
}

/** What a robot sends. */
export type RobotMessage =
  | Hello
  | { readonly kind: 'telemetry'; readonly frame: TelemetryFrame }
  | { readonly kind: 'report'; readonly report: RobotReport }
  | (Numbered & { readonly kind: 'answer'; readonly answer: CommandAnswer })
  | { readonly kind: 'fetch'; readonly update: FetchUpdate }
  | OutboxBatch
  | RemovedSamples;

/** Answer of the ground to a Hello. */
export interface Welcome {
  readonly kind: 'welcome';
  readonly protocol: number;
  /** The ground never gives a robot the same number twice, and later ones are larger. */
  readonly epoch: number;
  /** The ground keeps a history. */
  readonly history?: true;
}

/** The ground misses frames, or does not know the catalogue. */
export interface FullRequest {
  readonly kind: 'full_request';
  readonly epoch: number;
  readonly catalogue: boolean;
}

/** Every open request for segments of the robot; those before no longer count. */
export interface Requests {
  readonly kind: 'requests';
  readonly epoch: number;
  readonly requests: readonly FetchRequest[];
}

/** What the ground sends. */
export type GroundMessage =
  | Welcome
  | FullRequest
  /** `command` is undefined if it is of a later version. */
  | (Numbered & { readonly kind: 'command'; readonly command: RobotCommand | undefined })
  | Requests
  | Stored;

/** A message that cannot be used, in words. */
export interface Unusable {
  readonly kind: 'unusable';
  readonly reason: string;
}

/** Encodes a message of a robot. */
export function encodeRobotMessage(message: RobotMessage): Uint8Array {
  const writer = Writer.create();
  if (message.kind === 'telemetry') {
    nested(writer, 2, () => writeTelemetry(message.frame, writer));
    return writer.finish();
  }
  if (message.kind === 'report') {
    nested(writer, 3, () => writeReport(writer, message.report));
    return writer.finish();
  }
  if (message.kind === 'answer') {
    nested(writer, 4, () => writeAnswer(writer, message, message.answer));
    return writer.finish();
  }
  if (message.kind === 'fetch') {
    nested(writer, 5, () => writeUpdate(writer, message.update));
    return writer.finish();
  }
  if (message.kind === 'outbox') {
    nested(writer, 10, () => writeOutbox(writer, message));
    return writer.finish();
  }
  if (message.kind === 'removed') {
    nested(writer, 11, () => writeRemoved(writer, message));
    return writer.finish();
  }
  nested(writer, 1, () => {
    varint(writer, 1, message.protocol);
    string(writer, 2, message.robot);
    string(writer, 3, message.version);
    string(writer, 4, message.vin);
    varint(writer, 10, message.outbox === true ? 1 : 0);
    varint(writer, 11, message.requests === true ? 1 : 0);
  });
  return writer.finish();
}

/** Decodes a message of a robot. Never throws: hostile bytes are `unusable`. */
export function decodeRobotMessage(bytes: Uint8Array): RobotMessage | Unusable {
  let message: RobotMessage | undefined;
  return usable(bytes, () => {
    readFields(bytes, {
      1: [LENGTH_DELIMITED, (reader) => (message = readHello(reader.bytes()))],
      2: [
        LENGTH_DELIMITED,
        (reader) => (message = { kind: 'telemetry', frame: readTelemetry(reader.bytes()) }),
      ],
      3: [LENGTH_DELIMITED, (reader) => (message = { kind: 'report', report: readReport(reader.bytes()) })],
      4: [LENGTH_DELIMITED, (reader) => (message = { kind: 'answer', ...readAnswer(reader.bytes()) })],
      5: [LENGTH_DELIMITED, (reader) => (message = { kind: 'fetch', update: readUpdate(reader.bytes()) })],
      10: [LENGTH_DELIMITED, (reader) => (message = readOutbox(reader.bytes()))],
      11: [LENGTH_DELIMITED, (reader) => (message = readRemoved(reader.bytes()))],
    });
    return message;
  });
}

/** Encodes a message of the ground. */
export function encodeGroundMessage(message: GroundMessage): Uint8Array {
  const writer = Writer.create();
  if (message.kind === 'welcome') {
    nested(writer, 1, () => {
      varint(writer, 1, message.protocol);
      varint(writer, 2, message.epoch);
      varint(writer, 10, message.history === true ? 1 : 0);
    });
    return writer.finish();
  }
  if (message.kind === 'stored') {
    nested(writer, 10, () => writeStored(writer, message));
    return writer.finish();
  }
  if (message.kind === 'requests') {
    nested(writer, 4, () => writeRequests(writer, message.epoch, message.requests));
    return writer.finish();
  }
  if (message.kind === 'command') {
    nested(writer, 3, () => writeCommand(writer, message, message.command));
    return writer.finish();
  }
  nested(writer, 2, () => {
    varint(writer, 1, message.epoch);
    if (message.catalogue) writer.uint32(tagOf(2, VARINT)).bool(true);
  });
  return writer.finish();
}

/** Decodes a message of the ground. Never throws: hostile bytes are `unusable`. */
export function decodeGroundMessage(bytes: Uint8Array): GroundMessage | Unusable {
  let message: GroundMessage | undefined;
  return usable(bytes, () => {
    readFields(bytes, {
      1: [LENGTH_DELIMITED, (reader) => (message = readWelcome(reader.bytes()))],
      2: [LENGTH_DELIMITED, (reader) => (message = readFullRequest(reader.bytes()))],
      3: [LENGTH_DELIMITED, (reader) => (message = { kind: 'command', ...readCommand(reader.bytes()) })],
      4: [LENGTH_DELIMITED, (reader) => (message = { kind: 'requests', ...readRequests(reader.bytes()) })],
      10: [LENGTH_DELIMITED, (reader) => (message = readStored(reader.bytes()))],
    });
    return message;
  });
}

function usable<T>(bytes: Uint8Array, read: () => T | undefined): T | Unusable {
  if (bytes.byteLength > MAX_MESSAGE_BYTES) {
    return { kind: 'unusable', reason: `${bytes.byteLength} bytes, allowed: ${MAX_MESSAGE_BYTES}` };
  }
  try {
    return read() ?? { kind: 'unusable', reason: 'it has none of the known messages' };
  } catch (error) {
    // Only the bytes can be at fault here: a value that is not allowed, a length beyond the end, no UTF-8.
    return { kind: 'unusable', reason: describeError(error) };
  }
}

function readHello(bytes: Uint8Array): Hello {
  let protocol = 0;
  let [robot, version, vin] = ['', '', ''];
  const more: { outbox?: true; requests?: true } = {};
  readFields(bytes, {
    1: [VARINT, (reader) => (protocol = readUint53(reader))],
    2: [LENGTH_DELIMITED, (reader) => (robot = utf8(reader))],
    3: [LENGTH_DELIMITED, (reader) => (version = utf8(reader))],
    4: [LENGTH_DELIMITED, (reader) => (vin = utf8(reader))],
    10: [VARINT, (reader) => reader.bool() && (more.outbox = true)],
    11: [VARINT, (reader) => reader.bool() && (more.requests = true)],
  });
  if (protocol < 1) throw new WireFault('protocol 0, allowed: at least 1');
  return { kind: 'hello', protocol, robot, version, vin, ...more };
}

function readWelcome(bytes: Uint8Array): Welcome {
  let [protocol, epoch] = [0, 0];
  const more: { history?: true } = {};
  readFields(bytes, {
    1: [VARINT, (reader) => (protocol = readUint53(reader))],
    2: [VARINT, (reader) => (epoch = readUint53(reader))],
    10: [VARINT, (reader) => reader.bool() && (more.history = true)],
  });
  if (epoch < 1) throw new WireFault('epoch 0, allowed: at least 1');
  return { kind: 'welcome', protocol, epoch, ...more };
}

function readFullRequest(bytes: Uint8Array): FullRequest {
  let epoch = 0;
  let catalogue = false;
  readFields(bytes, {
    1: [VARINT, (reader) => (epoch = readUint53(reader))],
    2: [VARINT, (reader) => (catalogue = reader.bool())],
  });
  return { kind: 'full_request', epoch, catalogue };
}
