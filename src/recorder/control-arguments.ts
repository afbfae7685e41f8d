import { HoldfastError } from '../core/errors.js';
import { jsonText } from '../core/json-text.js';
import { isTag, TAG_FORM, type TagChanges } from '../core/tags.js';
import type { ControlRequest } from './control-requests.js';

interface TextRule {
  readonly kind: 'text';
  /** Absent: the argument is required. */
  readonly default?: string;
  readonly maxLength: number;
}

interface NumberRule {
  readonly kind: 'number';
  readonly default?: number;
  readonly min: number;
  readonly max: number;
  readonly whole?: true;
}

/** Changes of tags by name; the recorder checks how many there may be. */
interface TagsRule {
  readonly kind: 'tags';
  readonly default?: undefined;
}

interface TextsRule {
  readonly kind: 'texts';
  readonly default?: undefined;
  readonly maxCount: number;
  /** Of each of them. */
  readonly maxLength: number;
}

type Rule = TextRule | NumberRule | TagsRule | TextsRule;
type Rules = Readonly<Record<string, Rule>>;

const seconds = (standard: number): NumberRule => ({ kind: 'number', default: standard, min: 0, max: 3_600 });

/** The arguments of each request; the other requests have none. */
const argumentRules = {
  /** Seconds around now. */
  mark_event: {
    label: { kind: 'text', maxLength: 200 },
    before_s: seconds(30),
    after_s: seconds(30),
  },
  /** An empty value removes a tag. */
  set_tags: { tags: { kind: 'tags' } },
  /** All rules of `sync.transform`, instead of those so far. */
  set_transform: { rules: { kind: 'texts', maxCount: 100, maxLength: 2_000 } },
  /** A page of topics: a robot may have 20,000. */
  topics: {
    offset: { kind: 'number', default: 0, min: 0, max: 1_000_000, whole: true },
    limit: { kind: 'number', default: 1_000, min: 1, max: 1_000, whole: true },
  },
} as const satisfies Partial<Record<ControlRequest, Rules>>;

type Value<R> = R extends { readonly kind: 'text' }
  ? string
  : R extends { readonly kind: 'tags' }
    ? TagChanges
    : R extends { readonly kind: 'texts' }
      ? readonly string[]
      : number;

/** The arguments of a handler: all of them, checked. */
export type ControlArguments<R extends ControlRequest> = R extends keyof typeof argumentRules
  ? { readonly [Name in keyof (typeof argumentRules)[R]]: Value<(typeof argumentRules)[R][Name]> }
  : Readonly<Record<string, never>>;

/** Fills in defaults and checks. Throws `REQUEST_INVALID` with the argument, its value and what is allowed. */
export function parseArguments<R extends ControlRequest>(request: R, given: unknown): ControlArguments<R> {
  const rules: Rules = (argumentRules as Partial<Record<ControlRequest, Rules>>)[request] ?? {};
  const args = given ?? {};
  if (typeof args !== 'object' || Array.isArray(args)) {
    throw invalid(`${request}: args is ${shown(args)}, allowed: an object`);
  }
  const unknown = Object.keys(args).filter((name) => !Object.hasOwn(rules, name));
  if (unknown.length > 0) {
    const allowed = Object.keys(rules).join(', ') || 'none';
    throw invalid(`${request}: there is no argument ${shown(unknown[0])}, allowed: ${allowed}`);
  }
  const parsed = Object.entries(rules).map(([name, rule]) => {
    const value = (args as Record<string, unknown>)[name] ?? rule.default;
    if (!fits(rule, value)) {
      throw invalid(`${request}: ${name} is ${shown(value)}, allowed: ${describe(rule)}`);
    }
    return [name, value] as const;
  });
  return Object.fromEntries(parsed) as ControlArguments<R>;
}

function fits(rule: Rule, value: unknown): boolean {
  if (rule.kind === 'tags') {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return Object.entries(value).every(([name, one]) => isTag(name, one));
  }
  if (rule.kind === 'texts') {
    const isText = (one: unknown): boolean =>
      typeof one === 'string' && one.trim() !== '' && one.length <= rule.maxLength;
    return Array.isArray(value) && value.length <= rule.maxCount && value.every(isText);
  }
  if (rule.kind === 'text') {
    return typeof value === 'string' && value.trim() !== '' && value.length <= rule.maxLength;
  }
  const isInRange = typeof value === 'number' && value >= rule.min && value <= rule.max;
  return isInRange && (rule.whole === undefined || Number.isInteger(value));
}

function describe(rule: Rule): string {
  if (rule.kind === 'tags') return `an object of tags (${TAG_FORM})`;
  if (rule.kind === 'texts') return `up to ${rule.maxCount} texts of 1 to ${rule.maxLength} characters`;
  if (rule.kind === 'text') return `a text of 1 to ${rule.maxLength} characters`;
  return `a ${rule.whole ? 'whole number' : 'number'} from ${rule.min} to ${rule.max}`;
}

function shown(value: unknown): string {
  return String(jsonText(value)).slice(0, 80);
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('REQUEST_INVALID', message);
}
