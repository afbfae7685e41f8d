import type { Writer } from 'protobufjs/minimal.js';
import { FIXED64, LENGTH_DELIMITED, readUint53, VARINT } from '../../core/protobuf-wire.js';
import { TAG_CHANGES_MAX } from '../../core/tags.js';
import { readFields, utf8, WireFault } from './read-fields.js';
import {
  commandNames,
  LABEL_MAX_CHARS,
  PARAMETER_NAME_MAX_BYTES,
  PARAMETER_VALUE_MAX_BYTES,
  RESULT_MAX_BYTES,
  WINDOW_MAX_S,
  type CommandAnswer,
  type RobotCommand,
} from './robot-command.js';
import { tagsReader, writeTags } from './tags-codec.js';
import { double, string, varint } from './write-telemetry.js';

/** A command or an answer, with the connection and the number that it belongs to. */
export interface Numbered {
  readonly epoch: number;
  readonly id: number;
}

/** Writes a Command. */
export function writeCommand(
  writer: Writer,
  { epoch, id }: Numbered,
  command: RobotCommand | undefined,
): void {
  varint(writer, 1, epoch);
  varint(writer, 2, id);
  if (command === undefined) return;
  varint(writer, 3, commandNames.indexOf(command.name) + 1);
  string(writer, 4, command.label);
  double(writer, 5, command.beforeS);
  double(writer, 6, command.afterS);
  string(writer, 7, command.parameter ?? '');
  string(writer, 8, command.value ?? '');
  writeTags(writer, 9, command.tags ?? {});
}

/** Reads a Command. Throws for one that is not allowed; the name is undefined if it is of a later version. */
export function readCommand(bytes: Uint8Array): Numbered & { readonly command: RobotCommand | undefined } {
  let [epoch, id, number, label, beforeS, afterS] = [0, 0, 0, '', 0, 0];
  let [parameter, value] = ['', ''];
  const tags = new Map<string, string>();
  readFields(bytes, {
    1: [VARINT, (reader) => (epoch = readUint53(reader))],
    2: [VARINT, (reader) => (id = readUint53(reader))],
    3: [VARINT, (reader) => (number = readUint53(reader))],
    4: [LENGTH_DELIMITED, (reader) => (label = utf8(reader))],
    5: [FIXED64, (reader) => (beforeS = reader.double())],
    6: [FIXED64, (reader) => (afterS = reader.double())],
    7: [LENGTH_DELIMITED, (reader) => (parameter = utf8(reader))],
    8: [LENGTH_DELIMITED, (reader) => (value = utf8(reader))],
    9: tagsReader(tags, TAG_CHANGES_MAX),
  });
  if (label.length > LABEL_MAX_CHARS)
    throw new WireFault(`a label of ${label.length} characters, allowed: ${LABEL_MAX_CHARS}`);
  for (const seconds of [beforeS, afterS])
    if (!(seconds >= 0 && seconds <= WINDOW_MAX_S))
      throw new WireFault(`a window of ${seconds} s, allowed: 0 to ${WINDOW_MAX_S}`);
  checkLength(parameter, PARAMETER_NAME_MAX_BYTES);
  checkLength(value, PARAMETER_VALUE_MAX_BYTES);
  const name = commandNames[number - 1];
  if (name === undefined) return { epoch, id, command: undefined };
  const given =
    name === 'set_parameter'
      ? { parameter, value }
      : name === 'set_tags'
        ? { tags: Object.fromEntries(tags) }
        : {};
  return { epoch, id, command: { name, label, beforeS, afterS, ...given } };
}

/** Writes a CommandAnswer. */
export function writeAnswer(writer: Writer, { epoch, id }: Numbered, answer: CommandAnswer): void {
  varint(writer, 1, epoch);
  varint(writer, 2, id);
  varint(writer, 3, answer.ok ? 1 : 0);
  string(writer, 4, answer.code);
  string(writer, 5, answer.message);
  string(writer, 6, answer.result ?? '');
}

const ANSWER_TEXT_BYTES = 1_024;

/** Reads a CommandAnswer. Throws for one that is not allowed. */
export function readAnswer(bytes: Uint8Array): Numbered & { readonly answer: CommandAnswer } {
  let [epoch, id, ok, code, message, result] = [0, 0, false, '', '', ''];
  readFields(bytes, {
    1: [VARINT, (reader) => (epoch = readUint53(reader))],
    2: [VARINT, (reader) => (id = readUint53(reader))],
    3: [VARINT, (reader) => (ok = reader.bool())],
    4: [LENGTH_DELIMITED, (reader) => (code = utf8(reader))],
    5: [LENGTH_DELIMITED, (reader) => (message = utf8(reader))],
    6: [LENGTH_DELIMITED, (reader) => (result = utf8(reader))],
  });
  for (const text of [code, message]) checkLength(text, ANSWER_TEXT_BYTES);
  checkLength(result, RESULT_MAX_BYTES);
  return { epoch, id, answer: { ok, code, message, ...(result === '' ? {} : { result }) } };
}

function checkLength(text: string, maxBytes: number): void {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) throw new WireFault(`a text of ${bytes} bytes, allowed: ${maxBytes}`);
}
