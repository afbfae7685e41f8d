import type * as kafka from '@platformatic/kafka';
import { loadOptional } from '../core/load-optional.js';

export type KafkaLibrary = typeof kafka;

const CLIENT = {
  name: '@platformatic/kafka',
  what: 'the client of Kafka',
  code: 'STORE_UNAVAILABLE',
} as const;

/** The client is an optional dependency. Throws `STORE_UNAVAILABLE` if it cannot be loaded. */
export function loadKafka(
  load: () => Promise<KafkaLibrary> = () => import('@platformatic/kafka'),
): Promise<KafkaLibrary> {
  return loadOptional(CLIENT, load);
}
