import type * as kafka from '@platformatic/kafka';
import { describeError, HoldfastError } from '../core/errors.js';

export type KafkaLibrary = typeof kafka;

/** The client is an optional dependency. Throws `STORE_UNAVAILABLE` if it cannot be loaded. */
export async function loadKafka(
  load: () => Promise<KafkaLibrary> = () => import('@platformatic/kafka'),
): Promise<KafkaLibrary> {
  try {
    return await load();
  } catch (cause) {
    const [reason] = describeError(cause).split('\n');
    throw new HoldfastError(
      'STORE_UNAVAILABLE',
      `the client of Kafka cannot be loaded (npm install @platformatic/kafka): ${reason}`,
      { facts: { reason } },
    );
  }
}
