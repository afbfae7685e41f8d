import { createHash } from 'node:crypto';
import { definitionKey } from '../core/message.js';
import type { MergedMessage } from './merged-messages.js';

/**
 * Maximum number of latched messages per robot and topic, and their total bytes; the oldest are dropped
 * first.
 */
const MAX_PER_TOPIC = 100;
const MAX_BYTES = 64 * 1024 * 1024;

/** The latched messages from before a time range: a player of only this range needs them too. */
export class LatchedState {
  readonly #topics = new Map<string, Map<string, MergedMessage>>();
  #bytes = 0;

  add(one: MergedMessage): void {
    const { message, robot } = one;
    const key = JSON.stringify([robot, message.channel.topic, definitionKey(message.channel.schema)]);
    let topic = this.#topics.get(key);
    if (topic === undefined) {
      topic = new Map();
      this.#topics.set(key, topic);
    }
    const digest = createHash('sha256').update(message.data).digest('base64');
    this.#drop(topic, digest);
    // A copy: the view would keep its whole chunk.
    topic.set(digest, { ...one, message: { ...message, data: Uint8Array.from(message.data) } });
    this.#bytes += message.data.byteLength;
    const [oldest] = topic.keys();
    if (topic.size > MAX_PER_TOPIC && oldest !== undefined) this.#drop(topic, oldest);
    for (const [name, other] of this.#topics) {
      if (this.#bytes <= MAX_BYTES || name === key) break;
      for (const each of [...other.keys()]) this.#drop(other, each);
      this.#topics.delete(name);
    }
  }

  #drop(topic: Map<string, MergedMessage>, digest: string): void {
    const known = topic.get(digest);
    if (known === undefined) return;
    topic.delete(digest);
    this.#bytes -= known.message.data.byteLength;
  }

  /** All of them, by their log time; empties the state. */
  take(): MergedMessage[] {
    const all = [...this.#topics.values()].flatMap((topic) => [...topic.values()]);
    this.#topics.clear();
    this.#bytes = 0;
    return all.sort((a, b) => (a.message.logTime < b.message.logTime ? -1 : 1));
  }
}
