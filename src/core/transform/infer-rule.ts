import { parseFieldPath, type FieldPath } from './field-path.js';
import { parseProcessLimits, type ProcessLimits } from './process-rule.js';

/** How an image becomes the input of a model. */
export interface ImageInput {
  readonly kind: 'image';
  /** Pixels to which the image is scaled, without regard to its ratio of sides. */
  readonly width: number;
  readonly height: number;
  readonly color: 'rgb' | 'bgr' | 'gray';
  readonly layout: 'nchw' | 'nhwc';
  /** What a byte is divided by. */
  readonly scale: number;
  /** Subtracted after the division, and then divided by; one for each colour, in the order of `color`. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Fields whose numbers follow each other in the input. */
export interface FieldsInput {
  readonly kind: 'fields';
  readonly paths: readonly FieldPath[];
}

/** An event is marked when the condition becomes true. */
export interface MarkRule {
  readonly label: string;
  readonly output: string;
  /** Undefined: any element. */
  readonly index?: number;
  readonly comparison: '>' | '>=' | '<' | '<=';
  readonly value: number;
}

/** A model that gets the messages of some topics. */
export interface InferRule {
  /** Path of the ONNX file. */
  readonly model: string;
  readonly limits: ProcessLimits;
  readonly input: ImageInput | FieldsInput;
  /** Outputs are written below it; undefined: below the topic of the message. */
  readonly topic?: string;
  readonly marks: readonly MarkRule[];
  /** The window of a mark. */
  readonly beforeMs: number;
  readonly afterMs: number;
}

export const INFER_RULE_FORM =
  'REGEX infer MODEL with image=WIDTHxHEIGHT (1 to 4096; with any of color=rgb|bgr|gray, layout=nchw|nhwc, scale=NUMBER, ' +
  'mean=NUMBERS, std=NUMBERS) or fields=FIELDS, and any of topic=TOPIC, up to 16 mark=LABEL:OUTPUT[INDEX]>NUMBER (or >=, <, <=), ' +
  'before=0..3600s (5s), after=0..3600s (5s), and the limits of exec before infer';

const MARKS_MAX = 16;
const SIDE_MAX = 4_096;
const WINDOW_MAX_S = 3_600;
const WINDOW_MS = 5_000;
const BYTE_MAX = 255;
const NUMBER = String.raw`[-+]?\d+(?:\.\d+)?(?:e[-+]?\d{1,2})?`;
const NUMBERS = new RegExp(`^${NUMBER}(?:,${NUMBER}){0,2}$`);
const MARK = new RegExp(
  String.raw`^([^\s:]{1,100}):([^\s:<>=[\]]+)(?:\[(\d{1,9})\])?(>=|<=|>|<)(${NUMBER})$`,
);
const TOPIC = /^\/[A-Za-z0-9_]+(?:\/[A-Za-z0-9_]+)*$/;
const IMAGE_SETTINGS = ['color', 'layout', 'scale', 'mean', 'std'];
const SETTINGS = new Set(['image', 'fields', 'topic', 'mark', 'before', 'after', ...IMAGE_SETTINGS]);

/** Parses what follows the topics in a rule of the form {@link INFER_RULE_FORM}; undefined if it has another form. */
export function parseInfer(words: readonly string[]): InferRule | undefined {
  const at = words.indexOf('infer');
  const [model, ...settings] = words.slice(at + 1);
  const limits = parseProcessLimits(words.slice(0, at));
  const given = settingsOf(settings);
  if (at < 0 || model === undefined || !limits || !given) return undefined;
  const input = inputOf(given.values);
  const beforeMs = windowOf(given.values.get('before'));
  const afterMs = windowOf(given.values.get('after'));
  const topic = given.values.get('topic');
  const marks = given.marks.map(markOf);
  if (!input || beforeMs === undefined || afterMs === undefined) return undefined;
  if (marks.length > MARKS_MAX || !marks.every((mark) => mark !== undefined)) return undefined;
  if (topic !== undefined && !TOPIC.test(topic)) return undefined;
  return Object.freeze({
    ...{ model, limits, input, marks, beforeMs, afterMs },
    ...(topic === undefined ? {} : { topic }),
  });
}

interface Settings {
  readonly values: ReadonlyMap<string, string>;
  readonly marks: readonly string[];
}

/** Undefined: one is unknown, or stands twice. */
function settingsOf(words: readonly string[]): Settings | undefined {
  const values = new Map<string, string>();
  const marks: string[] = [];
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, at);
    const value = word.slice(at + 1);
    if (!SETTINGS.has(name) || values.has(name)) return undefined;
    if (name === 'mark') marks.push(value);
    else values.set(name, value);
  }
  return { values, marks };
}

function inputOf(values: ReadonlyMap<string, string>): ImageInput | FieldsInput | undefined {
  const [size, fields] = [values.get('image'), values.get('fields')];
  if ((size === undefined) === (fields === undefined)) return undefined;
  if (size !== undefined) return imageOf(size, values);
  if (IMAGE_SETTINGS.some((name) => values.has(name))) return undefined;
  const paths = (fields ?? '').split(',').map(parseFieldPath);
  return paths.every((path) => path !== undefined) ? { kind: 'fields', paths } : undefined;
}

function imageOf(size: string, values: ReadonlyMap<string, string>): ImageInput | undefined {
  const [, width = 0, height = 0] = (/^(\d{1,4})x(\d{1,4})$/.exec(size) ?? []).map(Number);
  const color = oneOf(values.get('color') ?? 'rgb', ['rgb', 'bgr', 'gray']);
  const layout = oneOf(values.get('layout') ?? 'nchw', ['nchw', 'nhwc']);
  const colors = color === 'gray' ? 1 : 3;
  const [scale] = numbersOf(values.get('scale') ?? String(BYTE_MAX), 1) ?? [];
  const mean = numbersOf(values.get('mean') ?? '0', colors);
  const std = numbersOf(values.get('std') ?? '1', colors);
  if (Math.min(width, height) < 1 || Math.max(width, height) > SIDE_MAX) return undefined;
  if (!color || !layout || !mean || !std || scale === undefined) return undefined;
  if (scale === 0 || std.includes(0)) return undefined;
  return { kind: 'image', width, height, color, layout, scale, mean, std };
}

function oneOf<T extends string>(value: string, allowed: readonly T[]): T | undefined {
  return allowed.find((one) => one === value);
}

/** One number stands for all colours. */
function numbersOf(value: string, count: number): number[] | undefined {
  if (!NUMBERS.test(value)) return undefined;
  const numbers = value.split(',').map(Number);
  if (numbers.length === count) return numbers;
  return numbers.length === 1 ? Array.from({ length: count }, () => numbers[0]!) : undefined;
}

function markOf(text: string): MarkRule | undefined {
  const [found, label = '', output = '', index, comparison, value] = MARK.exec(text) ?? [];
  if (found === undefined) return undefined;
  return {
    ...{ label, output, comparison: comparison as MarkRule['comparison'], value: Number(value) },
    ...(index === undefined ? {} : { index: Number(index) }),
  };
}

function windowOf(value: string | undefined): number | undefined {
  if (value === undefined) return WINDOW_MS;
  const [, digits] = /^(\d{1,4})s$/.exec(value) ?? [];
  return digits === undefined || Number(digits) > WINDOW_MAX_S ? undefined : Number(digits) * 1_000;
}
