import { HoldfastError } from '../core/errors.js';
import type { SourceUri } from './source-uri.js';

/** One option of a source URI: how to read it and what is allowed. */
export interface UriOption<T> {
  /** The value, or undefined if the text is not allowed. */
  readonly read: (text: string) => T | undefined;
  readonly default: T;
  /** For the error message: `an integer from 1 to 1000`. */
  readonly allowed: string;
}

export type UriOptions<S> = { readonly [K in keyof S]: S[K] extends UriOption<infer T> ? T : never };

/**
 * Reads all options of a source URI by a table.
 *
 * @param otherFaults faults of the URI beside single options, to be reported together
 * @throws HoldfastError CONFIG_INVALID with every fault at once: unknown names, repeated names and values
 * that are not allowed, each with what is allowed.
 */
export function readUriOptions<S extends Record<string, UriOption<unknown>>>(
  uri: SourceUri,
  table: S,
  otherFaults: readonly string[] = [],
): UriOptions<S> {
  const faults: string[] = [...otherFaults];
  const values: Record<string, unknown> = {};
  for (const name of new Set(uri.query.keys())) {
    if (!Object.hasOwn(table, name)) {
      faults.push(`${name}: unknown option; allowed are ${Object.keys(table).sort().join(', ') || 'none'}`);
    }
  }
  for (const [name, option] of Object.entries(table)) {
    const given = uri.query.getAll(name);
    if (given.length > 1) faults.push(`${name}: given ${given.length} times`);
    const value = given[0] === undefined ? option.default : option.read(given[0]);
    if (value === undefined && given[0] !== undefined) {
      faults.push(`${name}: "${given[0]}" is not ${option.allowed}`);
    }
    values[name] = value;
  }
  if (faults.length > 0) throw invalidOptions(uri, faults);
  return Object.freeze(values) as UriOptions<S>;
}

/** The error for wrong options, single ones or combinations. */
export function invalidOptions(uri: SourceUri, faults: readonly string[]): HoldfastError {
  return new HoldfastError('CONFIG_INVALID', `source ${uri.text}: ${faults.join('; ')}`, {
    facts: { uri: uri.text, faults },
  });
}

export function integerOption(value: number, min: number, max: number): UriOption<number> {
  return {
    default: value,
    allowed: `an integer from ${min} to ${max}`,
    read: (text) => (/^\d+$/.test(text) ? within(Number(text), min, max) : undefined),
  };
}

export function numberOption(value: number, min: number, max: number): UriOption<number> {
  return {
    default: value,
    allowed: `a number from ${min} to ${max}`,
    read: (text) => (/^\d+(\.\d+)?$/.test(text) ? within(Number(text), min, max) : undefined),
  };
}

/** Any text that the expression matches; `default` undefined: none. */
export function textOption(allowed: string, expression = /./): UriOption<string | undefined> {
  return {
    default: undefined,
    allowed,
    read: (text) => (expression.test(text) ? text : undefined),
  };
}

export function choiceOption<const T extends string>(value: T, ...choices: readonly T[]): UriOption<T> {
  return {
    default: value,
    allowed: `one of ${choices.join(', ')}`,
    read: (text) => choices.find((choice) => choice === text),
  };
}

/** Some of the given names, comma separated. */
export function subsetOption<const T extends string>(names: readonly T[]): UriOption<readonly T[]> {
  return {
    default: names,
    allowed: `a comma-separated list of ${names.join(', ')}`,
    read: (text) => {
      const parts = text.split(',').map((part) => names.find((name) => name === part.trim()));
      return parts.some((part) => part === undefined) ? undefined : (parts as T[]);
    },
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `10s`, `2m`, `1h`, as milliseconds; `default` undefined: none. */
export function durationMsOption(value: number | undefined): UriOption<number | undefined> {
  return {
    default: value,
    allowed: 'a duration such as 500ms, 10s, 2m or 1h',
    read: (text) => {
      const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
      const ms = Number(amount) * UNIT_MS[unit ?? '']!;
      return ms > 0 ? ms : undefined;
    },
  };
}

/** `2026-11-21T08:00:00Z`, as nanoseconds since the Unix epoch; `default` undefined: none. */
export const utcTimeOption: UriOption<bigint | undefined> = {
  default: undefined,
  allowed: 'a time such as 2026-11-21T08:00:00Z',
  read: (text) => {
    const ms = /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/.test(text) ? Date.parse(text) : NaN;
    return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n;
  },
};

/** A speed: `1x`, `2.5x`, or `max` as Infinity. */
export function speedOption(value: number): UriOption<number> {
  return {
    default: value,
    allowed: 'a speed such as 1x, 0.5x, 10x, or max',
    read: (text) => {
      if (text === 'max') return Infinity;
      const amount = /^(\d+(?:\.\d+)?)x$/.exec(text)?.[1];
      return amount !== undefined && Number(amount) > 0 ? Number(amount) : undefined;
    },
  };
}

function within(value: number, min: number, max: number): number | undefined {
  return value >= min && value <= max ? value : undefined;
}
