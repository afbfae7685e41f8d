/** A field of the messages of one topic. */
export interface TopicField {
  readonly topic: string;
  /** Dotted path, such as `data` or `status.level`. */
  readonly field: string;
}

/** What a field of a message can hold, for a condition. */
export type FieldValue = boolean | number | string;

const operators = ['==', '!=', '>=', '<=', '>', '<'] as const;
export type Operator = (typeof operators)[number];

/** A field, and what it is compared with. */
export interface FieldComparison extends TopicField {
  readonly operator: Operator;
  readonly value: FieldValue;
}

/** The field of std_msgs/Bool and its relatives. */
const DEFAULT_FIELD = 'data';
const FORM = /^([^\s,":=!<>]+)(?::([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*))?(?:(==|!=|>=|<=|>|<)([\w.+-]+))?$/;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Parses `TOPIC[:FIELD][OPERATOR VALUE]`; without an operator, the field must be true. Undefined: another form. */
export function parseFieldComparison(text: string): FieldComparison | undefined {
  const match = FORM.exec(text);
  if (!match) return undefined;
  const [, topic = '', field = DEFAULT_FIELD, sign, word = ''] = match;
  const operator = operators.find((one) => one === sign);
  if (operator === undefined) return { topic, field, operator: '==', value: true };
  const value = valueOf(word);
  const isOrder = operator !== '==' && operator !== '!=';
  return isOrder && typeof value !== 'number' ? undefined : { topic, field, operator, value };
}

function valueOf(word: string): FieldValue {
  if (word === 'true' || word === 'false') return word === 'true';
  return NUMBER.test(word) ? Number(word) : word;
}

/** The comparison without its field, such as `>=0.8`: equal for equal comparisons. */
export function comparisonText({ operator, value }: FieldComparison): string {
  return `${operator}${String(value)}`;
}

/** Whether the value of the message meets the comparison; undefined: it is of another kind. */
export function compares(
  { operator, value: wanted }: FieldComparison,
  value: FieldValue,
): boolean | undefined {
  const [left, right] = alike(value, wanted);
  const isOrder = operator !== '==' && operator !== '!=';
  if (typeof left !== typeof right || (isOrder && typeof left !== 'number')) return undefined;
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '>=':
      return left >= right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '<':
      return left < right;
  }
}

/** As in C, a number is true if it is not 0. A text of digits is a text. */
function alike(value: FieldValue, wanted: FieldValue): readonly [FieldValue, FieldValue] {
  if (typeof wanted === 'boolean' && typeof value === 'number') return [value !== 0, wanted];
  if (typeof wanted === 'number' && typeof value === 'boolean') return [Number(value), wanted];
  if (typeof value === 'string') return [value, String(wanted)];
  return [value, wanted];
}
