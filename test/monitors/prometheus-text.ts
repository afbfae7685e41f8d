import { present } from '../../src/core/present.js';

/** One metric of an exposition. */
export interface Family {
  readonly name: string;
  help: string;
  type: string;
  readonly samples: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
  }[];
}

/**
 * Reads Prometheus' text format 0.0.4 as strictly as its parser does: names, order of HELP and TYPE, escapes,
 * no sample twice, histograms whole and growing. Throws on the first line that does not fit.
 */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: Family | undefined;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (comment) {
      const [, kind, name, rest] = comment as unknown as [string, string, string, string];
      if (kind === 'HELP') {
        if (families.has(name)) throw new Error(`${name} comes twice`);
        families.set(name, (current = { name, help: rest, type: 'untyped', samples: [] }));
      } else if (current?.name !== name || current.samples.length > 0)
        throw new Error(`TYPE out of place: ${line}`);
      else if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`type ${rest}`);
      else current.type = rest;
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})? (\S+)$/s.exec(line);
    if (!sample || !current) throw new Error(`not a sample: ${line}`);
    const [, name, labels = '{}', number] = sample as unknown as [string, string, string | undefined, string];
    const base = current.type === 'histogram' ? name.replace(/_(bucket|sum|count)$/, '') : name;
    if (base !== current.name) throw new Error(`${name} under ${current.name}`);
    if (seen.has(name + labels)) throw new Error(`twice: ${name}${labels}`);
    seen.add(name + labels);
    const value = number === '+Inf' ? Infinity : Number(number);
    if (Number.isNaN(value)) throw new Error(`no number: ${line}`);
    if (current.type === 'counter' && value < 0) throw new Error(`negative counter: ${line}`);
    current.samples.push({ name, labels: parseLabels(labels), value });
  }
  for (const family of families.values()) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text.slice(1, -1);
  while (rest !== '') {
    const match = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(,|$)/.exec(rest);
    if (!match) throw new Error(`labels ${text}`);
    labels[match[1]!] = match[2]!.replace(/\\(["\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));
    rest = rest.slice(match[0].length);
  }
  return labels;
}

function checkHistogram({ name, samples }: Family): void {
  if (samples.length === 0) return;
  const buckets = samples.filter((sample) => sample.name === `${name}_bucket`);
  const bounds = buckets.map(({ labels }) => (labels['le'] === '+Inf' ? Infinity : Number(labels['le'])));
  const isGrowing = (list: readonly number[]): boolean =>
    list.every((value, index) => index === 0 || value >= list[index - 1]!);
  if (!isGrowing(bounds) || bounds.at(-1) !== Infinity) throw new Error(`bounds of ${name}`);
  if (!isGrowing(buckets.map(({ value }) => value))) throw new Error(`buckets of ${name} shrink`);
  const count = samples.find((sample) => sample.name === `${name}_count`)?.value;
  if (count !== present(buckets.at(-1)).value)
    throw new Error(`${name} has another count than its last bucket`);
  if (!samples.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name} has no sum`);
}
