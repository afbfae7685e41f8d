import { numberTypes, type NumberType } from './number-types.js';

/** The type of a field of a log channel, in ROS terms. */
export type ScalarType = NumberType | 'string';
export const scalarTypes: readonly ScalarType[] = [...numberTypes, 'string'];

/** Maximum size of a text of a log channel, bytes of UTF-8. */
export const STRING_MAX_BYTES = 256;
/** Maximum size of a text that names a vehicle or a state, bytes of UTF-8. */
export const NAME_MAX_BYTES = 64;
/** Maximum number of elements of a list. */
export const LIST_MAX = 256;

/**
 * One field of a logged message. `name` is its name in the message and in CSV, `key` its name in the sample.
 *
 * - `scalar`: a number, bool or text. A missing `optional` number is NaN, a missing text is empty.
 * - `id`: the vehicle: a text, or an integer that becomes a text.
 * - `receive-time`: the time of the call, not taken from the sample.
 * - `list`: messages of their own type; in the sample an array, or a Map or object keyed by the elements'
 *   `id`.
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

/** A message type, as in its .msg file. */
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
