import type { Channel } from '../../core/message.js';
import { isFieldRule, pathsOf, type FieldChange, type TransformRule } from '../../core/transform/rule.js';
import { toDecimals, toGrid, toStep } from '../../core/transform/rounding.js';
import { ruleFault } from '../../recordings/rule-fit.js';
import type { FieldSpec } from '../protocol/field-spec.js';

/** The samples of some fields as they may leave the robot. */
export interface RedactedFields {
  /** Those that leave, in their order. */
  readonly fields: readonly FieldSpec[];
  /** Their values, of one for each given field. */
  readonly values: (sample: ArrayLike<number>) => Float64Array;
}

/** Changes the values of one sample in place. */
type Step = (values: Float64Array) => void;

/** What a rule does to the fields of one topic. */
interface Applied {
  readonly change: FieldChange;
  readonly topic: string;
}

/**
 * What `sync.transform` leaves of samples. A field that a rule drops, empties or hashes does not leave, nor does one of
 * a topic that a rule drops, gives to a program, or does not fit. Numbers are rounded as in segments. A sample that is
 * redacted already stays as it is, so one may be redacted again after it waited.
 */
export class Redaction {
  #rules: readonly TransformRule[] | undefined;
  /** The last channel of each topic, and why a rule cannot be applied to it. */
  readonly #channels = new Map<string, { readonly channel: Channel; readonly fault: string | undefined }>();
  /** Differs after each change of what leaves. */
  version = 0;

  /** @param rules - Undefined: not known, so nothing leaves. */
  constructor(rules: readonly TransformRule[] | undefined) {
    this.#rules = rules;
  }

  /** False: nothing leaves, until the rules are known. */
  get isKnown(): boolean {
    return this.#rules !== undefined;
  }

  /** Uses other rules. True: something has changed. */
  use(rules: readonly TransformRule[] | undefined): boolean {
    if (rules === this.#rules) return false;
    this.#rules = rules;
    this.version++;
    for (const { channel } of this.#channels.values()) this.#check(channel);
    return true;
  }

  /** Learns the type of a topic. Returns why a rule cannot be applied to it, if that is new. */
  see(channel: Channel): string | undefined {
    const known = this.#channels.get(channel.topic);
    if (known?.channel === channel) return undefined;
    const fault = this.#check(channel);
    if (fault === known?.fault) return undefined;
    this.version++;
    return fault;
  }

  of(fields: readonly FieldSpec[]): RedactedFields {
    const applied = this.#appliedTo(fields);
    const kept = fields.flatMap((field, place) => (this.#isWithheld(field, fields, applied) ? [] : [place]));
    const steps = applied.flatMap((one) => stepsOf(one, fields));
    return {
      fields: kept.map((place) => fields[place]!),
      values: (sample) => {
        const values = Float64Array.from(sample);
        for (const step of steps) step(values);
        return Float64Array.from(kept, (place) => values[place]!);
      },
    };
  }

  #check(channel: Channel): string | undefined {
    const rules = (this.#rules ?? []).filter((rule) => isFieldRule(rule, channel.topic));
    const fault = channel.encoding === 'cdr' ? ruleFault(rules, channel.schema) : undefined;
    this.#channels.set(channel.topic, { channel, fault });
    return fault;
  }

  /** In the order in which the rules are applied. */
  #appliedTo(fields: readonly FieldSpec[]): Applied[] {
    const topics = [...new Set(fields.map(({ topic }) => topic))];
    return (this.#rules ?? []).flatMap((rule) =>
      topics
        .filter((topic) => isFieldRule(rule, topic))
        .flatMap((topic) => rule.changes.map((change) => ({ change, topic }))),
    );
  }

  #isWithheld(field: FieldSpec, fields: readonly FieldSpec[], applied: readonly Applied[]): boolean {
    const { topic } = field;
    if (this.#rules === undefined || this.#channels.get(topic)?.fault !== undefined) return true;
    const isWhole = this.#rules.some(
      (rule) => (rule.drop === 'topic' || rule.process !== undefined) && rule.topics.test(topic),
    );
    return isWhole || applied.some((one) => one.topic === topic && withholds(one, field, fields));
  }
}

/** Whether a change keeps a field from leaving, in a sample of these fields. */
function withholds({ change, topic }: Applied, field: FieldSpec, fields: readonly FieldSpec[]): boolean {
  const names = namesOf(field);
  const touching = pathsOf(change).filter((path) => touches(path.names, names));
  if (touching.length === 0) return false;
  if (change.kind === 'drop' || change.kind === 'zero' || change.kind === 'hash') return true;
  // A number that is computed from rounded ones.
  if (!touching.some((path) => isSame(path.names, names))) return true;
  // The grid of a longitude depends on the latitude beside it.
  const isLongitude = change.kind === 'grid' && isSame(change.longitude.names, names);
  return isLongitude && placeOf(change.path.names, topic, fields) < 0;
}

/** Whether a change of a path changes a number, such as `pose.orientation` a yaw that is computed from it. */
function touches(path: readonly string[], names: readonly string[]): boolean {
  if (path.every((name, depth) => name === names[depth])) return true;
  const struct = names.slice(0, -1);
  const [last = '', ...above] = [...path].reverse();
  const isBeside = ['x', 'y', 'z', 'w'].includes(last) && isSame(above.reverse(), struct);
  return names.at(-1) === 'yaw' && isBeside;
}

/** The names of a path; the place in a list is not one of them. */
function namesOf({ path }: FieldSpec): readonly string[] {
  return path.split('.').filter((name) => !/^\d+$/.test(name));
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, depth) => name === b[depth]);
}

function placeOf(names: readonly string[], topic: string, fields: readonly FieldSpec[]): number {
  return fields.findIndex((field) => field.topic === topic && isSame(namesOf(field), names));
}

function stepsOf({ change, topic }: Applied, fields: readonly FieldSpec[]): readonly Step[] {
  const { names } = change.path;
  if (change.kind === 'grid') {
    const latitude = placeOf(names, topic, fields);
    const longitude = placeOf(change.longitude.names, topic, fields);
    return latitude < 0 ? [] : [gridStep(change.metres, fields, latitude, longitude)];
  }
  const round = roundingOf(change);
  if (round === undefined) return [];
  return fields.flatMap((field, place) => {
    if (field.topic !== topic || !isSame(namesOf(field), names)) return [];
    const { scale = 1 } = field;
    return [(values: Float64Array) => void (values[place] = round(values[place]! / scale) * scale)];
  });
}

/** Of a single number; undefined: the change withholds it. */
function roundingOf(change: Exclude<FieldChange, { kind: 'grid' }>): ((value: number) => number) | undefined {
  switch (change.kind) {
    case 'decimals':
      return (value) => toDecimals(value, change.decimals);
    case 'step':
      return (value) => toStep(value, change.metres);
    case 'drop':
    case 'zero':
    case 'hash':
      return undefined;
  }
}

/** @param longitude - Less than 0: it is not in the sample. */
function gridStep(metres: number, fields: readonly FieldSpec[], latitude: number, longitude: number): Step {
  const scaleOf = (place: number): number => fields[place]?.scale ?? 1;
  return (values) => {
    const degrees = (place: number): number => (values[place] ?? 0) / scaleOf(place);
    const [row, column] = toGrid(degrees(latitude), degrees(longitude), metres);
    values[latitude] = row * scaleOf(latitude);
    if (longitude >= 0) values[longitude] = column * scaleOf(longitude);
  };
}
