import { plainText } from '../core/plain-text.js';
/**
 * `error`: data is missing or wrong. `warning`: something is unfinished, left over or unusual; no data is
 * wrong.
 */
export type Severity = 'error' | 'warning';

/** One fault that was found. */
export interface Finding {
  /** A path or key. */
  readonly where: string;
  /** What was checked: `sha256`, `messages of /imu`, ... */
  readonly what: string;
  readonly expected: string;
  readonly actual: string;
  readonly severity: Severity;
}

/** Number of findings kept; further ones are only counted. */
export const MAX_FINDINGS = 10_000;
/** Per object, so that one damaged object does not hide the others. */
const MAX_PER_PLACE = 100;

/** Collects findings, bounded. */
export class Findings {
  readonly list: Finding[] = [];
  errors = 0;
  warnings = 0;
  readonly #perPlace = new Map<string, number>();

  add(severity: Severity, where: string, what: string, expected: unknown, actual: unknown): void {
    if (severity === 'error') this.errors++;
    else this.warnings++;
    const count = (this.#perPlace.get(where) ?? 0) + 1;
    if (this.list.length >= MAX_FINDINGS || count > MAX_PER_PLACE) return;
    this.#perPlace.set(where, count);
    this.list.push({ where, what, expected: text(expected), actual: text(actual), severity });
  }

  /** Adds an error unless both are equal as text. */
  same(where: string, what: string, expected: unknown, actual: unknown): void {
    if (text(expected) !== text(actual)) this.add('error', where, what, expected, actual);
  }
}

function text(value: unknown): string {
  return value === undefined ? 'none' : typeof value === 'string' ? value : plainText(value);
}
