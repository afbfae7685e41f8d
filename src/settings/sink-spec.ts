import { defined } from '../core/defined.js';
import type { Priority } from '../core/message.js';
import { sinkKinds, type SinkKind, type SinkSelection } from '../core/sink.js';
import { hasStoreOptions, isStoreUri, STORE_FORMS } from '../core/store-uri.js';
import {
  describeInflux,
  influxOptionNames,
  parseInfluxOptions,
  type InfluxOptions,
} from '../stores/influx/influx-options.js';
import {
  describeKafka,
  kafkaOptionNames,
  parseKafkaSink,
  type KafkaSinkOptions,
} from '../stores/kafka/kafka-options.js';
import { isParquetCodec, parquetCodecs } from '../exporters/format.js';
import { parseSinkPolicy, sinkPolicyOptions, type SinkPolicy } from './sink-policy.js';
import {
  defaultLakeEncoding,
  parseLakeLayout,
  parseRowGroup,
  ROW_GROUP_FORM,
  type LakeEncoding,
  type LakeLayout,
} from './lake-layout.js';

/** A further target of segments, from `--sink`. */
export interface SinkOptions extends SinkPolicy {
  /** Shown in the status; unique. */
  readonly name: string;
  readonly kind: SinkKind;
  /** The store, with the part of the query that belongs to it; for other kinds, the place of what is sent. */
  readonly storeUri: string;
  readonly required: boolean;
  readonly selection: SinkSelection;
  /** False: readable for anyone with the store, although `sync.recipients` is set. */
  readonly encrypt: boolean;
  /** False: it gets segments as they were sealed, although `sync.transform` has rules. */
  readonly transform: boolean;
  /** For Parquet: the paths of files. */
  readonly layout?: LakeLayout;
  /** For Parquet: how files are encoded. */
  readonly encoding?: LakeEncoding;
  /** For Parquet: a folder of descriptors for the payloads of events. */
  readonly descriptors?: string;
  /** For a time-series database: where points go. */
  readonly influx?: InfluxOptions;
  /** For a broker: where messages go. */
  readonly kafka?: KafkaSinkOptions;
}

/** A fault of a sink: what, and what is allowed. Values that may hold a secret are not repeated. */
export interface SinkFault {
  readonly value: unknown;
  readonly allowed: string;
}

export const SINK_FORM =
  'mcap:STORE, parquet:STORE, influx:http://host or kafka://host:port/topic, with STORE as for --store, then ?option=value&...: required, name, topics, robots, priority, upload, when, budget, pass, encrypt, transform';

const priorities: readonly Priority[] = ['high', 'normal', 'low'];
const shared = [
  'required',
  'name',
  'topics',
  'robots',
  'priority',
  'upload',
  'encrypt',
  'transform',
  ...sinkPolicyOptions,
] as const;
const ofParquet = ['layout', 'events', 'compression', 'row_group', 'descriptors'] as const;
const ownOptions: Readonly<Record<SinkKind, readonly string[]>> = {
  mcap: shared,
  parquet: [...shared, ...ofParquet],
  influx: [...shared, ...influxOptionNames],
  kafka: [...shared, ...kafkaOptionNames],
};
type Option = (typeof shared)[number] | (typeof ofParquet)[number];

/** The form of a sink's name, which appears in logs and the status. */
const NAME = /^[A-Za-z0-9_.-]{1,40}$/;

/**
 * Parses `KIND:STORE?options`. Options are the sink's own; the others belong to the store, unless it is a folder. Everything
 * wrong is added to `faults`; then `undefined`.
 */
export function parseSink(text: string, faults: SinkFault[]): SinkOptions | undefined {
  const before = faults.length;
  const kind = sinkKinds.find((one) => text.startsWith(`${one}:`));
  if (kind === undefined) {
    faults.push({ value: text.split(/[:/?]/, 1)[0], allowed: SINK_FORM });
    return undefined;
  }
  const rest = text.slice(kind.length + 1);
  const mark = rest.indexOf('?');
  const store = mark < 0 ? rest : rest.slice(0, mark);
  if ((kind === 'mcap' || kind === 'parquet') && (!isStoreUri(store) || store.endsWith(':'))) {
    faults.push({ value: `${kind}:`, allowed: `followed by ${STORE_FORMS}` });
  }
  const own = ownOptions[kind];
  const given = new Map<string, string>();
  const others = new URLSearchParams();
  for (const [name, value] of new URLSearchParams(mark < 0 ? '' : rest.slice(mark + 1))) {
    if (own.includes(name)) {
      if (given.has(name)) faults.push({ value: name, allowed: 'once' });
      given.set(name, value);
    } else if (hasStoreOptions(store)) others.append(name, value);
    else faults.push({ value: name, allowed: `options ${own.join(', ')}` });
  }
  const fault = (name: Option, allowed: string): void => {
    faults.push({ value: given.has(name) ? `${name}=${given.get(name)}` : name, allowed });
  };
  const list = (name: Option): string[] | undefined => parseNames(name, given, fault);
  const yes = (option: Option): boolean => isYes(option, given, fault);
  const [required, encrypt, transform] = [yes('required'), yes('encrypt'), yes('transform')];
  const name = given.get('name');
  if (name !== undefined && !NAME.test(name)) fault('name', 'up to 40 letters, digits, "_", "." and "-"');
  const [topics, robots, classes] = [list('topics'), list('robots'), list('priority')];
  if (classes?.some((one) => !priorities.includes(one as Priority))) fault('priority', priorities.join(', '));
  const policy = parseSinkPolicy(given, fault);
  const layout =
    kind === 'parquet'
      ? parseLakeLayout(given.get('layout'), given.get('events'), (name, _text, allowed) =>
          fault(name, allowed),
        )
      : undefined;
  const encoding = kind === 'parquet' ? parseEncoding(given, fault) : undefined;
  const descriptors = given.get('descriptors');
  if (descriptors === '') fault('descriptors', 'a folder with descriptors of payloads');
  const server = parseServer(kind, store, given, faults);
  if (faults.length > before) return undefined;
  const query = others.toString();
  return {
    name: name ?? kind,
    kind,
    ...{ storeUri: query === '' ? store : `${store}?${query}`, ...server },
    required,
    encrypt,
    transform,
    selection: {
      ...(robots && { robots }),
      ...(classes && { priorities: classes as Priority[] }),
      ...(topics && { topics }),
    },
    ...policy,
    ...(layout && { layout }),
    ...(encoding && { encoding }),
    ...defined({ descriptors }),
  };
}

/** Of a sink that delivers to a server: its options, and its address without credentials. */
function parseServer(
  kind: SinkKind,
  address: string,
  given: ReadonlyMap<string, string>,
  faults: SinkFault[],
): Pick<SinkOptions, 'storeUri' | 'influx' | 'kafka'> | undefined {
  const fault = (value: string, allowed: string): void => void faults.push({ value, allowed });
  if (kind === 'influx') {
    const influx = parseInfluxOptions(address, given, fault);
    return { influx, storeUri: describeInflux(influx) };
  }
  if (kind !== 'kafka') return undefined;
  const kafka = parseKafkaSink(address, given, fault);
  return { kafka, storeUri: describeKafka(kafka) };
}

/** The list of names of an option; undefined: absent, or a fault. */
function parseNames(
  name: Option,
  given: ReadonlyMap<string, string>,
  fault: (name: Option, allowed: string) => void,
): string[] | undefined {
  const value = given.get(name);
  if (value === undefined) return undefined;
  const names = value.split(',').map((one) => one.trim());
  if (!names.includes('')) return names;
  fault(name, 'names separated by commas; * stands for any text');
  return undefined;
}

/** An option that is yes unless it is given as no. */
function isYes(
  name: Option,
  given: ReadonlyMap<string, string>,
  fault: (name: Option, allowed: string) => void,
): boolean {
  const value = given.get(name) ?? 'yes';
  if (value !== 'yes' && value !== 'no') fault(name, 'yes, no');
  return value === 'yes';
}

function parseEncoding(
  given: ReadonlyMap<string, string>,
  fault: (name: Option, allowed: string) => void,
): LakeEncoding | undefined {
  const codec = given.get('compression') ?? defaultLakeEncoding.codec;
  const rows = parseRowGroup(given.get('row_group') ?? String(defaultLakeEncoding.rowGroupRows));
  const isCodec = isParquetCodec(codec);
  if (!isCodec) fault('compression', parquetCodecs.join(', '));
  if (rows === undefined) fault('row_group', ROW_GROUP_FORM);
  return isCodec && rows !== undefined ? { codec, rowGroupRows: rows } : undefined;
}

/** Gives each a unique name: those without a name are numbered. */
export function nameSinks(sinks: readonly SinkOptions[], taken: readonly string[]): SinkOptions[] {
  const used = new Set(taken);
  return sinks.map((sink) => {
    let name = sink.name;
    for (let number = 2; used.has(name); number++) name = `${sink.name}-${number}`;
    used.add(name);
    return { ...sink, name };
  });
}
