import { parseFieldComparison, type FieldComparison } from './topic-condition.js';

/** A window of the day, in minutes since local midnight; `from` after `to` spans midnight. */
export interface HourWindow {
  readonly from: number;
  /** Exclusive; 1440 is the end of the day. */
  readonly to: number;
}

/** One condition of `sync.when`, and its own text. */
export type Condition = { readonly text: string } & (
  | { readonly kind: 'interface' | 'ssid'; readonly patterns: readonly string[] }
  | { readonly kind: 'metered'; readonly metered: boolean }
  | { readonly kind: 'link_rate'; readonly bitsPerS: number }
  | { readonly kind: 'hours'; readonly windows: readonly HourWindow[] }
  | { readonly kind: 'topic'; readonly comparison: FieldComparison }
);

/** Conditions that must all hold. */
export interface Alternative {
  readonly text: string;
  readonly conditions: readonly Condition[];
}

export const WHEN_FORM =
  'conditions with spaces between them, which must all hold: interface=NAME,... ssid=NAME,... (* stands for any text; ' +
  'quote a name with spaces), metered=no|yes, link_rate=10Mbit, hours=HH:MM-HH:MM,..., topic=TOPIC[:FIELD][==VALUE] ' +
  '(also != >= <= > <; without a value, the field must be true; without a field, data); ' +
  'for example "ssid=Depot,Yard hours=20:00-06:00"';

const MAX_CHARS = 400;
const MINUTES_PER_DAY = 1440;
/** Words of letters, then `=`, then texts or quoted texts with commas between them. */
const CONDITION = /^([a-z_]+)=((?:"[^"]*"|[^\s,"]+)(?:,(?:"[^"]*"|[^\s,"]+))*)(?:\s+|$)/;
const BITS: Readonly<Record<string, number>> = { k: 1e3, M: 1e6, G: 1e9 };

/** Parses one alternative of the form {@link WHEN_FORM}; `undefined` if it has another form. */
export function parseAlternative(text: string): Alternative | undefined {
  let rest = text.trim();
  if (rest === '' || rest.length > MAX_CHARS) return undefined;
  const conditions: Condition[] = [];
  while (rest !== '') {
    const match = CONDITION.exec(rest);
    const condition = match && parseCondition(match[1] ?? '', match[2] ?? '', match[0].trim());
    if (!condition || conditions.some((one) => isTwin(one, condition))) return undefined;
    conditions.push(condition);
    rest = rest.slice(match[0].length);
  }
  return Object.freeze({ text: text.trim(), conditions });
}

/** Two conditions of one kind cannot both hold, or one of them says nothing; but each topic is a thing of its own. */
function isTwin(one: Condition, other: Condition): boolean {
  return one.kind === other.kind && (one.kind !== 'topic' || one.text === other.text);
}

function parseCondition(name: string, value: string, text: string): Condition | undefined {
  const values = (value.match(/"[^"]*"|[^,"]+/g) ?? []).map((one) => one.replaceAll('"', ''));
  if (values.includes('')) return undefined;
  const [only = ''] = values.length === 1 ? values : [];
  switch (name) {
    case 'interface':
    case 'ssid':
      return { kind: name, patterns: values, text };
    case 'metered':
      return only === 'yes' || only === 'no' ? { kind: name, metered: only === 'yes', text } : undefined;
    case 'link_rate': {
      const match = /^(\d+(?:\.\d+)?)([kMG])bit(?:\/s)?$/.exec(only);
      const bitsPerS = Number(match?.[1]) * (BITS[match?.[2] ?? ''] ?? NaN);
      return bitsPerS > 0 ? { kind: name, bitsPerS, text } : undefined;
    }
    case 'hours': {
      const windows = values.map(parseWindow);
      return windows.every((one) => one !== undefined) ? { kind: name, windows, text } : undefined;
    }
    case 'topic': {
      const comparison = parseFieldComparison(only);
      return comparison && { kind: name, comparison, text };
    }
    default:
      return undefined;
  }
}

function parseWindow(text: string): HourWindow | undefined {
  const [from, to] = text.split('-').map(parseMinute);
  const isWindow = from !== undefined && to !== undefined && from < MINUTES_PER_DAY && from !== to;
  return isWindow && text.split('-').length === 2 ? { from, to } : undefined;
}

/** 24:00 is the end of a day. */
function parseMinute(text: string): number | undefined {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  const minute = Number(match?.[1]) * 60 + Number(match?.[2]);
  return Number(match?.[2]) < 60 && minute <= MINUTES_PER_DAY ? minute : undefined;
}
