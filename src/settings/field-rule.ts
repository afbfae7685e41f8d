import type { PredictorName } from '../core/predictor-name.js';

/** Which numbers of which topics the uplink sends, and how. */
export interface FieldRule {
  /** `*` stands for any text. */
  readonly topic: string;
  /** Type of the messages, `sensor_msgs/msg/NavSatFix`; absent: any. */
  readonly type?: string;
  /** Path in the message; `orientation.yaw` is the yaw of a quaternion. */
  readonly path: string;
  /** Unit of the value after `scale`. Empty: none. */
  readonly unit: string;
  /** The value is multiplied by it. */
  readonly scale: number;
  /** In `unit`. */
  readonly threshold: number;
  /** Samples per second; at most one per tick. */
  readonly rateHz: number;
  readonly predictor: PredictorName;
  /** One turn of a circular field, in `unit`. */
  readonly period?: number;
}

export const FIELD_RULE_FORM =
  'TOPIC.PATH threshold=N and, where wanted, unit=TEXT, scale=N, rate=N (Hz), predictor=hold|smooth|linear, ' +
  'circular=N (one turn), for example "*/odom.twist.twist.linear.x threshold=2 unit=mph scale=2.23694 rate=10"';

const MAX_CHARS = 400;
const MAX_RATE_HZ = 1_000;
const predictors: readonly PredictorName[] = ['hold', 'smooth', 'linear'];

/** Parses one rule of the form {@link FIELD_RULE_FORM}; `undefined` if it has another form. */
export function parseFieldRule(text: string): FieldRule | undefined {
  const [subject = '', ...settings] = text.length > MAX_CHARS ? [] : text.trim().split(/\s+/);
  // ROS allows no dot in the name of a topic.
  const dot = subject.indexOf('.');
  const [topic, path] = [subject.slice(0, dot), subject.slice(dot + 1)];
  const given = new Map(settings.map((one) => split(one)));
  if (dot < 1 || path === '' || given.size !== settings.length) return undefined;
  const take = (name: string): string | undefined => {
    const value = given.get(name);
    given.delete(name);
    return value;
  };
  const threshold = numberOf(take('threshold'), NaN);
  const scale = numberOf(take('scale'), 1);
  const rateHz = numberOf(take('rate'), 10);
  const period = numberOf(take('circular'), 0);
  const unit = take('unit') ?? '';
  const name = take('predictor') ?? 'hold';
  const predictor = predictors.find((one) => one === name);
  const isAllowed = threshold >= 0 && scale !== 0 && rateHz > 0 && rateHz <= MAX_RATE_HZ && period >= 0;
  if (!isAllowed || predictor === undefined || given.size > 0 || Buffer.byteLength(unit) > 32)
    return undefined;
  if (![scale, rateHz, period].every(Number.isFinite)) return undefined;
  const rule = { topic, path, unit, scale, threshold, rateHz, predictor };
  return Object.freeze(period === 0 ? rule : { ...rule, period });
}

function split(setting: string): [string, string] {
  const at = setting.indexOf('=');
  return [setting.slice(0, at), setting.slice(at + 1)];
}

/** NaN for a text that is not a number. */
function numberOf(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
}
