import type { CheckRule } from './check-rule.js';
import type { CheckKind } from './rule-settings.js';
import type { Report, TopicCheck } from './topic-check.js';
import { LatencyCheck } from './topics/latency-check.js';
import { RateCheck } from './topics/rate-check.js';
import { SilenceCheck } from './topics/silence-check.js';
import { LogTimeCheck, StampCheck } from './topics/stamp-check.js';
import { FrozenCheck, StuckCheck } from './topics/stuck-check.js';
import { UndecodableCheck } from './topics/undecodable-check.js';
import { LimitCheck, NotFiniteCheck, OutlierCheck } from './topics/value-checks.js';

/** Checks that need the numbers or the stamp of a message. */
export const decodingChecks: ReadonlySet<CheckKind> = new Set([
  'stamps',
  'latency',
  'time_sync',
  'stuck',
  'not_finite',
  'limit',
  'outlier',
  'undecodable',
]);

/** Checks that do not apply to latched topics, which have no regular rate. */
export const paceChecks: ReadonlySet<CheckKind> = new Set(['rate', 'silence', 'stuck', 'frozen']);

/** Checks of the recording as a whole. */
export const recordingChecks: ReadonlySet<CheckKind> = new Set([
  'missing',
  'time_sync',
  'clock_steps',
  'gaps',
  'unclean_end',
  'damage',
]);

/** The check of a rule for one topic; undefined if it is a check of the recording as a whole. */
export function openTopicCheck(rule: CheckRule, report: Report): TopicCheck | undefined {
  switch (rule.check) {
    case 'rate':
      return new RateCheck(rule.settings, report);
    case 'silence':
      return new SilenceCheck(rule.settings, report);
    case 'stamps':
      return new StampCheck(rule.settings, report);
    case 'log_time':
      return new LogTimeCheck(report);
    case 'latency':
      return new LatencyCheck(rule.settings, report);
    case 'stuck':
      return new StuckCheck(rule.settings, report);
    case 'not_finite':
      return new NotFiniteCheck(rule.settings, report);
    case 'limit':
      return new LimitCheck(rule.settings, report);
    case 'outlier':
      return new OutlierCheck(rule.settings, report);
    case 'frozen':
      return new FrozenCheck(rule.settings, report);
    case 'undecodable':
      return new UndecodableCheck(rule.settings, report);
    case 'missing':
    case 'time_sync':
    case 'clock_steps':
    case 'gaps':
    case 'unclean_end':
    case 'damage':
      return undefined;
  }
}
