import { ThinnedSample } from '../../core/quality/thinned-sample.js';
import type { RuleOf } from './check-rule.js';
import { matches } from '../reading/message-filter.js';
import type { TellOf } from './recording-checks.js';
import type { RecordingFacts } from './recording-facts.js';
import { short } from './topic-check.js';

/** Topics compared of each pair of robots. */
const MAX_TOPICS = 1000;

/**
 * Whether the clocks of the robots agree. Of each topic the median of receive time minus stamp is taken; two
 * robots are compared on the topics both have, by the median of the differences, so that neither a slow sensor
 * nor a topic that only one has matters. All are compared with the one in the middle.
 */
export function checkTimeSync(
  { settings, scope }: RuleOf<'time_sync'>,
  { offsets }: RecordingFacts,
  tell: TellOf,
): void {
  const robots = [...offsets]
    .filter(([robot]) => robot !== '' && matches(scope.robots, robot))
    .map(([robot, topics]) => {
      const medians = new Map([...topics].map(([topic, sample]) => [topic, sample.quantile(0.5)!]));
      return { robot, medians, middle: median(medians.values()) };
    })
    .sort((a, b) => a.middle - b.middle || (a.robot < b.robot ? -1 : 1));
  const reference = robots[(robots.length - 1) >> 1];
  if (reference === undefined) return;
  for (const { robot, medians } of robots) {
    if (robot === reference.robot) continue;
    const common = [...medians].filter(([topic]) => reference.medians.has(topic));
    if (common.length === 0) continue;
    // A later clock stamps later: it seems less late.
    const value = median(common.map(([topic, offset]) => reference.medians.get(topic)! - offset)) / 1e6;
    if (Math.abs(value) <= settings.max_ms) continue;
    const text =
      `its clock is ${short(Math.abs(value))} ms ${value > 0 ? 'ahead of' : 'behind'} that of ` +
      `${reference.robot} (${common.length} topics compared), at most ${short(settings.max_ms)} ms allowed`;
    tell({ robot }, { value, limit: settings.max_ms, text });
  }
}

function median(values: Iterable<number>): number {
  const sample = new ThinnedSample(MAX_TOPICS);
  for (const value of values) sample.add(value);
  return sample.quantile(0.5)!;
}
