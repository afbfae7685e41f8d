import { availableParallelism } from 'node:os';
import { extensions } from '../../exporters/encoders.js';
import { tableFormats } from '../../exporters/format.js';
import { parseTime, TIME_FORM } from '../cli/parse-time.js';
import type { ConfigFault } from '../parameters/fault.js';
import { parseDurationMs } from '../parameters/units.js';
import type { MessageFilter } from '../reading/message-filter.js';
import type { Every, ExportFormat, ExportOptions } from './export-options.js';
import { LAYOUT_FORM, PathTemplate } from './path-template.js';
import { vehicleTypes } from './vehicle-sink.js';

const formats: readonly ExportFormat[] = [...tableFormats, 'mcap'];
/** Beside the thread that reads and decodes, which cannot keep more of them busy. */
const MAX_WORKERS = 4;
const MAX_ALIGN_HZ = 1_000;

/** Where files go when no layout is given. */
export const defaultLayouts: Readonly<Record<ExportFormat, string>> = {
  parquet: 'robot={robot}/topic={topic}/date={YYYY-MM-DD}/hour={HH}/part',
  csv: '{robot}/{topic}',
  jsonl: '{robot}/{topic}',
  tfrecord: '{robot}/{topic}',
  numpy: '{robot}/{topic}',
  mcap: 'export',
};
const ALIGNED_LAYOUT = '{robot}';

/** The command line's options as the export takes them; every fault is added to `faults`. */
export function parseExportOptions(
  given: Readonly<Record<string, unknown>>,
  faults: ConfigFault[],
): ExportOptions | undefined {
  const text = (name: string): string | undefined =>
    given[name] === undefined || typeof given[name] === 'boolean' ? undefined : String(given[name]);
  const fault = (option: string, value: unknown, allowed: string): undefined => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
    return undefined;
  };
  const format = formats.find((one) => one === text('format'));
  if (format === undefined) {
    fault('format', given['format'], formats.join(', '));
    return undefined;
  }
  const number = (name: string, option: string, max: number): number | undefined => {
    const value = text(name);
    if (value === undefined) return undefined;
    const parsed = Number(value);
    if (parsed > 0 && parsed <= max) return parsed;
    return fault(option, value, `a number above 0, up to ${max}`);
  };
  const alignHz = number('align', 'align', MAX_ALIGN_HZ);
  const maxAge = text('alignMaxAge');
  const maxAgeMs = maxAge === undefined ? undefined : parseDurationMs(maxAge);
  if (maxAge !== undefined && maxAgeMs === undefined)
    fault('align-max-age', maxAge, 'a duration such as 500ms');
  const workers =
    number('workers', 'workers', 64) ?? Math.min(MAX_WORKERS, Math.max(1, availableParallelism() - 1));
  const compression = (['zstd', 'lz4', 'none'] as const).find(
    (one) => one === (text('compression') ?? 'zstd'),
  );
  if (compression === undefined) fault('compression', given['compression'], 'zstd, lz4, none');
  const isPreset = given['preset'] !== undefined;
  // A preset names its files itself; those of one robot are one step.
  const layout = isPreset
    ? new PathTemplate('{robot}', extensions[format])
    : parseLayout(text('layout'), format, alignHz !== undefined, fault);
  const every = parseEvery(text('every'), fault);
  if (alignHz !== undefined && format === 'mcap') fault('align', given['align'], 'not with --format mcap');
  const explode = text('explode');
  if (explode !== undefined && format !== 'csv') fault('explode', explode, 'only with --format csv');
  const preset = parsePreset(given, format, fault);
  const asked = parseFilter(given, fault);
  const filter = preset === undefined ? asked : { ...asked, types: vehicleTypes };
  const images = text('images');
  if (images !== undefined && images !== 'files') fault('images', images, 'files');
  if (images !== undefined && format === 'mcap') fault('images', images, 'not with --format mcap');
  if (faults.length > 0 || layout === undefined || compression === undefined) return undefined;
  const robotName = text('robotName');
  return {
    format,
    filter,
    layout,
    flatten: given['flatten'] === true || format === 'csv',
    raw: given['raw'] === true,
    compression,
    workers: Math.round(workers),
    ...(every === undefined ? {} : { every }),
    ...(explode === undefined ? {} : { explode }),
    ...(preset === undefined ? {} : { preset }),
    ...(images === undefined ? {} : { images: 'files' as const }),
    ...(alignHz === undefined ? {} : { alignHz }),
    ...(maxAgeMs === undefined ? {} : { alignMaxAgeNs: BigInt(maxAgeMs) * 1_000_000n }),
    ...(robotName === undefined ? {} : { robotName }),
  };
}

type Fault = (option: string, value: unknown, allowed: string) => undefined;

function parseLayout(
  text: string | undefined,
  format: ExportFormat,
  aligned: boolean,
  fault: Fault,
): PathTemplate | undefined {
  const chosen = text ?? (aligned ? ALIGNED_LAYOUT : defaultLayouts[format]);
  try {
    const layout = new PathTemplate(chosen, extensions[format]);
    // As of what went before: a table of its own for an hour would begin with nothing.
    const isWide =
      layout.has('robot') && layout.window === 'none' && !layout.has('topic') && !layout.has('type');
    if (aligned && !isWide) {
      return fault('layout', chosen, 'with --align: {robot}, without {topic}, {type} and times');
    }
    if (!aligned && format !== 'mcap' && !layout.has('topic') && !layout.has('type')) {
      return fault('layout', chosen, 'with {topic} (a table per topic) or {type} (a table per type)');
    }
    return layout;
  } catch (error) {
    return fault(
      'layout',
      chosen,
      `${LAYOUT_FORM} (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

/** What a preset decides by itself may not be given beside it. */
function parsePreset(
  given: Readonly<Record<string, unknown>>,
  format: ExportFormat,
  fault: Fault,
): 'vehicle' | undefined {
  if (given['preset'] === undefined) return undefined;
  if (given['preset'] !== 'vehicle') return fault('preset', given['preset'], 'vehicle');
  if (format !== 'csv') return fault('preset', 'vehicle', 'only with --format csv');
  for (const option of ['layout', 'types', 'explode', 'align', 'raw', 'flatten']) {
    if (given[option] !== undefined) fault(option, given[option], 'not with --preset');
  }
  return 'vehicle';
}

function parseEvery(text: string | undefined, fault: Fault): Every | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text) && Number(text) > 0 && Number.isSafeInteger(Number(text)))
    return { count: Number(text) };
  const ms = /[a-z]/i.test(text) ? parseDurationMs(text) : undefined;
  if (ms !== undefined && ms > 0) return { intervalNs: BigInt(ms) * 1_000_000n };
  return fault(
    'every',
    text,
    'a count (10: each tenth message of a topic) or a duration (500ms: at most one in that time)',
  );
}

function parseFilter(given: Readonly<Record<string, unknown>>, fault: Fault): MessageFilter {
  const names = (option: string): readonly string[] | undefined =>
    given[option] as readonly string[] | undefined;
  const time = (name: string, option: string): bigint | undefined => {
    const text = given[name] as string | undefined;
    if (text === undefined) return undefined;
    return parseTime(text) ?? fault(option, text, TIME_FORM);
  };
  const [topics, types, robots] = [names('topics'), names('types'), names('robots')];
  const [from, to] = [time('fromTime', 'from-time'), time('toTime', 'to-time')];
  return {
    ...(topics && { topics }),
    ...(types && { types }),
    ...(robots && { robots }),
    ...(from !== undefined && { from }),
    ...(to !== undefined && { to }),
  };
}
