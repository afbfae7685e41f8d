import { ThinnedSample } from '../../core/quality/thinned-sample.js';
import { present } from '../../core/present.js';
import type { RuleOf } from './check-rule.js';
import { matches } from '../../recordings/message-filter.js';
import type { TellOf } from './tell.js';
import type { RecordingFacts } from './recording-facts.js';
import { short } from './topic-check.js';

/** Number of topics compared per pair of robots. */
const MAX_TOPICS = 1000;

/**
 * Whether the clocks of the robots agree. For each topic, the median of receive time minus stamp is taken.
 * Two robots are compared on their common topics, by the median of the differences, so that neither a slow
 * sensor nor a topic that only one has matters. All are compared with the median robot.
 */
export function checkTimeSync(
  { settings, scope }: RuleOf<'time_sync'>,
  { offsets }: RecordingFacts,
  tell: TellOf,
): void {
  const robots = [...offsets]
    .filter(([robot]) => robot !== '' && matches(scope.robots, robot))
    .map(([robot, topics]) => {
      const medians = new Map([...topics].map(([topic, sample]) => [topic, present(sample.quantile(0.5))]));
      return { robot, medians, middle: median(medians.values()) };
    })
    .sort((a, b) => a.middle - b.middle || (a.robot < b.robot ? -1 : 1));
  const reference = robots[(robots.length - 1) >> 1];
  if (reference === undefined) return;
  for (const { robot, medians } of robots) {
    if (robot === reference.robot) continue;
    const common = [...medians].filter(([topic]) => reference.medians.has(topic));
    if (common.length === 0) continue;
    // A clock that is ahead stamps later, so its messages seem less late.
    const value =
      median(common.map(([topic, offset]) => present(reference.medians.get(topic)) - offset)) / 1e6;
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
  return present(sample.quantile(0.5));
}
