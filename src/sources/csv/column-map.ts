import { parseDocument } from 'yaml';
import { unixLines } from '../../core/line-ends.js';
import { present } from '../../core/present.js';
import { definitionOf, fieldNames, type Field } from './fields.js';
import { timeUnitNames, unitsOf, type LinearUnit, type TimeUnit } from './units.js';

/** The meaning of one column of a log. */
export type ColumnUse =
  | { readonly kind: 'time'; readonly unit: TimeUnit }
  | { readonly kind: 'state' }
  | { readonly kind: 'field'; readonly field: Field; readonly unit: LinearUnit }
  /** A user's own value in the topic `signals`: multiplied, then added to. */
  | { readonly kind: 'signal'; readonly name: string; readonly unit: LinearUnit };

/** The content of a map file. */
export interface ColumnMap {
  readonly delimiter: string;
  readonly decimal: '.' | ',';
  /** Keyed by the column's name in the header. */
  readonly columns: ReadonlyMap<string, ColumnUse>;
}

export const DELIMITERS = [',', ';', '\t', '|'];
const SIGNAL_NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const known = ['time', 'state', ...fieldNames];

/** Reads a map file; `faults` has everything that is wrong with it, each with what is allowed. */
export function readColumnMap(text: string): { readonly map: ColumnMap; readonly faults: readonly string[] } {
  const faults: string[] = [];
  const columns = new Map<string, ColumnUse>();
  const document = parseDocument(unixLines(text), { uniqueKeys: true });
  const [broken] = document.errors;
  if (broken !== undefined) {
    faults.push(`it is no YAML: ${broken.message.split('\n')[0]}`);
    return { map: { delimiter: ',', decimal: '.', columns }, faults };
  }
  const root: unknown = document.toJS({ maxAliasCount: 100 });
  const { columns: given, delimiter = ',', decimal = '.', ...further } = asMap(root) ?? {};
  for (const name of Object.keys(further)) {
    faults.push(`${name}: unknown; allowed are columns, delimiter, decimal`);
  }
  if (!DELIMITERS.includes(delimiter as string)) {
    faults.push(
      `delimiter: ${JSON.stringify(delimiter)} is not one of ${DELIMITERS.map((one) => JSON.stringify(one)).join(', ')}`,
    );
  }
  if (decimal !== '.' && decimal !== ',')
    faults.push(`decimal: ${JSON.stringify(decimal)} is not "." or ","`);
  if (decimal === ',' && delimiter === ',') faults.push('decimal: "," needs another delimiter than ","');
  const entries = Object.entries(asMap(given) ?? {});
  if (entries.length === 0)
    faults.push(
      'columns: missing; a map of the columns of the log, such as speed_kmh: { field: speed, unit: km/h }',
    );
  const targets = new Map<string, string>();
  for (const [column, use] of entries) {
    const read = readUse(use);
    if (typeof read === 'string') {
      faults.push(`columns.${column}: ${read}`);
      continue;
    }
    const target = targetOf(read);
    const before = targets.get(target);
    if (before !== undefined) faults.push(`columns.${column}: ${target} is column ${before} already`);
    targets.set(target, column);
    columns.set(column, read);
  }
  const map = { delimiter: String(delimiter), decimal: decimal === ',' ? ',' : '.', columns } as const;
  return { map, faults };
}

/** One name per meaning of a column, to find duplicates. */
export function targetOf(use: ColumnUse): string {
  switch (use.kind) {
    case 'field':
      return use.field;
    case 'signal':
      return `signal ${use.name}`;
    case 'time':
    case 'state':
      return use.kind;
  }
}

function readUse(value: unknown): ColumnUse | string {
  const given = typeof value === 'string' ? { field: value } : asMap(value);
  if (given === undefined) return 'give { field: ..., unit: ... } or { signal: ... }';
  const { field, signal, unit, scale = 1, offset = 0, ...further } = given;
  const [stranger] = Object.keys(further);
  if (stranger !== undefined) return `${stranger}: unknown; allowed are field, unit, signal, scale, offset`;
  if ((field === undefined) === (signal === undefined)) return 'give either field or signal';
  if (signal !== undefined) {
    if (typeof signal !== 'string' || !SIGNAL_NAME.test(signal)) {
      return `signal: ${JSON.stringify(signal)} is no name of letters, digits and _`;
    }
    if (unit !== undefined) return 'unit: a signal has scale and offset instead';
    if (typeof scale !== 'number' || typeof offset !== 'number') return 'scale, offset: they are numbers';
    return { kind: 'signal', name: signal, unit: { scale, offset, suffixes: [] } };
  }
  if (given['scale'] !== undefined || given['offset'] !== undefined)
    return 'scale, offset: a field has a unit instead';
  return readField(field, unit);
}

function readField(field: unknown, unit: unknown): ColumnUse | string {
  if (typeof field !== 'string' || !known.includes(field)) {
    return `field: ${JSON.stringify(field)} is unknown; allowed are ${known.join(', ')}`;
  }
  if (field === 'state') return unit === undefined ? { kind: 'state' } : 'unit: state is text and has none';
  if (field === 'time') {
    const name = unit ?? 's';
    if (typeof name !== 'string' || !timeUnitNames.includes(name))
      return `unit: ${JSON.stringify(unit)} is not one of ${timeUnitNames.join(', ')}`;
    return { kind: 'time', unit: name as TimeUnit };
  }
  const units = unitsOf(definitionOf(field as Field).quantity);
  const [first] = units.keys();
  const found =
    unit === undefined || typeof unit === 'string' ? units.get(unit ?? present(first)) : undefined;
  if (found === undefined)
    return `unit: ${JSON.stringify(unit)} is not one of ${[...units.keys()].join(', ')}`;
  return { kind: 'field', field: field as Field, unit: found };
}

/**
 * The meaning of a column by its name alone, if there is no map: a field's name, with a unit after it or in
 * brackets (`speed_kmh`, `Speed [km/h]`); undefined if the name has no meaning.
 */
export function useByName(column: string): ColumnUse | undefined {
  const name = column
    .toLowerCase()
    .replaceAll('%', ' pct ')
    .replaceAll('°', ' deg')
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_|_$/g, '');
  if (name === 'state') return { kind: 'state' };
  if (name === 'time' || name === 'timestamp') return { kind: 'time', unit: 's' };
  const timeUnit = /^(?:time|timestamp)_(.+)$/.exec(name)?.[1];
  if (timeUnit !== undefined && timeUnitNames.includes(timeUnit))
    return { kind: 'time', unit: timeUnit as TimeUnit };
  for (const field of fieldNames) {
    for (const [index, unit] of [...unitsOf(definitionOf(field).quantity).values()].entries()) {
      const isPlain = index === 0 && name === field;
      if (isPlain || unit.suffixes.some((suffix) => name === `${field}_${suffix}`)) {
        return { kind: 'field', field, unit };
      }
    }
  }
  return undefined;
}

function asMap(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
