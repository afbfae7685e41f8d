import type { MessageDefinition } from '@foxglove/message-definition';
import { parse } from '@foxglove/rosmsg';
import { actionPart, serviceEvent } from './composed-types.js';
import { present } from '../present.js';

/** Longer definitions are not parsed. */
const MAX_DEFINITION_BYTES = 16 * 1024 * 1024;

/**
 * rosidl adds this field to a structure without fields, so that it is not empty in IDL. ROS hides it from its
 * users.
 */
const EMPTY_MEMBER = 'structure_needs_at_least_one_member';

/** Types that ROS composes into events and actions. rosbag2 leaves their text out. */
const composedOf: ReadonlyMap<string, string> = new Map([
  [
    'service_msgs/ServiceEventInfo',
    'uint8 event_type\nbuiltin_interfaces/Time stamp\nuint8[16] client_gid\nint64 sequence_number',
  ],
  ['unique_identifier_msgs/UUID', 'uint8[16] uuid'],
]);

/** One type of a definition; the root has no line with its name. */
interface Section {
  readonly name: string;
  readonly lines: readonly string[];
}

/**
 * Parses a `ros2msg` definition to what a decoder needs: the root first, then the types of its fields, every
 * type with its full name `pkg/Type`. Constants and defaults are left out: no payload contains them, and
 * rosidl accepts values that the parser refuses (`nan`, `inf`, `TRUE`, `[]`).
 *
 * A type without a package belongs to the package of the message that uses it. For the root, only the name of
 * the schema has that package. For the types of `_service_event` and `_action`, rosbag2 stores the text of
 * the .srv or .action file; their layout is composed from it.
 *
 * @param schemaName `pkg/msg/Type`, the name of the schema
 * @throws Error with what is wrong with the definition
 */
export function parseDefinition(text: string, schemaName: string): MessageDefinition[] {
  if (text.length > MAX_DEFINITION_BYTES) throw new Error('the definition is too long');
  const sections = withComposed(sectionsOf(text, schemaName), schemaName);
  const [root, ...others] = sections;
  const texts = [
    bare(present(root).lines),
    ...others.map(({ name, lines }) => `MSG: ${name}\n${bare(lines)}`),
  ];
  const definitions = parse(texts.join(`\n${'='.repeat(80)}\n`), { ros2: true, skipTypeFixup: true });
  const named = definitions.map((one, index) =>
    index === 0 ? { ...one, name: present(root).name } : { ...one, name: fullName(one.name ?? '') },
  );
  const known = new Set(named.map(({ name }) => name));
  for (const { name, definitions: fields } of named) {
    for (const field of fields) {
      if (field.isComplex === true) Object.assign(field, resolved(field.type, packageOf(name), known));
    }
  }
  return named;
}

/** `pkg/msg/Type` as `pkg/Type`. */
function fullName(name: string): string {
  const parts = name.split('/');
  return parts.length === 3 ? `${parts[0]}/${parts[2]}` : name;
}

function packageOf(name: string): string {
  return name.includes('/') ? name.slice(0, name.indexOf('/')) : '';
}

function sectionsOf(text: string, schemaName: string): Section[] {
  const sections: { name: string; lines: string[] }[] = [{ name: fullName(schemaName), lines: [] }];
  for (const raw of text.split(/\r\n|\r|\n/)) {
    const line = raw.trim();
    if (line.startsWith('==')) {
      sections.push({ name: '', lines: [] });
      continue;
    }
    const section = present(sections.at(-1));
    const named = /^MSG:\s*([^\s#]+)/.exec(line)?.[1];
    if (named === undefined) section.lines.push(line);
    else if (sections.length > 1 || !section.name.includes('/')) section.name = fullName(named);
  }
  return sections.filter(({ name }, index) => index === 0 || name !== '');
}

/** The sections of a service event or of a part of an action, if the root is the text of its file. */
function withComposed(sections: readonly Section[], schemaName: string): readonly Section[] {
  const [root, ...others] = sections;
  if (!present(root).lines.includes('---')) return sections;
  const [pkg = '', kind = '', name = ''] = schemaName.split('/');
  const text = present(root).lines.join('\n');
  const service = kind === 'srv' ? /^(.+)_Event$/.exec(name)?.[1] : undefined;
  const action =
    kind === 'action'
      ? /^(.+?)_(?:FeedbackMessage|SendGoal_Event|GetResult_Event)$/.exec(name)?.[1]
      : undefined;
  const parts =
    service !== undefined
      ? serviceEvent(pkg, service, text)
      : action !== undefined
        ? actionPart(pkg, action, text)
        : undefined;
  if (parts === undefined) return sections;
  const made = [...parts].map(([part, body]) => ({ name: `${pkg}/${part}`, lines: body.split('\n') }));
  const composed = present(made.find((part) => part.name === present(root).name));
  const given = new Set(others.map((section) => section.name));
  const missing = [...composedOf].filter(([part]) => !given.has(part));
  return [
    composed,
    ...made.filter((part) => part !== composed && !given.has(part.name)),
    ...others,
    ...missing.map(([part, body]) => ({ name: part, lines: body.split('\n') })),
  ];
}

const FIELD = /^([a-zA-Z0-9_/]+(?:<=\d+)?(?:\[(?:<=)?\d*\])?)\s+([a-zA-Z0-9_]+)\s*(=?)/;

/** The fields of a type, each with its type and name only. The parser refuses lines that are not fields. */
function bare(lines: readonly string[]): string {
  const kept: string[] = [];
  for (const line of lines) {
    if (line === '' || line.startsWith('#')) continue;
    const [, type, name, assigned] = FIELD.exec(line) ?? [];
    if (type === undefined) kept.push(line);
    else if (assigned === '') kept.push(`${type} ${name}`);
  }
  return kept.length === 1 && kept[0] === `uint8 ${EMPTY_MEMBER}` ? '' : kept.join('\n');
}

/** The full name of a field's type. */
function resolved(
  type: string,
  pkg: string,
  known: ReadonlySet<string | undefined>,
): { readonly type: string } {
  if (type.includes('/')) {
    const full = fullName(type);
    if (known.has(full)) return { type: full };
    throw new Error(`type ${type} is not defined`);
  }
  // Converted recordings use a bare Header in the sense of ROS 1.
  const candidates = [`${pkg}/${type}`, ...(type === 'Header' ? ['std_msgs/Header'] : [])];
  const own = candidates.find((name) => known.has(name));
  if (own !== undefined) return { type: own };
  const same = [...known].filter((name) => name?.endsWith(`/${type}`) === true);
  if (same.length === 1) return { type: same[0]! };
  throw new Error(
    same.length === 0
      ? `type ${type} is not defined`
      : `type ${type} may be ${same.join(' or ')}, and package ${pkg} defines none`,
  );
}
