import type { SourceStatus } from '../../core/status.js';
import { histogramSamples } from './histogram-samples.js';
import type { Known } from './known.js';
import type { Metric, Sample } from './metric.js';

const SOURCES_MAX = 50;

/** By source; absent if a source does not report it. */
function perSource(value: (stats: NonNullable<SourceStatus['stats']>) => number | undefined) {
  return ({ status }: Known): readonly Sample[] =>
    status.recorder.sources.slice(0, SOURCES_MAX).flatMap(({ uri, stats }) => {
      const known = stats && value(stats);
      return known === undefined ? [] : [{ labels: { source: uri }, value: known }];
    });
}

function durationsPerSource(member: 'acknowledgeDurations' | 'receiveLatencies') {
  return ({ status }: Known): readonly Sample[] =>
    status.recorder.sources.slice(0, SOURCES_MAX).flatMap(({ uri, stats }) =>
      histogramSamples(stats?.[member]).map((sample) => ({
        ...sample,
        labels: { source: uri, ...sample.labels },
      })),
    );
}

/** Metrics that sources report beside their messages. */
export const sourceMetrics: readonly Metric<Known>[] = [
  {
    name: 'holdfast_source_lag_messages',
    help: 'Messages at the server that were given to nobody yet, by source.',
    type: 'gauge',
    samples: perSource(({ lagMessages }) => lagMessages),
  },
  {
    name: 'holdfast_source_unacknowledged_messages',
    help: 'Messages given to this recorder and not acknowledged yet, by source.',
    type: 'gauge',
    samples: perSource(({ unacknowledgedMessages }) => unacknowledgedMessages),
  },
  {
    name: 'holdfast_source_acknowledged_messages_total',
    help: 'Messages acknowledged to the server, by source.',
    type: 'counter',
    samples: perSource(({ acknowledgedMessages }) => acknowledgedMessages),
  },
  {
    name: 'holdfast_source_silent_topics',
    help: 'Topics whose publishers are there and that bring nothing any more, by source.',
    type: 'gauge',
    samples: perSource(({ silentTopics }) => silentTopics),
  },
  {
    name: 'holdfast_source_resubscriptions_total',
    help: 'How often a silent topic was subscribed to again, by source.',
    type: 'counter',
    samples: perSource(({ resubscriptions }) => resubscriptions),
  },
  {
    name: 'holdfast_source_receive_latency_seconds',
    help: 'From the time stamp of a publisher to the receipt of its message, by source; absent without stamps.',
    type: 'histogram',
    samples: durationsPerSource('receiveLatencies'),
  },
  {
    name: 'holdfast_source_redelivered_messages_total',
    help: 'Deliveries that were not the first of their message, by source.',
    type: 'counter',
    samples: perSource(({ redeliveredMessages }) => redeliveredMessages),
  },
  {
    name: 'holdfast_source_duplicate_messages_total',
    help: 'Deliveries of messages this recorder had already, which it did not store again, by source.',
    type: 'counter',
    samples: perSource(({ duplicateMessages }) => duplicateMessages),
  },
  {
    name: 'holdfast_source_dead_letters_total',
    help: 'Messages put aside because they cannot be recorded, by source.',
    type: 'counter',
    samples: perSource(({ deadLetters }) => deadLetters),
  },
  {
    name: 'holdfast_source_dead_letter_failures_total',
    help: 'Attempts to put a message aside that nothing confirmed, by source.',
    type: 'counter',
    samples: perSource(({ deadLetterFailures }) => deadLetterFailures),
  },
  {
    name: 'holdfast_source_connections_total',
    help: 'Connections made to the server, by source.',
    type: 'counter',
    samples: perSource(({ connections }) => connections),
  },
  {
    name: 'holdfast_source_acknowledge_duration_seconds',
    help: 'From delivery to acknowledgement, the batch and its commit included, by source.',
    type: 'histogram',
    samples: durationsPerSource('acknowledgeDurations'),
  },
];
