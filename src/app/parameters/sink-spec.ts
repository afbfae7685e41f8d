import type { Priority } from '../../core/message.js';
import type { SinkSelection } from '../../core/sink.js';
import { parseLakeLayout, type LakeLayout } from '../lake/lake-layout.js';

/** A further place sync brings segments to, as `--sink` says it. */
export interface SinkOptions {
  /** Shown in the status; unique. */
  readonly name: string;
  readonly kind: 'mcap' | 'parquet';
  /** The store, with what of the query is its own. */
  readonly storeUri: string;
  readonly required: boolean;
  readonly selection: SinkSelection;
  /** Of Parquet: where files go. */
  readonly layout?: LakeLayout;
}

/** Something wrong with a sink: what, and what is allowed. Values that may hold a secret are not repeated. */
export interface SinkFault {
  readonly value: unknown;
  readonly allowed: string;
}

export const SINK_FORM =
  'mcap:STORE or parquet:STORE, with STORE as for --store, then ?option=value&...: required, name, topics, robots, priority';

const kinds = ['mcap', 'parquet'] as const;
const priorities: readonly Priority[] = ['high', 'normal', 'low'];
const shared = ['required', 'name', 'topics', 'robots', 'priority'] as const;
const ofParquet = ['layout', 'events'] as const;
type Option = (typeof shared)[number] | (typeof ofParquet)[number];

/** What a sink's name may be: it appears in logs and the status. */
const NAME = /^[A-Za-z0-9_.-]{1,40}$/;

/**
 * Reads `KIND:STORE?options`. Options are the sink's own; for S3 the others go on to the store. Everything wrong
 * is added to `faults`; `undefined` then.
 */
export function parseSink(text: string, faults: SinkFault[]): SinkOptions | undefined {
  const before = faults.length;
  const kind = kinds.find((one) => text.startsWith(`${one}:`));
  if (kind === undefined) {
    faults.push({ value: text.split(/[:/?]/, 1)[0], allowed: SINK_FORM });
    return undefined;
  }
  const rest = text.slice(kind.length + 1);
  const mark = rest.indexOf('?');
  const store = mark < 0 ? rest : rest.slice(0, mark);
  if (!/^(dir|s3):./.test(store)) {
    faults.push({ value: `${kind}:`, allowed: 'followed by dir:PATH or s3://bucket/prefix' });
  }
  const own: readonly string[] = kind === 'parquet' ? [...shared, ...ofParquet] : shared;
  const given = new Map<string, string>();
  const others = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(mark < 0 ? '' : rest.slice(mark + 1))) {
    if (own.includes(name)) {
      if (given.has(name)) faults.push({ value: name, allowed: 'once' });
      given.set(name, value);
    } else if (store.startsWith('s3:')) others.append(name, value);
    else faults.push({ value: name, allowed: `options ${own.join(', ')}` });
  }
  const fault = (name: Option, allowed: string): undefined => {
    faults.push({ value: given.has(name) ? `${name}=${given.get(name)}` : name, allowed });
    return undefined;
  };
  const list = (name: Option): string[] | undefined => {
    const value = given.get(name);
    if (value === undefined) return undefined;
    const names = value.split(',').map((one) => one.trim());
    return names.includes('') ? fault(name, 'names separated by commas; * stands for any text') : names;
  };
  const required = given.get('required') ?? 'yes';
  if (required !== 'yes' && required !== 'no') fault('required', 'yes, no');
  const name = given.get('name');
  if (name !== undefined && !NAME.test(name)) fault('name', 'up to 40 letters, digits, "_", "." and "-"');
  const [topics, robots, classes] = [list('topics'), list('robots'), list('priority')];
  if (classes?.some((one) => !priorities.includes(one as Priority))) fault('priority', priorities.join(', '));
  const layout =
    kind === 'parquet'
      ? parseLakeLayout(given.get('layout'), given.get('events'), (name, _text, allowed) =>
          fault(name, allowed),
        )
      : undefined;
  if (faults.length > before) return undefined;
  const query = others.toString();
  return {
    name: name ?? kind,
    kind,
    storeUri: query === '' ? store : `${store}?${query}`,
    required: required === 'yes',
    selection: {
      ...(robots && { robots }),
      ...(classes && { priorities: classes as Priority[] }),
      ...(topics && { topics }),
    },
    ...(layout && { layout }),
  };
}

/** Gives each a name of its own: those nobody named are numbered. */
export function nameSinks(sinks: readonly SinkOptions[], taken: readonly string[]): SinkOptions[] {
  const used = new Set(taken);
  return sinks.map((sink) => {
    let name = sink.name;
    for (let number = 2; used.has(name); number++) name = `${sink.name}-${number}`;
    used.add(name);
    return { ...sink, name };
  });
}
