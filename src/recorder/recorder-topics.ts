import type { TopicStats } from '../core/status.js';
import type { IngestBuffer } from '../ingest/ingest-buffer.js';
import type { RecorderMeters } from './recorder-meters.js';

/** Every channel seen since the start, with the counters of its queue. */
export function topicStats(buffer: IngestBuffer, meters: RecorderMeters): TopicStats[] {
  return [...buffer.allQueues()].map((queue) => {
    const { channel, rule, received, receivedBytes, dropped, decimated, lastReceivedAt } = queue;
    const { robot, topic, encoding, latched, schema } = channel;
    return {
      robot,
      topic,
      type: schema.name,
      encoding,
      latched,
      priority: rule.priority,
      received,
      receivedBytes,
      dropped,
      decimated,
      ...meters.rateOf(queue),
      queuedBytes: queue.bytes,
      ...(lastReceivedAt === undefined ? {} : { lastReceivedAt: String(lastReceivedAt) }),
      present: queue.present,
    };
  });
}
