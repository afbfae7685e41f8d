import { availableParallelism } from 'node:os';
import { defined } from '../../core/defined.js';
import { extensions } from '../../exporters/encoders.js';
import { parquetCodecs, tableFormats } from '../../exporters/format.js';
import { TIME_FORM } from '../../core/parse-time.js';
import { plainText } from '../../core/plain-text.js';
import type { ConfigFault } from '../../settings/fault.js';
import { parseDurationMs } from '../../settings/units.js';
import { parseMessageFilter, type MessageFilter } from '../../recordings/message-filter.js';
import type { Every, ExportFormat, ExportOptions } from './export-options.js';
import { LAYOUT_FORM, PathTemplate } from '../../settings/path-template.js';
import { vehicleTypes } from './vehicle-sink.js';

const formats: readonly ExportFormat[] = [...tableFormats, 'mcap'];
/** In addition to the thread that reads and decodes, which cannot keep more of them busy. */
const MAX_WORKERS = 4;
const MAX_ALIGN_HZ = 1_000;
const MAX_ROW_GROUP = 1_000_000;

/** Paths of the files without a layout. */
export const defaultLayouts: Readonly<Record<ExportFormat, string>> = {
  parquet: 'robot={robot}/topic={topic}/date={YYYY-MM-DD}/hour={HH}/part',
  csv: '{robot}/{topic}',
  jsonl: '{robot}/{topic}',
  tfrecord: '{robot}/{topic}',
  numpy: '{robot}/{topic}',
  mcap: 'export',
};
const ALIGNED_LAYOUT = '{robot}';

/** Parses the command line's options; adds every fault to `faults`. */
export function parseExportOptions(
  given: Readonly<Record<string, unknown>>,
  faults: ConfigFault[],
): ExportOptions | undefined {
  const text = (name: string): string | undefined =>
    given[name] === undefined || typeof given[name] === 'boolean' ? undefined : plainText(given[name]);
  const fault = (option: string, value: unknown, allowed: string): void => {
    faults.push({ where: `--${option}`, path: option, value, allowed: `allowed: ${allowed}` });
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
    fault(option, value, `a number above 0, up to ${max}`);
    return undefined;
  };
  const alignHz = number('align', 'align', MAX_ALIGN_HZ);
  const maxAge = text('alignMaxAge');
  const maxAgeMs = maxAge === undefined ? undefined : parseDurationMs(maxAge);
  if (maxAge !== undefined && maxAgeMs === undefined) {
    fault('align-max-age', maxAge, 'a duration such as 500ms');
  }
  const workers =
    number('workers', 'workers', 64) ?? Math.min(MAX_WORKERS, Math.max(1, availableParallelism() - 1));
  const compression = parseCompression(text('compression'), format, fault);
  const rowGroupRows = number('rowGroup', 'row-group', MAX_ROW_GROUP);
  if (rowGroupRows !== undefined && (format !== 'parquet' || !Number.isInteger(rowGroupRows))) {
    fault('row-group', given['rowGroup'], 'a whole number, and only with --format parquet');
  }
  const isPreset = given['preset'] !== undefined;
  // A preset names its files itself; those of one robot are one step.
  const layout = isPreset
    ? new PathTemplate('{robot}', extensions[format])
    : parseLayout(text('layout'), format, alignHz !== undefined, fault);
  const every = parseEvery(text('every'), fault);
  if (alignHz !== undefined && format === 'mcap') fault('align', given['align'], 'not with --format mcap');
  const explode = text('explode');
  if (explode !== undefined && format !== 'csv') fault('explode', explode, 'only with --format csv');
  refuseMisplaced(given, format, fault);
  const preset = parsePreset(given, format, fault);
  const asked = parseFilter(given, fault);
  const filter = preset === undefined ? asked : { ...asked, types: vehicleTypes };
  const images = parseImages(text('images'), format, fault);
  if (faults.length > 0 || layout === undefined || compression === undefined) return undefined;
  const robotName = text('robotName');
  return {
    format,
    filter,
    layout,
    flatten: given['flatten'] === true || format === 'csv',
    raw: given['raw'] === true,
    ...(given['guardFormulas'] === true ? { guardFormulas: true } : {}),
    compression,
    ...defined({ rowGroupRows }),
    workers: Math.round(workers),
    ...defined({ every, explode, preset, sessions: given['session'] as readonly string[] | undefined }),
    ...defined({ images }),
    ...defined({ alignHz }),
    ...(maxAgeMs === undefined ? {} : { alignMaxAgeNs: BigInt(maxAgeMs) * 1_000_000n }),
    ...defined({ robotName }),
  };
}

/** Options that have a meaning in one format only. */
function refuseMisplaced(given: Readonly<Record<string, unknown>>, format: ExportFormat, fault: Fault): void {
  const { guardFormulas, descriptors, align } = given;
  if (guardFormulas === true && format !== 'csv') fault('guard-formulas', true, 'only with --format csv');
  if (descriptors === undefined || (format === 'parquet' && align === undefined)) return;
  fault('descriptors', descriptors, 'only with --format parquet, and not with --align');
}

function parseImages(text: string | undefined, format: ExportFormat, fault: Fault): 'files' | undefined {
  if (text === undefined) return undefined;
  if (text !== 'files') fault('images', text, 'files');
  if (format === 'mcap') fault('images', text, 'not with --format mcap');
  return 'files';
}

/** Each format has its own; the others ignore a missing option. */
function parseCompression(
  text: string | undefined,
  format: ExportFormat,
  fault: Fault,
): ExportOptions['compression'] | undefined {
  const known = format === 'parquet' ? parquetCodecs : (['zstd', 'lz4', 'none'] as const);
  const found = known.find((one) => one === (text ?? 'zstd'));
  if (found === undefined) fault('compression', text, known.join(', '));
  return found;
}

type Fault = (option: string, value: unknown, allowed: string) => void;

function parseLayout(
  text: string | undefined,
  format: ExportFormat,
  aligned: boolean,
  fault: Fault,
): PathTemplate | undefined {
  const chosen = text ?? (aligned ? ALIGNED_LAYOUT : defaultLayouts[format]);
  try {
    const layout = new PathTemplate(chosen, extensions[format]);
    // Aligned values continue from earlier ones: a separate table per hour would begin empty.
    const isWide =
      layout.has('robot') && layout.window === 'none' && !layout.has('topic') && !layout.has('type');
    if (aligned && !isWide) {
      fault('layout', chosen, 'with --align: {robot}, without {topic}, {type} and times');
      return;
    }
    if (!aligned && format !== 'mcap' && !layout.has('topic') && !layout.has('type')) {
      fault('layout', chosen, 'with {topic} (a table per topic) or {type} (a table per type)');
      return;
    }
    return layout;
  } catch (error) {
    fault('layout', chosen, `${LAYOUT_FORM} (${error instanceof Error ? error.message : String(error)})`);
    return;
  }
}

/** Options that a preset decides must not be given with it. */
function parsePreset(
  given: Readonly<Record<string, unknown>>,
  format: ExportFormat,
  fault: Fault,
): 'vehicle' | undefined {
  if (given['preset'] === undefined) return undefined;
  if (given['preset'] !== 'vehicle') {
    fault('preset', given['preset'], 'vehicle');
    return;
  }
  if (format !== 'csv') {
    fault('preset', 'vehicle', 'only with --format csv');
    return;
  }
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
  fault(
    'every',
    text,
    'a count (10: each tenth message of a topic) or a duration (500ms: at most one in that time)',
  );
}

function parseFilter(given: Readonly<Record<string, unknown>>, fault: Fault): MessageFilter {
  const { topics, types, robots, fromTime, toTime } = given;
  return parseMessageFilter({ topics, types, robots, from: fromTime, to: toTime }, (which, text) =>
    fault(`${which}-time`, text, TIME_FORM),
  );
}
