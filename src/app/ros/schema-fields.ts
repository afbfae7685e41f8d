import { ROS_ABSENT, ROS_FIELDS, type Schema } from '../../core/documents/described.js';
import type { Fields } from './cdr-encoder.js';
import { MessageType } from './message-type.js';

type JsonSchema = Readonly<Record<string, unknown>>;
type Members = Readonly<Record<string, unknown>>;

/** A field of the message, and how it follows from the value that the schema describes. */
interface FieldRule {
  readonly field: string;
  readonly valueOf: (described: unknown) => unknown;
}

/** The fields of a ROS message for a value of type `T`. */
export type FillFields<T> = (value: T) => Fields;

/**
 * Derives from the schema of a value, whose members name their fields, how to fill a ROS message. For an
 * absent member, the field gets the value in {@link ROS_ABSENT}, or otherwise zero, false or nothing.
 *
 * @param special - Fields that are filled in another way.
 */
export function fieldsFromSchema<T>(
  schema: Schema<T>,
  type: MessageType,
  special: Readonly<Record<string, (value: T) => unknown>> = {},
): FillFields<T> {
  const rules = rulesOf(schema, type, (value) => value, new Set(Object.keys(special)));
  return (value) => ({
    ...fill(rules, value),
    ...Object.fromEntries(Object.entries(special).map(([field, valueOf]) => [field, valueOf(value)])),
  });
}

function fill(rules: readonly FieldRule[], value: unknown): Record<string, unknown> {
  return Object.fromEntries(rules.map(({ field, valueOf }) => [field, valueOf(value)]));
}

function rulesOf(
  schema: JsonSchema,
  type: MessageType,
  outer: FieldRule['valueOf'],
  except: ReadonlySet<string> = new Set(),
): FieldRule[] {
  return Object.entries((schema['properties'] ?? {}) as Record<string, JsonSchema>).flatMap(
    ([name, member]) => {
      const inner = (value: unknown): unknown => (outer(value) as Members | undefined)?.[name];
      const fields = member[ROS_FIELDS] as readonly string[] | undefined;
      if (fields !== undefined) {
        const names = fields.map((field) => field.slice(field.indexOf(' ') + 1));
        return names.some((one) => except.has(one)) ? [] : fieldRules(member, fields[0]!, names, type, inner);
      }
      if (member['properties'] !== undefined) return rulesOf(member, type, inner, except);
      // For a list of objects that is not a list of messages, each member fills its own list.
      return rulesOf((member['items'] ?? {}) as JsonSchema, type, (value) => value).map(
        ({ field, valueOf }) => ({ field, valueOf: (value) => listOf(inner(value)).map(valueOf) }),
      );
    },
  );
}

/** @param field - The first of the fields with its type, as in a .msg file: `uint64 received`. */
function fieldRules(
  member: JsonSchema,
  field: string,
  names: readonly string[],
  type: MessageType,
  inner: FieldRule['valueOf'],
): FieldRule[] {
  const [first = '', second] = names;
  if (second !== undefined) {
    const counts = (value: unknown): Members => (inner(value) ?? {}) as Members;
    return [
      { field: first, valueOf: (value) => Object.keys(counts(value)) },
      { field: second, valueOf: (value) => Object.values(counts(value)) },
    ];
  }
  const items = member['items'] as JsonSchema | undefined;
  if (items?.['type'] === 'string') return [{ field: first, valueOf: (value) => listOf(inner(value)) }];
  if (items !== undefined) {
    const part = MessageType.own(field.slice(0, field.indexOf('[')));
    const rules = rulesOf(items, part, (value) => value);
    return [{ field: first, valueOf: (value) => listOf(inner(value)).map((one) => fill(rules, one)) }];
  }
  const scalar = scalarOf(member, field, type);
  return [{ field: first, valueOf: (value) => scalar(inner(value)) }];
}

function scalarOf(member: JsonSchema, field: string, type: MessageType): FieldRule['valueOf'] {
  if (field.startsWith('uint8 ')) {
    const prefix = field.slice('uint8 '.length).toUpperCase();
    const words = (member['enum'] as readonly string[]).map(
      (word) => [word, type.constant(`${prefix}_${word.toUpperCase()}`)] as const,
    );
    const constants = new Map<unknown, number>(words);
    return (word) => constants.get(word) ?? 0;
  }
  if (field.startsWith('builtin_interfaces/Time')) return (time) => BigInt((time as string | undefined) ?? 0);
  if (field.startsWith('string')) return (text) => text ?? '';
  if (field.startsWith('bool')) return (flag) => flag ?? member[ROS_ABSENT] ?? false;
  const absent = member[ROS_ABSENT] ?? 0;
  return (number) => number ?? absent;
}

function listOf(value: unknown): readonly unknown[] {
  return (value ?? []) as readonly unknown[];
}
