/** What a field of a log channel holds, in ROS' words. */
export const scalarTypes = [
  'bool',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'string',
] as const;
export type ScalarType = (typeof scalarTypes)[number];

/** How many bytes of UTF-8 a text of a log channel may have. */
export const STRING_MAX_BYTES = 256;
/** And one that names a vehicle or a state. */
export const NAME_MAX_BYTES = 64;
/** Elements of a list. */
export const LIST_MAX = 256;

/**
 * One field of a logged message. `name` is its name in the message and in CSV, `key` that in the sample.
 *
 * - `scalar`: a number, bool or text. A number that is `optional` and not given is NaN, a text is empty.
 * - `id`: who: a text, or an integer which becomes one.
 * - `receive-time`: when the call was made, not taken from the sample.
 * - `list`: of messages of their own type; in the sample an array, or a Map or object by the elements' `id`.
 */
export type Field =
  | {
      readonly kind: 'scalar';
      readonly name: string;
      readonly key: string;
      readonly type: ScalarType;
      readonly optional?: boolean;
      readonly maxBytes?: number;
      readonly comment?: string;
    }
  | { readonly kind: 'id'; readonly name: string; readonly key: string; readonly comment?: string }
  | { readonly kind: 'receive-time'; readonly name: string; readonly comment?: string }
  | {
      readonly kind: 'list';
      readonly name: string;
      readonly key: string;
      /** The elements' type, `pkg/Type`; its first field is its `id`. */
      readonly of: MessageDefinition;
      readonly comment?: string;
    };

/** A type of message, as its .msg file says it. */
export interface MessageDefinition {
  /** `pkg/Type` */
  readonly type: string;
  /** What the message is, for the head of its definition. */
  readonly about?: string;
  readonly fields: readonly Field[];
}

/** The text of the .msg file. */
export function messageText({ about, fields }: MessageDefinition): string {
  const lines = about === undefined ? [] : [...about.split('\n').map((line) => `# ${line}`), ''];
  for (const field of fields) {
    if (field.comment !== undefined) lines.push(...field.comment.split('\n').map((line) => `# ${line}`));
    lines.push(`${typeText(field)} ${field.name}`);
  }
  return `${lines.join('\n')}\n`;
}

function typeText(field: Field): string {
  switch (field.kind) {
    case 'scalar':
      return field.type;
    case 'id':
      return 'string';
    case 'receive-time':
      return 'builtin_interfaces/Time';
    case 'list':
      return `${field.of.type}[]`;
  }
}
