import { parseRegex } from '../regex.js';
import { parseFieldPath, type FieldPath } from './field-path.js';
import { IMAGE_RULE_FORM, isImageSetting, parseImageRule, type ImageRule } from './image-rule.js';
import { INFER_RULE_FORM, parseInfer, type InferRule } from './infer-rule.js';
import { parseProcess, PROCESS_RULE_FORM, type ProcessSpec } from './process-rule.js';

/** What one setting of a rule does to fields. */
export type FieldChange =
  | { readonly kind: 'drop' | 'zero' | 'hash'; readonly path: FieldPath }
  /** To a number of decimals. */
  | { readonly kind: 'decimals'; readonly path: FieldPath; readonly decimals: number }
  /** To multiples of a length, for a field in metres. */
  | { readonly kind: 'step'; readonly path: FieldPath; readonly metres: number }
  /** A latitude and a longitude in degrees, to a grid with this distance between its points. */
  | {
      readonly kind: 'grid';
      readonly path: FieldPath;
      readonly longitude: FieldPath;
      readonly metres: number;
    };

/** What is done to messages of some topics before they leave the robot. */
export interface TransformRule {
  /** As it was given. */
  readonly text: string;
  readonly topics: RegExp;
  /** `topic`: no message of these topics leaves. */
  readonly drop: 'topic' | 'nothing';
  /** Empty if the rule drops the topic, gives its messages to a process or a model, or is about images. */
  readonly changes: readonly FieldChange[];
  /** The program that gets the messages; absent: none. */
  readonly process?: ProcessSpec;
  /** The model that gets the messages; absent: none. */
  readonly infer?: InferRule;
  /** What is done to images; absent: nothing. */
  readonly image?: ImageRule;
}

export const TRANSFORM_RULE_FORM =
  `REGEX drop, or ${IMAGE_RULE_FORM}, or ${PROCESS_RULE_FORM}, or ${INFER_RULE_FORM}, ` +
  'or REGEX followed by one or more of drop=FIELDS, zero=FIELDS, hash=FIELDS, ' +
  'round=FIELD:DECIMALS (0 to 15), round=FIELD:METRESm, round=LATITUDE+LONGITUDE:METRESm, each field once; ' +
  'FIELDS are names such as driver.name with commas between them, and name? means "if the type has it", ' +
  'for example "/fix round=latitude+longitude:100m" or "/driver hash=name drop=photo"';

const DECIMALS_MAX = 15;
const METRES_MAX = 1_000_000;
const METRES_MIN = 0.001;
/** Settings of one rule, each of them a pass over the message. */
const CHANGES_MAX = 64;

/** Parses one rule of the form {@link TRANSFORM_RULE_FORM}; undefined if it has another form. */
export function parseTransformRule(given: string): TransformRule | undefined {
  const text = given.trim();
  const [pattern = '', ...settings] = text.split(/\s+/);
  const topics = parseRegex(pattern);
  if (!topics || settings.length === 0) return undefined;
  if (settings.length === 1 && settings[0] === 'drop') {
    return Object.freeze({ text, topics, drop: 'topic', changes: [] });
  }
  if (settings.includes('exec')) {
    const process = parseProcess(settings);
    return process && Object.freeze({ text, topics, drop: 'nothing', changes: [], process });
  }
  if (settings.includes('infer')) {
    const infer = parseInfer(settings);
    return infer && Object.freeze({ text, topics, drop: 'nothing', changes: [], infer });
  }
  const [setting = ''] = settings;
  if (isImageSetting(setting)) {
    const image = settings.length === 1 ? parseImageRule(setting) : undefined;
    return image && Object.freeze({ text, topics, drop: 'nothing', changes: [], image });
  }
  const changes: FieldChange[] = [];
  for (const setting of settings) {
    const found = changesOf(setting);
    if (!found) return undefined;
    changes.push(...found);
  }
  if (changes.length > CHANGES_MAX || overlap(changes.flatMap(pathsOf))) return undefined;
  return Object.freeze({ text, topics, drop: 'nothing', changes });
}

/** Whether a rule can change the fields of messages of this topic, or keeps them all from leaving. */
export function isFieldRule({ topics, drop, changes, process }: TransformRule, topic: string): boolean {
  const isOne = drop === 'topic' || changes.length > 0 || process !== undefined;
  return isOne && topics.test(topic);
}

/** The fields that a change concerns. */
export function pathsOf(change: FieldChange): readonly FieldPath[] {
  return change.kind === 'grid' ? [change.path, change.longitude] : [change.path];
}

function changesOf(setting: string): readonly FieldChange[] | undefined {
  const at = setting.indexOf('=');
  const name = setting.slice(0, at);
  const values = setting.slice(at + 1).split(',');
  const parsed =
    name === 'drop' || name === 'zero' || name === 'hash'
      ? values.map((value) => {
          const path = parseFieldPath(value);
          return path && ({ kind: name, path } as const);
        })
      : name === 'round'
        ? values.map(roundOf)
        : [undefined];
  return parsed.every((one) => one !== undefined) ? parsed : undefined;
}

function roundOf(value: string): FieldChange | undefined {
  const [, fields = '', amount = '', unit] = /^([^:]+):(\d+(?:\.\d+)?)(m?)$/.exec(value) ?? [];
  const [first = '', second, ...more] = fields.split('+');
  const path = parseFieldPath(first);
  const longitude = second === undefined ? undefined : parseFieldPath(second);
  if (!path || more.length > 0 || (second !== undefined && !longitude)) return undefined;
  if (unit === 'm') {
    const metres = Number(amount);
    if (metres < METRES_MIN || metres > METRES_MAX) return undefined;
    if (!longitude) return { kind: 'step', path, metres };
    return isSameStruct(path, longitude) ? { kind: 'grid', path, longitude, metres } : undefined;
  }
  const decimals = Number(amount);
  if (longitude || !Number.isInteger(decimals) || decimals > DECIMALS_MAX) return undefined;
  return { kind: 'decimals', path, decimals };
}

/** The grid of a longitude depends on the latitude beside it. */
function isSameStruct(a: FieldPath, b: FieldPath): boolean {
  return a.names.slice(0, -1).join('.') === b.names.slice(0, -1).join('.') && a.optional === b.optional;
}

/** Whether a field is named twice, or inside of another. */
function overlap(paths: readonly FieldPath[]): boolean {
  const texts = paths.map(({ names }) => `${names.join('.')}.`);
  return texts.some((one, at) => texts.some((other, index) => index !== at && other.startsWith(one)));
}
