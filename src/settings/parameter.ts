import { ANOMALY_RULE_FORM, parseAnomalyRule, type AnomalyRule } from './anomaly-rule.js';
import { FIELD_RULE_FORM, parseFieldRule, type FieldRule } from './field-rule.js';
import { parseAlternative, WHEN_FORM, type Alternative } from '../core/send-policy/condition.js';
import { DEVICE_ID_FORM, parseDeviceId } from '../core/foxglove-record.js';
import { parseRegex } from '../core/regex.js';
import { parseTransformRule, TRANSFORM_RULE_FORM, type TransformRule } from '../core/transform/rule.js';
import { parseTag, TAG_FORM } from '../core/tags.js';
import { parseVinSpec, VIN_FORM, type VinSpec } from '../core/vin.js';
import type { TopicRule } from './recorder-options.js';
import {
  parseStaticTopic,
  repeatedTopics,
  STATIC_TOPIC_FORM,
  type StaticTopic,
} from '../sources/ros/static-topics.js';
import { parseSourceSpec, SOURCE_SPEC_FORM, type SourceSpec } from './source-spec.js';
import { parseTopicRule, TOPIC_RULE_FORM } from './topic-rule.js';
import { formatBytes, formatDurationMs, parseBytes, parseBytesPerS, parseDurationMs } from './units.js';

/** The readers of a parameter: one of the two processes, or both. */
export type Role = 'recorder' | 'sync';

/** A value in the spelling of a configuration file or a flag. */
export type RawValue = string | number | boolean | readonly (string | number | boolean)[];

/** The type of a parameter where types are fixed, as in ROS; `texts` is a list. */
export type ParameterKind = 'boolean' | 'integer' | 'real' | 'text' | 'texts';

/** One row of the table; the name is its key there. */
export interface Parameter<T = unknown> {
  readonly role: Role | 'both';
  /** It stands in the section of its role, and the other process takes it from there too. */
  readonly isReadByBoth?: true;
  /** One or two sentences: what it does, and what happens at its limit. */
  readonly description: string;
  /** As written into config/ and the docs; parses to the default value. `undefined`: no default. */
  readonly default: RawValue | undefined;
  readonly kind: ParameterKind;
  /** Bounds of a number, inclusive, in `unit`. */
  readonly range?: { readonly min: number; readonly max: number };
  readonly unit?: string;
  /** For a person: what `parse` accepts. */
  readonly allowed: string;
  /** `true`/`false` without an argument on the command line. */
  readonly toggle?: true;
  /** May be given several times; a list in the file. */
  readonly list?: true;
  /** It may hold a secret: no message shows its value. */
  readonly secret?: true;
  /** Name of the argument in `--help`. */
  readonly placeholder: string;
  /** Command line flag, if it differs from the name with dashes. */
  readonly flag?: string;
  /** The value, or `undefined` if it is not allowed. */
  parse(raw: unknown): T | undefined;
}

interface Row {
  readonly role: Role | 'both';
  readonly isReadByBoth?: true;
  readonly description: string;
  readonly flag?: string;
  readonly secret?: true;
}

interface RangeRow extends Row {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

function ranged(
  row: RangeRow,
  unit: string,
  placeholder: string,
  read: (text: string) => number | undefined,
  write: (value: number) => string | number,
): Parameter<number> {
  const { min, max, default: fallback, ...rest } = row;
  return {
    ...rest,
    kind: 'integer',
    range: { min, max },
    default: write(fallback),
    unit,
    placeholder,
    allowed: `${write(min)} to ${write(max)}`,
    parse(raw) {
      const value = typeof raw === 'number' ? raw : typeof raw === 'string' ? read(raw) : undefined;
      return value !== undefined && Number.isSafeInteger(value) && value >= min && value <= max
        ? value
        : undefined;
    },
  };
}

/** A size; `64MiB` or a number of bytes. */
export function bytes(row: RangeRow): Parameter<number> {
  return ranged(row, 'bytes', 'size', parseBytes, (value) => (value === 0 ? 0 : formatBytes(value)));
}

/** A length of time; `20ms`, `2s`, or a number of milliseconds. */
export function duration(row: RangeRow): Parameter<number> {
  return ranged(row, 'ms', 'time', parseDurationMs, (value) => (value === 0 ? 0 : formatDurationMs(value)));
}

/** Bytes per second; `25MB/s` or a number. */
export function rate(row: RangeRow): Parameter<number> {
  const write = (value: number): string | number => (value === 0 ? 0 : `${formatBytes(value)}/s`);
  return ranged(row, 'bytes/s', 'rate', parseBytesPerS, write);
}

/** A whole number. */
export function count(row: RangeRow, unit = ''): Parameter<number> {
  const read = (text: string): number | undefined => (/^-?\d+$/.test(text.trim()) ? Number(text) : undefined);
  return ranged(row, unit, 'n', read, (value) => value);
}

/** A number that need not be an integer. */
export function real(row: RangeRow, unit = ''): Parameter<number> {
  const { min, max, ...rest } = row;
  return {
    ...rest,
    kind: 'real',
    range: { min, max },
    unit,
    placeholder: 'n',
    allowed: `${min} to ${max}`,
    parse(raw) {
      const value = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw;
      return typeof value === 'number' && value >= min && value <= max ? value : undefined;
    },
  };
}

export function toggle(row: Row & { readonly default: boolean }): Parameter<boolean> {
  return {
    ...row,
    kind: 'boolean',
    toggle: true,
    placeholder: '',
    allowed: 'true or false',
    parse: (raw) =>
      typeof raw === 'boolean' ? raw : raw === 'true' ? true : raw === 'false' ? false : undefined,
  };
}

export function choice<const T extends string>(
  row: Row & { readonly default: NoInfer<T> },
  values: readonly T[],
): Parameter<T> {
  return {
    ...row,
    kind: 'text',
    placeholder: values.join('|'),
    allowed: values.join(', '),
    // YAML parses true and false as booleans, even for a choice with these names.
    parse: (raw) => values.find((value) => value === (typeof raw === 'boolean' ? String(raw) : raw)),
  };
}

/** Free text. An empty default means "not set". */
export function text(
  row: Row & { readonly default: string; readonly placeholder: string },
  allowed = 'any text',
  ok: (value: string) => boolean = () => true,
): Parameter<string> {
  return {
    ...row,
    kind: 'text',
    allowed,
    // YAML parses a robot named 7 as a number; the value is still text.
    parse(raw) {
      const value = typeof raw === 'number' ? String(raw) : raw;
      return typeof value === 'string' && !value.includes('\0') && ok(value) ? value : undefined;
    },
  };
}

function list<T>(
  row: Row,
  placeholder: string,
  allowed: string,
  read: (text: string) => T | undefined,
): Parameter<readonly T[]> {
  return {
    ...row,
    kind: 'texts',
    default: [],
    list: true,
    placeholder,
    allowed,
    parse(raw) {
      const entries: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
      const values = entries.map((entry) => (typeof entry === 'string' ? read(entry) : undefined));
      return values.every((value) => value !== undefined) ? values : undefined;
    },
  };
}

/** Several texts, checked further by the code that compiles them. */
export function texts(row: Row, placeholder: string, allowed: string): Parameter<readonly string[]> {
  return list(row, placeholder, allowed, (value) =>
    value === '' || value.includes('\0') ? undefined : value,
  );
}

export function regexes(row: Row): Parameter<readonly RegExp[]> {
  return list(row, 'regex', 'regular expressions (JavaScript, unanchored)', parseRegex);
}

export function topicRules(row: Row): Parameter<readonly TopicRule[]> {
  return list(row, 'rule', TOPIC_RULE_FORM, parseTopicRule);
}

export function transformRules(row: Row): Parameter<readonly TransformRule[]> {
  return list(row, 'rule', TRANSFORM_RULE_FORM, parseTransformRule);
}

export function anomalyRules(row: Row): Parameter<readonly AnomalyRule[]> {
  return list(row, 'rule', ANOMALY_RULE_FORM, parseAnomalyRule);
}

export function fieldRules(row: Row): Parameter<readonly FieldRule[]> {
  return list(row, 'rule', FIELD_RULE_FORM, parseFieldRule);
}

export function vinList(row: Row): Parameter<readonly VinSpec[]> {
  return list(row, 'vin', VIN_FORM, parseVinSpec);
}

export function sourceSpecs(row: Row): Parameter<readonly SourceSpec[]> {
  return list(row, 'uri', SOURCE_SPEC_FORM, parseSourceSpec);
}

export function staticTopicList(row: Row): Parameter<readonly StaticTopic[]> {
  const topics = list(row, 'topic type', STATIC_TOPIC_FORM, parseStaticTopic);
  return {
    ...topics,
    parse(raw) {
      const values = topics.parse(raw);
      return values !== undefined && repeatedTopics(values).length === 0 ? values : undefined;
    },
  };
}

export function alternatives(row: Row): Parameter<readonly Alternative[]> {
  return list(row, 'conditions', WHEN_FORM, parseAlternative);
}

/** Several of a few names. */
export function choices<const T extends string>(
  row: Row,
  placeholder: string,
  values: readonly T[],
): Parameter<readonly T[]> {
  return list(row, placeholder, values.join(', '), (text) => values.find((value) => value === text));
}

export function deviceIds(row: Row): Parameter<readonly (readonly [robot: string, id: string])[]> {
  return list(row, 'robot=id', DEVICE_ID_FORM, parseDeviceId);
}

export function tagList(row: Row): Parameter<readonly (readonly [name: string, value: string])[]> {
  return list(row, 'name=value', TAG_FORM, (text) => {
    const tag = parseTag(text);
    return tag === undefined || tag[1] === '' ? undefined : tag;
  });
}

/** `segment.max_bytes` is `--segment-max-bytes` unless the row has another flag. */
export function flagName(name: string, parameter: Parameter): string {
  return parameter.flag ?? name.replace(/[._]/g, '-');
}
