import { defined } from '../core/defined.js';
import { present } from '../core/present.js';
import { parseDurationMs } from './units.js';

/** What makes a message, or the rate of a topic, an anomaly. */
export type AnomalyCondition =
  /** Further from the previous values than this many deviations. */
  | { readonly kind: 'zscore'; readonly above: number }
  | { readonly kind: 'value'; readonly side: 'above' | 'below'; readonly limit: number }
  /** NaN or infinite. */
  | { readonly kind: 'nan' }
  | { readonly kind: 'stuck'; readonly forMs: number }
  /** Messages per second; `relative`: in units of the usual rate. */
  | {
      readonly kind: 'rate';
      readonly side: 'above' | 'below';
      readonly limit: number;
      readonly relative: boolean;
    };

/** One rule of `anomaly.rules`. */
export interface AnomalyRule {
  /** As written, without superfluous space: its name in status and metrics. */
  readonly text: string;
  /** `*` stands for any text. */
  readonly topic: string;
  /** A field with dots, `*` allowed; absent: all of them, or none is needed. */
  readonly field?: string;
  readonly condition: AnomalyCondition;
}

export const ANOMALY_RULE_FORM =
  'TOPIC.FIELD followed by zscore>N, value>N, value<N, nan or stuck>TIME, or TOPIC by nan, stuck>TIME, ' +
  'rate<N, rate>N with N in Hz (20Hz) or of the usual rate (0.5x), for example "*/imu.linear_acceleration.z zscore>8"';

const MAX_CHARS = 200;
const FORM = /^(\S+) (zscore>|value>|value<|nan$|stuck>|rate<|rate>)(\S*)$/;

/** Parses one rule of the form {@link ANOMALY_RULE_FORM}; `undefined` if it has another form. */
export function parseAnomalyRule(raw: string): AnomalyRule | undefined {
  const text = raw
    .trim()
    .replace(/\s+/g, ' ')
    .replace(/ ?([<>]) ?/g, '$1');
  const match = text.length > MAX_CHARS ? null : FORM.exec(text);
  if (!match) return undefined;
  const [, subject, word, value] = match as unknown as [string, string, string, string];
  // ROS allows no dot in the name of a topic.
  const dot = subject.indexOf('.');
  const topic = dot < 0 ? subject : subject.slice(0, dot);
  const field = dot < 0 ? undefined : subject.slice(dot + 1);
  const condition = conditionOf(word, value);
  if (condition === undefined || topic === '' || field === '') return undefined;
  const { kind } = condition;
  if (
    kind === 'rate' ? field !== undefined : (kind === 'zscore' || kind === 'value') && field === undefined
  ) {
    return undefined;
  }
  return Object.freeze({ text, topic, ...defined({ field }), condition });
}

function conditionOf(word: string, value: string): AnomalyCondition | undefined {
  const side = word.endsWith('<') ? 'below' : 'above';
  switch (word) {
    case 'nan':
      return value === '' ? { kind: 'nan' } : undefined;
    case 'zscore>': {
      const above = numberOf(value);
      return above !== undefined && above > 0 ? { kind: 'zscore', above } : undefined;
    }
    case 'value>':
    case 'value<': {
      const limit = numberOf(value);
      return limit === undefined ? undefined : { kind: 'value', side, limit };
    }
    case 'stuck>': {
      const forMs = /[a-z]$/.test(value) ? parseDurationMs(value) : undefined;
      return forMs === undefined || forMs === 0 ? undefined : { kind: 'stuck', forMs };
    }
    default: {
      const match = /^(.+?)(x|Hz)$/.exec(value);
      const limit = match ? numberOf(match[1]!) : undefined;
      if (limit === undefined || limit <= 0) return undefined;
      return { kind: 'rate', side, limit, relative: present(match)[2] === 'x' };
    }
  }
}

function numberOf(text: string): number | undefined {
  const isNumber = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);
  return isNumber && Number.isFinite(Number(text)) ? Number(text) : undefined;
}
