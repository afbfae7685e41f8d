import protobuf from 'protobufjs';
import 'protobufjs/ext/descriptor.js';
import { flatDecoder } from './flat-payload.js';
import { parseFlatSchema } from './flat-schema.js';
import type { DescriptorName } from './descriptor-name.js';
import type { PayloadDecoder } from './payload-decoder.js';
import { protoDecoder, topTypes } from './proto-payload.js';
import { present } from '../../core/present.js';

/** The text of a file that a `.proto` file imports, by its path in the folder; undefined: it does not exist. */
export type ImportedText = (path: string) => string | undefined;

/** Maximum depth of imports, because files may import each other. */
const MAX_IMPORTS = 1_000;
const MESSAGES_SHOWN = 10;

/** Reads a descriptor. Throws an Error with what is wrong with it and what is allowed. */
export function readDescriptor(
  { type, format, isSource }: DescriptorName,
  bytes: Uint8Array,
  imported: ImportedText,
): PayloadDecoder {
  if (format === 'flatbuffers') return flatDecoder(parseFlatSchema(bytes));
  const { root, own } = isSource ? fromSource(bytes, imported) : fromDescriptorSet(bytes);
  return protoDecoder(messageOf(root, own, type));
}

/** The message that a file is about: the one with the type's name, or the only one. */
function messageOf(root: protobuf.Root, own: ReadonlySet<string>, type: string): protobuf.Type {
  const types = topTypes(root);
  const exact = types.get(type);
  if (exact !== undefined) return exact;
  const candidates = [...types].filter(([name]) => own.has(name));
  const named = candidates.filter(([name]) => lastWord(name) === lastWord(type));
  if (named.length === 1) return named[0]![1];
  if (candidates.length === 1) return candidates[0]![1];
  const names = candidates.map(([name]) => name);
  const shown = names.length === 0 ? 'none' : names.slice(0, MESSAGES_SHOWN).join(', ');
  throw new Error(
    `it has no message ${type}, and there are ${names.length} (${shown}); allowed: one, or one of that name`,
  );
}

/** `vehicle.lane_change` and `sim.LaneChange` are the same name. */
function lastWord(name: string): string {
  return present(name.split(/[./]/).at(-1)).replace(/[_-]/g, '').toLowerCase();
}

interface ReadRoot {
  readonly root: protobuf.Root;
  /** Full names of the messages defined in the file itself. */
  readonly own: ReadonlySet<string>;
}

function fromSource(bytes: Uint8Array, imported: ImportedText): ReadRoot {
  const root = new protobuf.Root();
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  const seen = new Set<string>();
  const parse = (source: string): void => {
    const { imports = [], weakImports = [] } = protobuf.parse(source, root, { keepCase: true });
    for (const path of [...imports, ...weakImports]) {
      if (seen.has(path)) continue;
      if (seen.add(path).size > MAX_IMPORTS) throw new Error(`more than ${MAX_IMPORTS} imports`);
      const common = protobuf.common.get(path);
      if (common?.nested) {
        root.addJSON(common.nested);
        continue;
      }
      const other = imported(path);
      if (other === undefined) throw new Error(`it imports ${path}, which is not in the folder`);
      parse(other);
    }
  };
  const { root: alone } = protobuf.parse(text, new protobuf.Root(), { keepCase: true });
  const own = new Set(topTypes(alone).keys());
  parse(text);
  root.resolveAll();
  return { root, own };
}

/** `protoc --descriptor_set_out`: imported files come before the file. */
function fromDescriptorSet(bytes: Uint8Array): ReadRoot {
  const root = protobuf.Root.fromDescriptor(bytes, { keepCase: true });
  root.resolveAll();
  const names = [...topTypes(root).keys()];
  if (names.length === 0)
    throw new Error('it defines no message; allowed: a FileDescriptorSet with at least one');
  const last = lastFilePackage(bytes);
  const own = names.filter((name) => last.has(name));
  return { root, own: new Set(own.length > 0 ? own : names) };
}

/** Full names of the messages of the last file of a set. */
function lastFilePackage(bytes: Uint8Array): ReadonlySet<string> {
  const FILE = 1;
  const PACKAGE = 2;
  const MESSAGE = 4;
  const NAME = 1;
  let last: Uint8Array = new Uint8Array(0);
  for (const [number, value] of lengthDelimited(bytes)) if (number === FILE) last = value;
  let space = '';
  const names: string[] = [];
  for (const [number, value] of lengthDelimited(last)) {
    if (number === PACKAGE) space = `${Buffer.from(value).toString('utf8')}.`;
    if (number !== MESSAGE) continue;
    for (const [inner, name] of lengthDelimited(value)) {
      if (inner === NAME) names.push(Buffer.from(name).toString('utf8'));
    }
  }
  return new Set(names.map((name) => space + name));
}

/** The fields of a message that hold bytes, by number. */
function* lengthDelimited(bytes: Uint8Array): Generator<[number, Uint8Array], void, void> {
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 2) yield [tag >>> 3, reader.bytes()];
    else reader.skipType(tag & 7);
  }
}
